/** Every operation of a lake over a disk in memory, and what must hold whatever happened to it. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { finishedUnits, startJournal } from '../../src/ingestion/journal.ts'
import { backupLake } from '../../src/lake/backup.ts'
import { cutoverChange } from '../../src/migration/switch.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { writeCheckpoint } from '../../src/storage/delta/checkpoint-write.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { commitLake } from '../../src/storage/lake/commit.ts'
import { examineLake } from '../../src/storage/lake/doctor.ts'
import { readRecord } from '../../src/storage/lake/lake-log.ts'
import { takeLease } from '../../src/storage/lake/lease.ts'
import type { LakeRecord, Settings } from '../../src/storage/lake/record.ts'
import {
  beginMigration,
  migrationOf,
  withMigration,
} from '../../src/storage/lake/migration-state.ts'
import { stageRestore } from '../../src/storage/lake/restore.ts'
import { settle } from '../../src/storage/lake/settle.ts'
import { openStore, refreshHead } from '../../src/storage/lake/store.ts'
import type { Store } from '../../src/storage/lake/store.ts'
import type { Transaction } from '../../src/storage/lake/transaction.ts'
import { vacuumLake } from '../../src/storage/lake/vacuum.ts'
import { verifyLake } from '../../src/storage/lake/verify.ts'
import { tableViews } from '../../src/storage/lake/view.ts'
import type { Database } from '../../src/storage/parquet/database.ts'
import { engineOver } from './crash-states.ts'
import { failure } from './memory-files.ts'
import type { Gate, MemoryDisk } from './memory-files.ts'
import type { ModelWorld } from './model-lake.ts'
import { ROOT, TABLES, commit, foreignCommit, openModel, upsertKey } from './model-lake.ts'

/** Keeps nothing that need not be kept. */
export const RETENTION = { versionsMs: 1, filesMs: 1, stagedMs: 1000 }

export interface Operation {
  /** What the lake holds before; done and acknowledged. */
  readonly prepare?: (world: ModelWorld, store: Store) => Promise<unknown>
  readonly run: (world: ModelWorld, store: Store, gate?: Gate) => Promise<unknown>
  /** It must not succeed twice. */
  readonly once?: true
}

const write = (store: Store, callback: (tx: Transaction) => Promise<void>): Promise<unknown> =>
  commit(store, callback)

export const upsert =
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
  database: Database,
  world: ModelWorld,
  store: Store,
  gate: Gate | undefined,
  callback: (tx: Transaction) => Promise<void>,
): Promise<unknown> {
  const engine = engineOver(database, world.disk, gate)
  return commitLake(store, () => Promise.resolve(engine), callback)
}

const events = {
  name: 'events',
  schema: schemaOf([field('symbol', 'string'), field('n', 'long')]),
  layout: 'per-symbol' as const,
}

/**
 * The public operations of a lake, but for those that only read or that DuckDB does alone: those are for
 * `torture/faults.mjs`. `database` gives an engine for those that need one.
 */
