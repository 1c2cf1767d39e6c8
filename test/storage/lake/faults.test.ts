/**
 * Every operation with every I/O call failing, once and for good, and with every kind of error. Whatever was thrown,
 * nothing of it is visible; whatever was acknowledged is there; the invariants hold; the same operation then succeeds
 * on the same store; and no temporary file, lease or data file without a log is left.
 */
import { describe, expect, test } from 'vitest'
import { LakeError, hasCode } from '../../../src/model/errors.ts'
import { errnoOf } from '../../../src/storage/files/io-error.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import type { LakeOutcome } from '../../../src/storage/lake/outcome.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { refreshHead } from '../../../src/storage/lake/store.ts'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { readRecord, recordVersions } from '../../../src/storage/lake/lake-log.ts'
import { useEngine } from '../../support/engine.ts'
import { checkLake, operations } from '../../support/lake-operations.ts'
import type { Operation } from '../../support/lake-operations.ts'
import { failure } from '../../support/memory-files.ts'
import type { Gate, MemoryDisk } from '../../support/memory-files.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import { modelWorld, openModel } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS', 'ESTALE'] as const
/** One error a call, in turn; `npm run torture:faults` tries all of them at every call. */
const ALL = process.env['MARKETLAKE_FAULTS'] === 'all'
const CALLS_MAX = 400
const { database } = useEngine()
const OPERATIONS = operations(database)

interface Fault {
  readonly at: number
  readonly errno: string
  readonly persistent: boolean
}

interface Hit {
  operation: keyof Files
  path: string
}

/** Fails the call of a number, or all from it on, until it is switched off. */
function faulty(fault: Fault): { gate: Gate; hit: () => Hit | undefined; off: () => void } {
  let [calls, on] = [0, true]
  let hit: Hit | undefined
  return {
    hit: () => hit,
    off: () => (on = false),
    gate: (operation, path) => {
      calls++
      if (!on || calls < fault.at || (calls > fault.at && !fault.persistent)) return
      hit ??= { operation, path }
      throw failure(fault.errno, operation, path)
    },
  }
}

/** One run with one fault; false if the operation ended before the call was reached. */
async function runWithFault(
  name: string,
  operation: Operation,
  base: ModelWorld,
  fault: Fault,
): Promise<boolean> {
  const world = { ...base, disk: base.disk.clone() }
  const before = await refreshHead(await openModel(world, 2))
  const { gate, hit, off } = faulty(fault)
  const store = await openModel(world, 3)
  Object.assign(store, { files: world.disk.files(gate) })
  const result = await operation.run(world, store, gate).catch((error: unknown) => error)
  const failed = hit()
  off()
  if (!failed) return false
  const where = `${name}, call ${String(fault.at)} (${failed.operation} ${failed.path}) ${fault.errno}${fault.persistent ? ' for good' : ''}`
  try {
    await checkResult(world, before.version, result, fault)
    // Once more on the same store: what it remembers must be true.
    await operation.run(world, store).catch((error: unknown) => {
      if (!operation.once || !hasCode(error, 'TABLE_NOT_FOUND')) throw error
    })
    await settle(store, Object.keys(store.head.tables))
    const fresh = await openModel(world, 4)
    await checkLake(fresh, before)
    expect(await verifyLake(fresh, fresh.head, { deep: false })).toEqual([])
    if (!fault.persistent && failed.operation !== 'remove') await checkLeftOvers(world)
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
  }
  return true
}

/** Thrown means that nothing is visible, and says why; an acknowledgement is kept. */
async function checkResult(
  world: ModelWorld,
  version: number,
  result: unknown,
  fault: Fault,
): Promise<void> {
  const store = await openModel(world, 5)
  if (result instanceof Error) {
    expect(result).toBeInstanceOf(LakeError)
    expect(errnoOf(result) ?? errnoOf(result.cause)).toBe(fault.errno)
    for (const v of (await recordVersions(store)).filter((other) => other > version)) {
      const { operation } = (await readRecord(store, v))!
      // Of several records of one operation the first ones may stand; none of them is a write.
      expect(['ADOPT', 'VACUUM', 'THAW'], `record ${String(v)}`).toContain(operation)
    }
    return
  }
  const outcome = result as Partial<LakeOutcome> | undefined
  if (outcome?.kind !== 'committed' || outcome.version === undefined) return
  const record = await readRecord(store, outcome.version)
  expect(record?.txnId).toBe(outcome.txnId)
}

async function checkLeftOvers({ disk }: ModelWorld): Promise<void> {
  const paths = disk.paths()
  expect(paths.filter((path) => path.endsWith('.tmp') || path.includes('/leases/'))).toEqual([])
  const named = await namedFiles(disk)
  const data = paths.filter((path) => path.endsWith('.parquet') && !path.includes('_delta_log'))
  expect(data.filter((path) => !named.has(path))).toEqual([])
}

/** Files that some version names, also one that the lake has not adopted. */
async function namedFiles(disk: MemoryDisk): Promise<Set<string>> {
  const named = new Set<string>()
  const files = disk.files()
  for (const path of disk.paths().filter((p) => p.includes('_delta_log') && p.endsWith('.json'))) {
    const table = path.slice(0, path.indexOf('/_delta_log'))
    const content = new TextDecoder().decode(await files.read(path))
    for (const line of content.trim().split('\n')) {
      const { add } = JSON.parse(line) as { add?: { path: string } }
      if (add) named.add(`${table}/${decodeURIComponent(add.path)}`)
    }
  }
  // A record may lay its actions over a frozen table for ever.
  for (const path of disk.paths().filter((p) => /_lake\/\d+\.json$/.test(p))) {
    const record = JSON.parse(new TextDecoder().decode(await files.read(path))) as LakeRecord
    for (const { table, actions = [] } of record.commits ?? [])
      for (const action of actions as { add?: { path: string } }[])
        if (action.add) named.add(`/lake/${record.tables[table]!.path}/${action.add.path}`)
  }
  return named
}

describe('8, 62, 63: each I/O call fails', () => {
  test.each(Object.entries(OPERATIONS))('%s', async (name, operation) => {
    const base = await modelWorld(seeded(1))
    await operation.prepare?.(base, await openModel(base, 1))
    let runs = 0
    for (let at = 1, more = true; more && at < CALLS_MAX; at++) {
      more = false
      for (const [i, errno] of ERRNOS.entries()) {
        if (!ALL && i !== at % ERRNOS.length) continue
        for (const persistent of [false, true]) {
          if (!ALL && persistent !== (at % 3 === 0)) continue
          const hit = await runWithFault(name, operation, base, { at, errno, persistent })
          more ||= hit
          if (hit) runs++
        }
      }
    }
    expect(runs).toBeGreaterThan(3)
    if (ALL) process.stdout.write(`${name}: ${String(runs)} runs\n`)
  })
})
