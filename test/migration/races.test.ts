/** Steps of a migration beside other processes: what one has looked at, another changes before it is used. */
import { copyFileSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import { importDatabase } from '../../src/lake/import-database.ts'
import { openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import {
  beginDualWrite,
  cutOverToLake,
  rollBackToOldFile,
  statusOfMigration,
  verifyOldFile,
} from '../../src/lake/migration.ts'
import { attachOldFile } from '../../src/migration/old-file.ts'
import { cutoverChange, stopDualWrite } from '../../src/migration/switch.ts'
import { verifyMigration } from '../../src/migration/verify.ts'
import { writeToLake } from '../../src/migration/write-lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { migrationOf } from '../../src/storage/lake/migration-state.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import type { Session } from '../../src/storage/parquet/database.ts'
import { committed, rowsOf } from '../support/lake.ts'
import { barsAndLogs, inOldFile } from '../support/migration.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let lake: Lake
let old: string

beforeEach(async () => {
  ;({ lake, old } = await barsAndLogs())
})

/** The cut-over of another process, which nothing of this one keeps out. */
async function cutElsewhere(): Promise<void> {
  const change = cutoverChange(await lake.head(), Date.now(), { force: true })
  committed(await lake.write('cut', async (tx) => void (tx.change = change)))
}

/** Holds the old file in this process until it is released. */
async function hold(): Promise<{ session: Session; release: () => Promise<void> }> {
  const database = await Database.open({ threads: 1 })
  const session = await database.connect()
  const detach = await attachOldFile(session, old, { write: true })
  const release = async (): Promise<void> => {
    await detach()
    await database.close()
  }
  return { session, release }
}

/** The same thing, but before its first call of that name `work` is done, or right behind the first with that argument. */
function meanwhile<T extends object>(
  thing: T,
  name: keyof T,
  work: () => Promise<unknown>,
  behind?: string,
): T {
  let done = false
  return new Proxy(thing, {
    get: (target, key) => {
      const value = Reflect.get(target, key, target) as unknown
      if (typeof value !== 'function') return value
      if (key !== name) return value.bind(target) as unknown
      return async (...args: unknown[]) => {
        const now = !done && (behind === undefined || args[0] === behind)
        done ||= now
        if (now && behind === undefined) await work()
        const result: unknown = await value.apply(target, args)
        if (now && behind !== undefined) await work()
        return result
      }
    },
  })
}

test('a table dropped and made again with as many versions is not the one that was compared', async () => {
  expect((await verifyOldFile(lake)).equal).toBe(true)
  await lake.drop('logs')
  const schema = schemaOf([field('n', 'integer'), field('words', 'string')])
  await lake.write('again', async (tx) => {
    await tx.ensure({ name: 'logs', schema, key: [] })
    await tx.append('logs', [{ n: 9, words: 'other' }])
  })
  await expect(cutOverToLake(lake)).rejects.toMatchObject({ code: 'STALE' })
})

test('dual writing that waited for the file does not undo a cut-over', async () => {
  const { release } = await hold()
  const starting = beginDualWrite(lake, { waitMs: 10_000 })
  await cutElsewhere()
  await release()
  await expect(starting).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect((await statusOfMigration(lake)).phase).toBe('cut-over')
})

test('an end of dual writing does not undo a cut-over that came first', async () => {
  await beginDualWrite(lake)
  const engine = meanwhile(await lake.database(), 'connect', cutElsewhere)
  await expect(stopDualWrite(lake.store, engine)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect((await statusOfMigration(lake)).phase).toBe('cut-over')
})

test('a write after the cut-over is not published behind a roll-back', async () => {
  await cutElsewhere()
  const migration = migrationOf(await lake.head())!
  const files = meanwhile(lake.store.files, 'seal', () => rollBackToOldFile(lake))
  const rows = { table: 'logs', mode: 'append', key: [], symbols: [], rows: [{ n: 7 }] } as const
  const store = { ...lake.store, files }
  expect(await writeToLake(store, await lake.database(), migration, [rows])).toEqual({
    kind: 'conflict',
    reason: 'the migration was rolled back meanwhile',
  })
  expect(await rowsOf(lake, 'SELECT n FROM logs WHERE n = 7')).toEqual([])
})

test('an import from a copy does not undo dual writing that began meanwhile', async () => {
  const other = await openLake(lake.root, { maintenance: false })
  const here = meanwhile(lake, 'write', () => beginDualWrite(other))
  await expect(importDatabase(here, old, { copy: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { phase: 'dual-write' },
  })
  await other.close()
  expect((await statusOfMigration(lake)).phase).toBe('dual-write')
})

test('an exported file does not replace tables after the cut-over', async () => {
  const folder = temporaryDirectory()
  await inOldFile(old, `EXPORT DATABASE '${folder}' (FORMAT parquet)`)
  await cutElsewhere()
  await expect(importDatabase(lake, folder)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('what a comparison waited for is part of it', async () => {
  const { session, release } = await hold()
  const write = async (): Promise<void> => {
    await session.run("INSERT INTO old_file.logs VALUES (5, 'late')")
    await release()
  }
  const store = { ...lake.store, files: meanwhile(lake.store.files, 'stat', write, old) }
  const report = await verifyMigration(store, await lake.database(), { waitMs: 10_000 })
  expect(report).toMatchObject({ equal: false, moved: { old: false, tables: [] } })
})

test('an old file that came back from a backup loses no batch', async () => {
  await beginDualWrite(lake)
  const backup = join(temporaryDirectory(), 'backup.duckdb')
  copyFileSync(old, backup)
  const w = await DualWriter.open({ lake: lake.root, threads: 1 })
  await w.write({ logs: [{ n: 10 }] })
  await w.write({ logs: [{ n: 11 }] })
  copyFileSync(backup, old)
  expect(await w.write({ logs: [{ n: 12 }] })).toMatchObject({
    old: { batch: 3 },
    lake: { kind: 'committed' },
  })
  await w.close()
  expect(await rowsOf(lake, 'SELECT n FROM logs WHERE n > 9 ORDER BY n')).toEqual(
    [10, 11, 12].map((n) => ({ n })),
  )
})

test('a new column whose name Delta forbids comes into the lake under another', async () => {
  await beginDualWrite(lake)
  await inOldFile(old, 'ALTER TABLE logs ADD COLUMN "turnover (lots)" HUGEINT')
  const w = await DualWriter.open({ lake: lake.root, threads: 1 })
  expect(await w.write({ logs: [{ n: 10, 'turnover (lots)': 5n }] })).toMatchObject({
    lake: { kind: 'committed' },
  })
  await w.close()
  expect((await verifyOldFile(lake)).equal).toBe(true)
  const asked = 'SELECT "turnover (lots)" AS lots FROM old.logs WHERE n = 10'
  expect(await rowsOf(lake, asked)).toEqual([{ lots: 5n }])
})

test('an outbox whose maker was killed before its only row is an empty one', async () => {
  await inOldFile(
    old,
    'CREATE SCHEMA old_file.marketlake',
    'CREATE TABLE old_file.marketlake.outbox (outbox VARCHAR, seq BIGINT)',
    'CREATE TABLE old_file.marketlake.parts (seq BIGINT)',
  )
  expect((await verifyOldFile(lake)).behind).toBe(0)
})

test('an old file that is corrupt is not called held by somebody', async () => {
  const bytes = readFileSync(old)
  bytes[8192 + 20] = bytes[8192 + 20]! ^ 0xff
  bytes[4096 + 20] = bytes[4096 + 20]! ^ 0xff
  writeFileSync(old, bytes)
  await expect(verifyOldFile(lake)).rejects.toMatchObject({ code: 'CORRUPT_FILE' })
})

test('a write into the file behind a symbolic link is seen before the cut-over', async () => {
  const moved = join(temporaryDirectory(), 'moved.duckdb')
  renameSync(old, moved)
  symlinkSync(moved, old)
  expect((await verifyOldFile(lake)).equal).toBe(true)
  await inOldFile(old, "INSERT INTO logs VALUES (6, 'later')")
  await expect(cutOverToLake(lake)).rejects.toMatchObject({ code: 'STALE' })
})

test('what a writer that could not read the lake wrote after the cut-over is told, and comes in', async () => {
  await beginDualWrite(lake)
  const w = await DualWriter.open({ lake: lake.root, threads: 1 })
  await w.write({ logs: [{ n: 20 }] })
  await cutElsewhere()
  await inOldFile(
    old,
    'UPDATE old_file.marketlake.outbox SET seq = 2',
    "INSERT INTO old_file.marketlake.parts VALUES (2, 'logs', 'append', ['n'], 1, now())",
    'INSERT INTO old_file.marketlake."rows logs" BY NAME SELECT 2 AS marketlake_seq, 21 AS n',
  )
  await w.close()
  expect((await statusOfMigration(lake)).next).toContain('migrate dual-write')
  expect(await beginDualWrite(lake)).toMatchObject({ started: false, batches: 1, behind: 0 })
  expect(await statusOfMigration(lake)).toMatchObject({ phase: 'cut-over', behind: 0 })
  expect(await rowsOf(lake, 'SELECT n FROM logs WHERE n > 19 ORDER BY n')).toEqual([
    { n: 20 },
    { n: 21 },
  ])
})
