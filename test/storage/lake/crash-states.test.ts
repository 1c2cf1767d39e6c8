/**
 * Power cuts in every state: each operation is cut before each of its I/O calls, and of what was not synced by then
 * every combination may have reached the disk. The real code opens what is left: what was acknowledged is there, every
 * kept version shows whole files, the logs hold, and the same operation then succeeds.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../src/model/errors.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import { writeCheckpoint } from '../../../src/storage/delta/checkpoint-write.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { commitLake } from '../../../src/storage/lake/commit.ts'
import { examineLake } from '../../../src/storage/lake/doctor.ts'
import { initLake } from '../../../src/storage/lake/init.ts'
import { readRecord } from '../../../src/storage/lake/lake-log.ts'
import { takeLease } from '../../../src/storage/lake/lease.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import { stageRestore } from '../../../src/storage/lake/restore.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { openStore, refreshHead } from '../../../src/storage/lake/store.ts'
import type { Store } from '../../../src/storage/lake/store.ts'
import type { Transaction } from '../../../src/storage/lake/transaction.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { tableViews } from '../../../src/storage/lake/view.ts'
import { crashStates, engineOver, runUntil } from '../../support/crash-states.ts'
import { useEngine } from '../../support/engine.ts'
import type { Gate } from '../../support/memory-files.ts'
import { MemoryDisk, failure } from '../../support/memory-files.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import {
  ROOT,
  TABLES,
  commit,
  foreignCommit,
  modelData,
  modelWorld,
  openModel,
  upsertKey,
} from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

/** States a cut; `npm run torture:crash` looks at all of up to 4,096. */
const LIMIT = Number(process.env['MARKETLAKE_CRASH_STATES'] ?? 16)
const CUTS_MAX = 400
const RETENTION = { versionsMs: 1, filesMs: 1, stagedMs: 1000 }
const { database } = useEngine()

interface Operation {
  /** What the lake holds before; done and acknowledged. */
  readonly prepare?: (world: ModelWorld, store: Store) => Promise<unknown>
  readonly run: (world: ModelWorld, store: Store, gate?: Gate) => Promise<unknown>
  /** It must not succeed twice. */
  readonly once?: true
}

const write = (store: Store, callback: (tx: Transaction) => Promise<void>): Promise<unknown> =>
  commit(store, callback)

const upsert =
  (table: string, key: number) =>
  (world: ModelWorld, store: Store): Promise<unknown> =>
    write(store, async (tx) => {
      await tx.apply(table, { mode: 'upsert', stage: upsertKey(world.content, key) })
    })

/** Many files, and many of them superseded. */
async function history(world: ModelWorld, store: Store): Promise<void> {
  for (let i = 0; i < 6; i++) await upsert(TABLES[i % 2]!, i)(world, store)
  world.disk.nowMs += 1_000_000
}

/** Through the staging code of the package, with an engine whose COPY syncs nothing. */
function real(
  world: ModelWorld,
  store: Store,
  gate: Gate | undefined,
  callback: (tx: Transaction) => Promise<void>,
): Promise<unknown> {
  const engine = engineOver(database(), world.disk, gate)
  return commitLake(store, () => Promise.resolve(engine), callback)
}

const events = {
  name: 'events',
  schema: schemaOf([field('symbol', 'string'), field('n', 'long')]),
  layout: 'per-symbol' as const,
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  upsert: { run: upsert('A', 1) },
  'commit over two tables': {
    run: (world, store) =>
      write(store, async (tx) => {
        for (const table of TABLES)
          await tx.apply(table, { mode: 'upsert', stage: upsertKey(world.content, 1) })
      }),
  },
  'append by the real engine, a new directory a symbol': {
    prepare: (_world, store) => write(store, (tx) => tx.ensure(events).then(() => undefined)),
    run: (world, store, gate) =>
      real(world, store, gate, async (tx) => {
        await tx.append('events', [{ symbol: '600519.SH', n: 1 }])
      }),
  },
  'a new table': {
    run: (world, store, gate) =>
      real(world, store, gate, async (tx) => {
        await tx.ensure({
          name: 'made',
          schema: schemaOf([field('n', 'long')]),
          path: 'warehouse/x/made',
        })
        await tx.append('made', [{ n: 1 }])
      }),
  },
  'actions in a file of their own': {
    run: (world, store) =>
      write(store, async (tx) => {
        await tx.apply('A', {
          mode: 'upsert',
          stage: async (context) => {
            const staged = await upsertKey(world.content, 5)(context)
            const adds = staged.adds.map((add) => ({ ...add, tags: { long: 'x'.repeat(300_000) } }))
            return { ...staged, adds }
          },
        })
      }),
  },
  checkpoint: {
    prepare: history,
    run: async (world, store, gate) => {
      const [view] = await tableViews(store, await refreshHead(store))
      const { files, effects } = store
      await engineOver(database(), world.disk, gate).using((session) =>
        writeCheckpoint({ files, effects, session, directory: view!.directory }, view!.snapshot),
      )
    },
  },
  optimize: {
    prepare: history,
    run: (world, store) =>
      write(store, async (tx) => {
        await tx.apply('A', { mode: 'optimize', stage: foldAll(world) })
      }),
  },
  vacuum: {
    prepare: history,
    run: (_world, store) => vacuumLake({ ...store, retention: RETENTION }, { apply: true }),
  },
  restore: {
    prepare: history,
    run: async (_world, store) => {
      const target = (await readRecord(store, 2))!
      return write(store, (tx) => stageRestore(store, tx, target))
    },
  },
  tag: {
    run: (_world, store) =>
      write(store, async (tx) => {
        const { version, txnId } = tx.base
        tx.change = { tags: { mark: { version, txnId } } }
      }),
  },
  drop: { run: (_world, store) => write(store, (tx) => tx.drop('B')), once: true },
  'new columns': {
    run: (_world, store) => write(store, (tx) => tx.widen('A', [field('more', 'double')])),
  },
  lease: {
    run: async (_world, store) => (await takeLease(store, await refreshHead(store)))?.close(),
  },
  'adoption of a foreign commit': {
    prepare: async (world) => {
      const files = world.disk.files()
      await foreignCommit(world, files, 7, 'A', 4)
      // Before that it is the other engine's to lose.
      for (const path of ['warehouse/A', 'warehouse/A/_delta_log'])
        await files.sync(join(ROOT, path))
    },
    run: (_world, store) => settle(store, TABLES),
  },
  thaw: {
    prepare: freeze,
    run: (_world, store) => examineLake(store, { deep: false, fix: true }),
  },
}