export const operations = (database: () => Database): Readonly<Record<string, Operation>> => ({
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
      real(database(), world, store, gate, async (tx) => {
        await tx.append('events', [{ symbol: '600519.SH', n: 1 }])
      }),
  },
  'a new table': {
    run: (world, store, gate) =>
      real(database(), world, store, gate, async (tx) => {
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
  'cut-over': {
    prepare: (_world, store) =>
      write(store, async (tx) => void (tx.change = { settings: dualWriting })),
    run: (_world, store) =>
      write(store, async (tx) => {
        if (migrationOf(tx.base)?.phase !== 'cut-over') tx.change = cutoverChange(tx.base, 0)
      }),
  },
  'roll-back of a cut-over': {
    prepare: async (world, store) => {
      await write(store, async (tx) => void (tx.change = { settings: dualWriting }))
      await write(store, async (tx) => void (tx.change = cutoverChange(tx.base, 0)))
      await upsert('A', 2)(world, store)
    },
    run: (_world, store) =>
      write(store, async (tx) => {
        const { version, txnId } = tx.base
        if (migrationOf(tx.base)?.phase !== 'cut-over') return
        tx.change = {
          tags: { [`before-rollback-${version}`]: { version, txnId } },
          settings: ({ settings }) => ({
            readSource: 'duckdb',
            ...withMigration(settings, { phase: 'dual-write' }),
          }),
        }
      }),
  },
  'a tag deleted': {
    prepare: (_world, store) =>
      write(store, async (tx) => {
        const { version, txnId } = tx.base
        tx.change = { tags: { mark: { version, txnId } } }
      }),
    run: (_world, store) =>
      write(store, async (tx) => void (tx.change = { tags: { mark: undefined } })),
  },
  backup: {
    prepare: upsert('A', 1),
    // A copy goes into an empty directory, so one that was made is not made again.
    run: async ({ disk }, store) => {
      const target = `/copy ${String(await copiesOf(disk))}`
      const made = await backupLake(store, target)
      const copy = await openStore({ ...store, root: target, files: disk.files() })
      expect(copy.head.version).toBe(made.version)
      expect(await verifyLake(copy, copy.head, { deep: false })).toEqual([])
    },
  },
  'journal of a sync': {
    run: async (_world, store) => {
      const journal = await startJournal(store, 'made')
      await journal.write({ type: 'end', outcome: 'complete', timeMs: 1 })
      await finishedUnits(store, 'made')
    },
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
})

/** The state before a cut-over: both sides are written and were found equal. */
function dualWriting(head: LakeRecord): Partial<Settings> {
  const verified = {
    lakeVersion: head.version,
    timestamp: 0,
    equal: true,
    mark: { sizeBytes: 0, modifiedMs: 0, walBytes: 0 },
    versions: { A: `${head.tables['A']!.path}@${head.tables['A']!.version}` },
    differing: {},
  }
  const tables = [{ old: 'a', table: 'A', key: ['key'], columns: ['key'] }]
  const begun = beginMigration(head.settings, { old: '/old.duckdb', tables })
  return {
    ...begun,
    ...withMigration({ ...head.settings, ...begun }, { phase: 'dual-write', verified }),
  }
}

/** Copies that are complete or were begun. */
async function copiesOf(disk: MemoryDisk): Promise<number> {
  const names = await disk.files().list('/')
  return names.filter((name) => name.startsWith('copy ')).length
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

export function foldAll(world: ModelWorld): ReturnType<typeof upsertKey> {
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

/** What was acknowledged is there, and every kept version shows whole files. */
export async function checkLake(store: Store, acknowledged: LakeRecord): Promise<void> {
  const head = await refreshHead(store)
  expect(head.version).toBeGreaterThanOrEqual(acknowledged.version)
  const then = (await readRecord(store, acknowledged.version))!
  expect(then.txnId).toBe(acknowledged.txnId)
  checkMigration(head)
  checkMigration(then)
  const whole = new Set<string>()
  for (let version = Math.max(1, head.horizon); version <= head.version; version++) {
    for (const view of await tableViews(store, (await readRecord(store, version))!)) {
      for (const file of view.snapshot.files.values()) {
        const path = join(view.directory, decodeURIComponent(file.path))
        const seen = `${String(file.size)} ${path}`
        if (whole.has(seen)) continue
        const sizeBytes = (await store.files.stat(path))?.sizeBytes
        // `expect` takes longer than the stat, and tens of thousands of files are looked at.
        if (sizeBytes === file.size) whole.add(seen)
        else
          expect.fail(`${view.name} ${file.path} at ${String(version)}: ${String(sizeBytes)} bytes`)
      }
    }
  }
}

/** The read source and the end of old writes are one change, with the tag that leads back. */
function checkMigration(record: LakeRecord): void {
  const migration = migrationOf(record)
  if (!migration) return
  const cut = migration.phase === 'cut-over'
  expect(record.settings.readSource).toBe(cut ? 'lake' : 'duckdb')
  const tagged = Object.keys(record.tags).some((tag) => tag.startsWith('before-cutover'))
  expect(tagged).toBe(migration.cutover !== undefined)
}
