/**
 * What is kept stays whole: after any interleaving of commits, foreign commits, drops of files, tags, leases,
 * checkpoints, clocks and vacuums, every version from the horizon on, every tag and every leased version still shows
 * what it showed first, and every file of it is there.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LakeError } from '../../../src/model/errors.ts'
import { cleanLog } from '../../../src/storage/delta/cleanup.ts'
import { loadSnapshot } from '../../../src/storage/delta/load.ts'
import { versionDigits } from '../../../src/storage/delta/names.ts'
import type { Snapshot } from '../../../src/storage/delta/replay.ts'
import { noRows, removeOf } from '../../../src/storage/delta/stage.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { readRecord } from '../../../src/storage/lake/lake-log.ts'
import type { Lease } from '../../../src/storage/lake/lease.ts'
import { takeLease } from '../../../src/storage/lake/lease.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import type { Store } from '../../../src/storage/lake/store.ts'
import { openableRecord, refreshHead } from '../../../src/storage/lake/store.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { tableView } from '../../../src/storage/lake/view.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import {
  ROOT,
  TABLES,
  commit,
  foreignCommit,
  modelWorld,
  openModel,
  upsertKey,
} from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

const RUNS = Number(globalThis.process.env['MARKETLAKE_SEEDS'] ?? 40)
const RETENTION = { versionsMs: 3000, filesMs: 2000, stagedMs: 1500 }

type Operation =
  | { readonly kind: 'upsert'; readonly process: number; readonly key: number }
  | { readonly kind: 'both'; readonly process: number; readonly key: number }
  | { readonly kind: 'delete'; readonly process: number; readonly table: number }
  | { readonly kind: 'foreign'; readonly table: number; readonly key: number }
  | { readonly kind: 'tag'; readonly name: number; readonly back: number }
  | { readonly kind: 'untag'; readonly name: number }
  | { readonly kind: 'lease'; readonly back: number }
  | { readonly kind: 'unlease' }
  | { readonly kind: 'checkpoint'; readonly table: number }
  | { readonly kind: 'clock'; readonly ms: number }
  | { readonly kind: 'vacuum'; readonly process: number; readonly lite: boolean }

const process = fc.integer({ min: 1, max: 3 })
const table = fc.integer({ min: 0, max: 1 })
const key = fc.integer({ min: 0, max: 5 })
const back = fc.integer({ min: 0, max: 6 })
const name = fc.integer({ min: 0, max: 2 })
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('upsert' as const), process, key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('both' as const), process, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), process, table }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('foreign' as const), table, key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tag' as const), name, back }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('untag' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lease' as const), back }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unlease' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const), table }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      ms: fc.integer({ min: 500, max: 6000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('vacuum' as const), process, lite: fc.boolean() }),
  },
)
/** Rounds; what stands in one runs at the same time. */
const history = fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), {
  minLength: 3,
  maxLength: 14,
})

interface Run {
  readonly world: ModelWorld
  readonly stores: readonly Store[]
  readonly leases: { readonly lease: Lease; readonly version: number }[]
  /** What each version showed first. */
  readonly shown: Map<number, string>
  vacuums: number
  stubs: number
}

async function start(seed: number, wrap: (files: Files) => Files = (files) => files): Promise<Run> {
  const chance = seeded(seed)
  const world = await modelWorld(chance)
  // So many turns of the others between two calls of one.
  const gate = async (): Promise<void> => {
    for (let i = Math.floor(chance() * 6); i > 0; i--) await Promise.resolve()
  }
  const stores: Store[] = []
  for (const process of [1, 2, 3]) {
    const store = await openModel(world, process, gate, { files: wrap })
    stores.push({ ...store, retention: RETENTION })
  }
  return { world, stores, leases: [], shown: new Map(), vacuums: 0, stubs: 0 }
}

async function act(run: Run, one: Operation): Promise<void> {
  const { world, stores } = run
  const store = stores['process' in one ? one.process - 1 : 0]!
  switch (one.kind) {
    case 'upsert':
    case 'both': {
      const names = one.kind === 'both' ? TABLES : [TABLES[one.key % 2]!]
      await commit(store, async (tx) => {
        for (const table of names)
          await tx.apply(table, { mode: 'upsert', stage: upsertKey(world.content, one.key) })
      })
      return
    }
    case 'delete':
      await commit(store, async (tx) => {
        await tx.apply(TABLES[one.table]!, { mode: 'replace', stage: deleteOldest })
      })
      return
    case 'foreign':
      await foreignCommit(world, world.disk.files(), 700, TABLES[one.table]!, one.key)
      await settle(store, TABLES)
      return
    case 'tag': {
      const head = await refreshHead(store)
      const { version, txnId } = await openableRecord(store, Math.max(0, head.version - one.back))
      await commit(store, async (tx) => {
        tx.change = { tags: { [`t${one.name}`]: { version, txnId } } }
      })
      return
    }
    case 'untag':
      await commit(store, async (tx) => {
        tx.change = { tags: { [`t${one.name}`]: undefined } }
      })
      return
    case 'lease': {
      const head = await refreshHead(store)
      const record = await openableRecord(store, Math.max(0, head.version - one.back))
      const lease = await takeLease(store, record)
      if (lease) run.leases.push({ lease, version: record.version })
      return
    }
    case 'unlease':
      await run.leases.pop()?.lease.close()
      return
    case 'checkpoint':
      await writeJsonCheckpoint(store, TABLES[one.table]!)
      return
    case 'clock':
      world.disk.nowMs += one.ms
      return
    case 'vacuum':
      await vacuumLake(store, { apply: true, lite: one.lite })
      run.vacuums++
  }
}

