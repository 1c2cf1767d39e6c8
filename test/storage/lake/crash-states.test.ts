/**
 * Power cuts in every state: each operation is cut before each of its I/O calls, and of what was not synced by then
 * every combination may have reached the disk. The real code opens what is left: what was acknowledged is there, every
 * kept version shows whole files, the logs hold, and the same operation then succeeds.
 */
import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../src/model/errors.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { initLake } from '../../../src/storage/lake/init.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { openStore, refreshHead } from '../../../src/storage/lake/store.ts'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { crashStates, runUntil } from '../../support/crash-states.ts'
import { useEngine } from '../../support/engine.ts'
import { RETENTION, checkLake, operations, upsert } from '../../support/lake-operations.ts'
import type { Operation } from '../../support/lake-operations.ts'
import { MemoryDisk } from '../../support/memory-files.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import { modelData, modelWorld, openModel } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

/** States a cut; `npm run torture:crash` looks at all of up to 256. */
const LIMIT = Number(process.env['MARKETLAKE_CRASH_STATES'] ?? 3)
const CUTS_MAX = 400
const { database } = useEngine()
const OPERATIONS = operations(database)

/** The same world on another disk. */
function onDisk(world: ModelWorld, disk: MemoryDisk): ModelWorld {
  return { ...world, disk }
}

interface Totals {
  cuts: number
  states: number
}

/** Cuts an operation everywhere and looks at what may be left. */
async function cutEverywhere(name: string, wrap?: (files: Files) => Files): Promise<Totals> {
  const operation = OPERATIONS[name]!
  const base = await modelWorld(seeded(1))
  await operation.prepare?.(base, await openModel(base, 1))
  const acknowledged = await refreshHead(await openModel(base, 2))
  const totals = { cuts: 0, states: 0 }
  let changes = -1
  for (let cut = 1, more = true; more && cut < CUTS_MAX; cut++) {
    totals.cuts++
    const world = onDisk(base, base.disk.clone())
    more = await runUntil(cut, async (gate) => {
      const store = await openModel(world, 3, gate, wrap ? { files: wrap } : {})
      await operation.run(world, store, gate)
    })
    // A disk that no call has changed was looked at; only the end brings something new to hold it against.
    if (more && world.disk.changes === changes) continue
    changes = world.disk.changes
    const done = more ? acknowledged : await refreshHead(await openModel(world, 4))
    for (const disk of crashStates(world.disk, { limit: LIMIT, chance: seeded(cut) })) {
      totals.states++
      await checkState(onDisk(world, disk), done, `${name}, cut ${String(cut)}`, operation)
    }
  }
  return totals
}

async function checkState(
  world: ModelWorld,
  acknowledged: LakeRecord,
  where: string,
  operation: Operation,
): Promise<void> {
  try {
    const store = await openModel(world, 5)
    await checkLake(store, acknowledged)
    await operation.run(world, store).catch((error: unknown) => {
      if (!operation.once || !hasCode(error, 'TABLE_NOT_FOUND')) throw error
    })
    await upsert('A', 2)(world, store)
    await settle(store, Object.keys(store.head.tables))
    await checkLake(await openModel(world, 6), acknowledged)
    const problems = await verifyLake(store, store.head, { deep: false })
    expect(problems).toEqual([])
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
  }
}

describe('after a power cut', () => {
  test.each(Object.keys(OPERATIONS))('%s', async (name) => {
    const { states, cuts } = await cutEverywhere(name)
    expect(states).toBeGreaterThan(1)
    if (LIMIT > 4) process.stdout.write(`${name}: ${String(cuts)} cuts, ${String(states)} states\n`)
  })

  test('init: there is no lake, or a whole one', async () => {
    for (let cut = 1, more = true; more; cut++) {
      const disk = new MemoryDisk()
      await disk.files().makeDirectory('/home')
      await disk.files().sync('/')
      const { effects, content } = await modelWorld(seeded(2))
      const at = (files: Files) => ({ files, effects: effects(1), root: '/home/lake' })
      more = await runUntil(cut, (gate) => initLake(at(disk.files(gate))))
      for (const state of crashStates(disk, { limit: LIMIT, chance: seeded(cut) })) {
        const context = at(state.files())
        const made = await initLake(context).then(
          () => true,
          (error: unknown) => hasCode(error, 'LAKE_EXISTS'),
        )
        expect(made, `cut ${String(cut)}`).toBe(true)
        await openStore({ ...context, data: modelData(content), retention: RETENTION })
      }
    }
  })
})

/** A process is killed, another one goes on and is acknowledged, and then the power is cut: seen is not durable. */
describe('after a kill, an acknowledged commit, and a power cut', () => {
  const names = [
    'upsert',
    'commit over two tables',
    'a new table',
    'append by the real engine, a new directory a symbol',
  ]
  test.each(names)('%s', async (name) => {
    const operation = OPERATIONS[name]!
    const base = await modelWorld(seeded(1))
    await operation.prepare?.(base, await openModel(base, 1))
    let changes = -1
    for (let cut = 1, more = true; more; cut++) {
      const world = onDisk(base, base.disk.clone())
      more = await runUntil(cut, async (gate) => {
        await operation.run(world, await openModel(world, 3, gate), gate)
      })
      if (more && world.disk.changes === changes) continue
      changes = world.disk.changes
      const other = await openModel(world, 4)
      await operation.run(world, other)
      await upsert('B', 3)(world, other)
      for (const disk of crashStates(world.disk, { limit: LIMIT, chance: seeded(cut) }))
        await checkState(
          onDisk(world, disk),
          other.head,
          `${name}, killed at ${String(cut)}`,
          operation,
        )
    }
  })
})

const skipping =
  (part: string) =>
  (files: Files): Files => ({
    ...files,
    sync: (path) => (path.endsWith(part) ? Promise.resolve() : files.sync(path)),
  })

/** Without the sync of contents a name may stand for nothing. */
const unsealed = (files: Files): Files => ({
  ...files,
  seal: (path) => sealWithoutSync(files, path),
})

async function sealWithoutSync(files: Files, path: string): ReturnType<Files['seal']> {
  const content = (await files.read(path))!
  const sha256 = await files.hash(path)
  return { sizeBytes: content.length, sha256, head: content.slice(0, 4), tail: content.slice(-8) }
}

describe('a sync left out is found', () => {
  test.each([
    ['upsert', 'the lake log', skipping('_lake')],
    ['upsert', 'the data directory', skipping('warehouse/A')],
    ['append by the real engine, a new directory a symbol', 'the data file', unsealed],
    [
      'append by the real engine, a new directory a symbol',
      'the partition directory',
      skipping('symbol=600519.SH'),
    ],
    ['a new table', 'the parent of a table', skipping('warehouse/x')],
    ['actions in a file of their own', 'the directory of actions', skipping('_lake/actions')],
    ['checkpoint', 'the checkpoint', unsealed],
  ] as const)('%s: %s', async (name, _what, wrap) => {
    await expect(cutEverywhere(name, wrap)).rejects.toThrow('cut')
  })
})
