/**
 * Everything at once, one I/O call at a time: writers, restores, new columns, tables that come and go, tags, a compaction,
 * leased readers, a foreign writer that does not stop, a vacuum that keeps as little as it may, and kills. Held at all
 * times: whatever a kept, tagged or leased version shows is there, whole and unchanged. At the end the logs hold, and an
 * undisturbed writer commits.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../src/model/errors.ts'
import { field } from '../../../src/model/schema.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { readRecord } from '../../../src/storage/lake/lake-log.ts'
import { takeLease } from '../../../src/storage/lake/lease.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import { stageRestore } from '../../../src/storage/lake/restore.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { openableRecord, refreshHead } from '../../../src/storage/lake/store.ts'
import type { Store } from '../../../src/storage/lake/store.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { tableViews } from '../../../src/storage/lake/view.ts'
import { foldAll, upsert } from '../../support/lake-operations.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import { commit, foreignCommit, modelWorld, openModel } from '../../support/model-lake.ts'
import { Scheduler, seeded } from '../../support/scheduler.ts'

const SEEDS = Number(process.env['MARKETLAKE_SCHEDULES'] ?? 40)
const RETENTION = { versionsMs: 60, filesMs: 60, stagedMs: 200 }
/** What these operations may be told by others. */
const TOLD = [
  'VERSION_VACUUMED',
  'TABLE_FROZEN',
  'TABLE_NOT_FOUND',
  'WRITE_CONFLICT',
  'TABLE_EXISTS',
  'VERSION_NOT_FOUND',
] as const

interface Run {
  readonly world: ModelWorld
  readonly chance: () => number
  readonly leased: Set<number>
  readonly seen: Map<string, string>
}

type Work = (run: Run, store: Store, process: number) => Promise<unknown>

const pick = <T>(chance: () => number, list: readonly T[]): T =>
  list[Math.floor(chance() * list.length)]!

const WORKS: Readonly<Record<string, Work>> = {
  upserts: async ({ world, chance }, store) => {
    for (let i = 0; i < 4; i++)
      await upsert(pick(chance, ['A', 'B']), Math.floor(chance() * 6))(world, store)
  },
  optimize: ({ world }, store) =>
    commit(store, (tx) =>
      tx.apply('A', { mode: 'optimize', stage: foldAll(world) }).then(() => undefined),
    ),
  restore: async ({ chance }, store) => {
    const head = await refreshHead(store)
    const version = Math.max(1, head.version - Math.floor(chance() * 4))
    const target = await openableRecord(store, version)
    return commit(store, (tx) => stageRestore(store, tx, target))
  },
  columns: (_run, store, process) =>
    commit(store, (tx) => tx.widen('A', [field(`c${String(process)}`, 'double')])),
  'drop and create': async ({ world }, store) => {
    await commit(store, (tx) => tx.drop('B'))
    await upsert('A', 1)(world, store)
  },
  tag: async (_run, store) => {
    const head = await refreshHead(store)
    const { version, txnId } = head
    await commit(store, async (tx) => void (tx.change = { tags: { mark: { version, txnId } } }))
  },
  'leased reader': async (run, store) => {
    const record = await refreshHead(store)
    const lease = await takeLease(store, record)
    run.leased.add(record.version)
    for (let i = 0; i < 20; i++) await look(run, store, record)
    run.leased.delete(record.version)
    await lease?.close()
  },
  vacuum: async ({ world }, store) => {
    for (let i = 0; i < 3; i++) {
      world.disk.nowMs += 150
      await vacuumLake({ ...store, retention: RETENTION }, { apply: true })
    }
  },
  'a foreign writer that does not stop': async ({ world, chance }, store, process) => {
    for (let i = 0; i < 12; i++)
      await foreignCommit(world, store.files, process, 'A', Math.floor(chance() * 6), {
        dirty: chance() < 0.1,
      })
  },
}