const deleteOldest: ReturnType<typeof upsertKey> = (context) => {
  const [oldest] = [...context.snapshot.files.values()]
  const removes = oldest ? [removeOf(oldest, context.effects.now())] : []
  return Promise.resolve({ adds: [], removes, counts: noRows })
}

/** The checkpoint that an engine would write, as JSON: no engine is needed to read it. */
async function writeJsonCheckpoint(store: Store, table: string): Promise<void> {
  const directory = join(ROOT, 'warehouse', table)
  const snapshot = (await loadSnapshot(store.files, directory))!
  const lines = actionsOf(snapshot).map((action) => `${JSON.stringify(action)}\n`)
  const name = `${versionDigits(snapshot.version)}.checkpoint.${store.effects.uuid()}.json`
  await store.files.create(
    join(directory, '_delta_log', name),
    new TextEncoder().encode(lines.join('')),
  )
}

function actionsOf({ protocol, metadata, txns, tombstones, files }: Snapshot): object[] {
  return [
    { protocol },
    { metaData: metadata },
    ...[...txns.values()].map((txn) => ({ txn })),
    ...[...tombstones.values()].map((remove) => ({ remove })),
    ...[...files.values()].map((add) => ({ add })),
  ]
}

/** Versions that nobody may have lost. */
function keptVersions(run: Run, head: LakeRecord): number[] {
  const kept = new Set<number>()
  for (let version = head.horizon; version <= head.version; version++) kept.add(version)
  for (const tag of Object.values(head.tags)) kept.add(tag.version)
  for (const { version } of run.leases) kept.add(version)
  return [...kept].toSorted((a, b) => a - b)
}

async function check(run: Run): Promise<void> {
  const reader = await openModel(run.world, 800)
  const head = await refreshHead(reader)
  for (const version of keptVersions(run, head)) {
    const record = (await readRecord(reader, version))!
    expect([version, record.stub]).toEqual([version, undefined])
    const shows: string[] = []
    for (const table of Object.keys(record.tables).toSorted()) {
      const { snapshot, directory } = await tableView(reader, record, table)
      for (const { path } of snapshot.files.values()) {
        const there = await reader.files.stat(join(directory, path))
        if (!there)
          throw new Error(
            `version ${version} (head ${head.version}, horizon ${head.horizon}) lost ${table}/${path}`,
          )
        shows.push(`${table}/${path}`)
      }
    }
    const text = shows.toSorted().join(' ')
    expect([version, text]).toEqual([version, run.shown.get(version) ?? text])
    run.shown.set(version, text)
  }
  for (let version = 0; version < head.horizon; version++)
    if ((await readRecord(reader, version))?.stub) run.stubs++
}

/** Refusals are part of the protocol; anything else is not. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof LakeError &&
    ['VERSION_VACUUMED', 'TABLE_FROZEN', 'VERSION_NOT_FOUND'].includes(error.code)
  )
}

async function play(run: Run, rounds: readonly (readonly Operation[])[]): Promise<void> {
  try {
    for (const round of rounds) {
      const ended = await Promise.allSettled(round.map((one) => act(run, one)))
      for (const one of ended)
        if (one.status === 'rejected' && !isRefusal(one.reason)) throw one.reason
      await check(run)
    }
  } finally {
    for (const { lease } of run.leases) await lease.close()
  }
}

test('every kept version shows for ever what it showed first', async () => {
  const total = { vacuums: 0, stubs: 0 }
  await fc.assert(
    fc.asyncProperty(history, fc.integer(), async (rounds, seed) => {
      const run = await start(seed)
      await play(run, rounds)
      total.vacuums += run.vacuums
      total.stubs += run.stubs
    }),
    { numRuns: RUNS },
  )
  // Or it would prove nothing.
  expect(total.vacuums).toBeGreaterThan(RUNS / 4)
  expect(total.stubs).toBeGreaterThan(0)
})

/** A vacuum that forgets a rule must be found. */
test.each<[string, (files: Files) => Files]>([
  [
    'leases',
    (files) => ({
      ...files,
      list: async (path) => (path.endsWith('leases') ? [] : files.list(path)),
    }),
  ],
])('a vacuum that does not see %s is found', async (_name, wrap) => {
  const found = await fc.check(
    fc.asyncProperty(history, fc.integer(), async (rounds, seed) =>
      play(await start(seed, wrap), rounds),
    ),
    { numRuns: 400, endOnFailure: true },
  )
  expect(found.failed).toBe(true)
})

test('cleanup leaves every version from the oldest kept one on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 10 }),
      fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 4 }),
      fc.integer({ min: 0, max: 11 }),
      async (keys, checkpoints, oldest) => {
        const { world, stores } = await start(1)
        const [store] = stores as [Store]
        const directory = join(ROOT, 'warehouse', 'A')
        for (const [i, key] of keys.entries()) {
          if (checkpoints.includes(i)) await writeJsonCheckpoint(store, 'A')
          await commit(store, async (tx) => {
            await tx.apply('A', { mode: 'upsert', stage: upsertKey(world.content, key) })
          })
        }
        const head = (await loadSnapshot(store.files, directory))!.version
        const from = Math.min(oldest, head)
        const shown = async (): Promise<string[]> => {
          const all: string[] = []
          for (let v = from; v <= head; v++)
            all.push([...(await loadSnapshot(store.files, directory, v))!.files.keys()].join())
          return all
        }
        const before = await shown()
        await cleanLog(store.files, directory, from)
        expect(await shown()).toEqual(before)
      },
    ),
    { numRuns: 40 },
  )
})