/** A foreign commit that changes the partition columns takes the Delta version of a record of ours. */
async function freeze(world: ModelWorld): Promise<void> {
  const plain = await openModel(world, 30)
  const cut: Files = {
    ...plain.files,
    link: (from, to) =>
      to.includes('A/_delta_log')
        ? Promise.reject(failure('EIO', 'link', to))
        : plain.files.link(from, to),
  }
  await upsert('A', 4)(world, { ...plain, files: cut })
  await foreignCommit(world, world.disk.files(), 31, 'A', 9, { metadata: true })
  await settle(await openModel(world, 32), TABLES)
}

function foldAll(world: ModelWorld): ReturnType<typeof upsertKey> {
  return async (context) => {
    const live = [...context.snapshot.files.values()].map((file) => file.path)
    const staged = await upsertKey(
      world.content,
      1,
    )({
      ...context,
      snapshot: { ...context.snapshot, files: new Map() },
    })
    const [add] = staged.adds
    world.content.keys.set(
      add!.path,
      live.flatMap((path) => world.content.keys.get(path)!),
    )
    world.content.rows.set(
      add!.path,
      live.flatMap((path) => world.content.rows.get(path)!),
    )
    const removes = live.map((path) => ({ path, deletionTimestamp: 1, dataChange: false }))
    return {
      adds: staged.adds.map((a) => ({ ...a, dataChange: false })),
      removes,
      counts: staged.counts,
    }
  }
}

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
  for (let cut = 1, more = true; more && cut < CUTS_MAX; cut++) {
    const world = onDisk(base, base.disk.clone())
    more = await runUntil(cut, async (gate) => {
      const store = await openModel(world, 3, gate, wrap ? { files: wrap } : {})
      await operation.run(world, store, gate)
    })
    totals.cuts++
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

/** What was acknowledged is there, and every kept version shows whole files. */
async function checkLake(store: Store, acknowledged: LakeRecord): Promise<void> {
  const head = await refreshHead(store)
  expect(head.version).toBeGreaterThanOrEqual(acknowledged.version)
  const then = (await readRecord(store, acknowledged.version))!
  expect(then.txnId).toBe(acknowledged.txnId)
  for (let version = Math.max(1, head.horizon); version <= head.version; version++) {
    for (const view of await tableViews(store, (await readRecord(store, version))!)) {
      for (const file of view.snapshot.files.values()) {
        const stat = await store.files.stat(join(view.directory, decodeURIComponent(file.path)))
        expect(stat?.sizeBytes, `${view.name} ${file.path} at ${String(version)}`).toBe(file.size)
      }
    }
  }
}

describe('after a power cut', () => {
  test.each(Object.keys(OPERATIONS))('%s', async (name) => {
    const { states, cuts } = await cutEverywhere(name)
    expect(states).toBeGreaterThanOrEqual(cuts)
    if (LIMIT > 16)
      process.stdout.write(`${name}: ${String(cuts)} cuts, ${String(states)} states\n`)
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
    for (let cut = 1, more = true; more; cut++) {
      const world = onDisk(base, base.disk.clone())
      more = await runUntil(cut, async (gate) => {
        await operation.run(world, await openModel(world, 3, gate), gate)
      })
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