/** What a version shows: every file is there, and it is what it was at the first look. */
async function look({ seen }: Run, store: Store, record: LakeRecord): Promise<void> {
  store.snapshots.clear()
  const files: string[] = []
  for (const view of await tableViews(store, record))
    for (const file of view.snapshot.files.values()) {
      const stat = await store.files.stat(join(view.directory, file.path))
      if (stat?.sizeBytes !== file.size)
        throw new Error(`${view.name} ${file.path} of version ${String(record.version)} is gone`)
      files.push(`${view.name} ${file.path}`)
    }
  const state = files.toSorted().join()
  const id = `${String(record.version)} ${record.txnId}`
  if (seen.has(id) && seen.get(id) !== state)
    throw new Error(`version ${String(record.version)} changed`)
  seen.set(id, state)
}

/** Kept by the horizon, by a tag, or by a lease whose reader is alive. */
async function lookAtAll(run: Run): Promise<void> {
  const store = await openModel(run.world, 800)
  const head = await refreshHead(store)
  const versions = new Set<number>([
    ...run.leased,
    ...Object.values(head.tags).map((tag) => tag.version),
  ])
  for (let version = Math.max(1, head.horizon); version <= head.version; version++)
    versions.add(version)
  for (const version of versions) await look(run, store, (await readRecord(store, version))!)
}

async function schedule(seed: number, wrap?: (work: string, files: Files) => Files): Promise<void> {
  const chance = seeded(seed)
  const world = await modelWorld(chance)
  const run: Run = { world, chance, leased: new Set(), seen: new Map() }
  const scheduler = new Scheduler()
  const names = [
    'vacuum',
    'leased reader',
    'upserts',
    'upserts',
    ...Array.from({ length: 3 }, () => pick(chance, Object.keys(WORKS))),
  ]
  const bodies = names.map((name) => async (process: number) => {
    const gate = (): Promise<void> => scheduler.turn(process)
    const files = wrap ? { files: (plain: Files) => wrap(name, plain) } : {}
    await WORKS[name]!(run, await openModel(world, process, gate, files), process).catch(
      (error: unknown) => {
        if (!TOLD.some((code) => hasCode(error, code))) throw error
      },
    )
  })
  await scheduler.run(bodies, {
    chance,
    killShare: 0.002,
    stepsMax: 6000,
    onStep: async () => {
      if (chance() < 0.01) await lookAtAll(run)
    },
  })
  run.leased.clear()
  await finish(run)
}

async function finish(run: Run): Promise<void> {
  const store = await openModel(run.world, 900)
  const head = await settle(store, Object.keys(store.head.tables))
  await upsert('A', 2)(run.world, store).catch((error: unknown) => {
    if (!hasCode(error, 'TABLE_FROZEN') && !hasCode(error, 'TABLE_NOT_FOUND')) throw error
  })
  await lookAtAll(run)
  const problems = (await verifyLake(store, head, { deep: false })).filter(
    (p) => !p.problem.startsWith('frozen'),
  )
  expect(problems).toEqual([])
}

async function firstBroken(
  seeds: number,
  wrap?: (work: string, files: Files) => Files,
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await schedule(seed, wrap)
    } catch (error) {
      return `seed ${String(seed)}: ${(error as Error).message}`
    }
  }
  return undefined
}

test('the laws hold', async () => {
  expect(await firstBroken(SEEDS)).toBeUndefined()
})

describe('a rule left out is found', () => {
  test('a vacuum that does not look at leases', async () => {
    const blind = (work: string, files: Files): Files => ({
      ...files,
      list: (path) =>
        work === 'vacuum' && path.endsWith('leases') ? Promise.resolve([]) : files.list(path),
    })
    expect(await firstBroken(400, blind)).toMatch(/is gone|changed/)
  })

  test('a writer that does not see how old its files are', async () => {
    const young = (work: string, files: Files): Files => ({
      ...files,
      stat: async (path) => {
        const stat = await files.stat(path)
        return stat && work !== 'vacuum' && path.endsWith('.parquet')
          ? { ...stat, modifiedMs: Number.MAX_SAFE_INTEGER }
          : stat
      },
    })
    expect(await firstBroken(400, young)).toContain('is gone')
  })
})
