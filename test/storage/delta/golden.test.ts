/** Tables written by other engines read to their expected rows, or are refused for a listed reason. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadDeletions } from '../../../src/storage/delta/deletion-vector.ts'
import { checkFit } from '../../../src/storage/delta/fit.ts'
import { loadSnapshot } from '../../../src/storage/delta/load.ts'
import { snapshotSql } from '../../../src/storage/delta/relation.ts'
import type { Snapshot } from '../../../src/storage/delta/replay.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { Database } from '../../../src/storage/parquet/database.ts'
import type { Session } from '../../../src/storage/parquet/database.ts'
import { identifier, pathList } from '../../../src/storage/parquet/sql.ts'
import { castColumn } from '../../../src/storage/parquet/types.ts'
import { describeShared, sharedPath } from '../../support/shared.ts'

/** Tables that must be refused: the error's code and a word of its reason. */
const REFUSED: Readonly<Record<string, readonly [code: string, reason: string]>> = {
  'data-reader-absolute-paths-escaped-chars': ['CORRUPT_LOG', 'no metaData'],
  'deltalog-commit-info': ['CORRUPT_LOG', 'schemaString is missing'],
  'deltalog-invalid-protocol-version': ['UNSUPPORTED_FEATURE', 'minReaderVersion 99'],
  'deltalog-state-reconstruction-from-checkpoint-missing-metadata': [
    'CORRUPT_LOG',
    'schemaString is missing',
  ],
  'deltalog-state-reconstruction-from-checkpoint-missing-protocol': ['CORRUPT_LOG', 'protocol'],
  'deltalog-state-reconstruction-without-metadata': ['CORRUPT_LOG', 'no metaData'],
  'deltalog-state-reconstruction-without-protocol': ['CORRUPT_LOG', 'protocol'],
  // Its metaData has no schema: it was written to test replay alone.
  'update-deleted-directory': ['CORRUPT_LOG', 'schemaString is missing'],
  'versions-not-contiguous': ['CORRUPT_LOG', 'version 1 is missing'],
}

/** Tables whose data files were never shipped: only the log is replayed, to so many live files. */
const LOG_ONLY: Readonly<Record<string, number>> = {
  'canonicalized-paths-normal-a': 0,
  'canonicalized-paths-normal-b': 0,
  'canonicalized-paths-special-a': 0,
  'canonicalized-paths-special-b': 0,
  checkpoint: 1,
  'delete-re-add-same-file-different-transactions': 2,
  'deltalog-getChanges': 0,
  'log-replay-special-characters-b': 1,
}

const TEN = "SELECT i::INTEGER, 'foo' || i % 2 FROM range(10) t(i)"
/** Tables shipped without expected rows: these are what delta-rs reads. */
const ROWS: Readonly<Record<string, string>> = {
  'hive/delta/deltatbl-column-names-case-insensitive': TEN,
  'hive/delta/deltatbl-deleted-path': TEN,
  'hive/delta/deltatbl-incorrect-format-config': TEN,
  'hive/delta/deltatbl-map-types-correctly': `SELECT 97::TINYINT, 'bc'::BLOB, true, 4, 5::BIGINT, 'foo', 6::FLOAT, 7::DOUBLE, 8::SMALLINT,
      DATE '1970-01-01', TIMESTAMPTZ '1970-01-01 16:40:00+00', 12345.678900000000794535::DECIMAL(38,18), ['foo', 'bar'],
      MAP {'foo': 123::BIGINT}, {f1: 'foo', f2: 456::BIGINT}`,
  'hive/delta/deltatbl-non-partitioned': TEN,
  'hive/delta/deltatbl-not-allow-write': TEN,
  'hive/delta/deltatbl-partition-prune': `FROM (VALUES ('bj', '20180520', 'Trump', 1), ('hz', '20180520', 'Jim', 3),
      ('hz', '20180718', 'Jone', 7), ('sh', '20180512', 'Jay', 4), ('sz', '20181212', 'Linda', 8))`,
  'hive/delta/deltatbl-partitioned': TEN,
  'hive/delta/deltatbl-schema-match':
    "SELECT i::INTEGER, 'foo' || i % 2, 'test' || i % 3 FROM range(10) t(i)",
  'hive/delta/deltatbl-special-chars-in-partition-column':
    "SELECT i::INTEGER, '+ =%' || i % 2 FROM range(10) t(i)",
  'hive/delta/deltatbl-touch-files-needed-for-partitioned': TEN,
}

/** Partition values of zoneless timestamps mean the writer's own zone, which no log tells; UTC is taken. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  'data-reader-partition-values': ['as_timestamp'],
}

const root = sharedPath('golden-delta', 'tables')

function tableNames(directory: string, prefix = ''): string[] {
  return readdirSync(directory)
    .toSorted()
    .flatMap((name) => {
      const path = join(directory, name)
      if (!statSync(path).isDirectory()) return []
      const own = existsSync(join(path, '_delta_log'))
      if (own || existsSync(join(path, 'delta', '_delta_log'))) return [prefix + name]
      return tableNames(path, `${prefix}${name}/`)
    })
}

function parquetFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => join(directory, name))
}

describeShared('golden tables', ['golden-delta', 'tables'], () => {
  let database: Database
  let session: Session

  beforeAll(async () => {
    database = await Database.open({ threads: 2 })
    session = await database.connect()
  })
  afterAll(() => database.close())

  const known = [...Object.keys(REFUSED), ...Object.keys(LOG_ONLY), ...Object.keys(ROWS)]
  const names = existsSync(root) ? tableNames(root) : []

  test('every catalogued table is there', () => {
    expect(known.filter((name) => !names.includes(name))).toEqual([])
  })

  test.each(Object.entries(REFUSED))('%s is refused', async (name, [code, reason]) => {
    await expect(loadSnapshot(localFiles, directoryOf(name))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(reason) as string,
    })
  })

  test.each(Object.entries(LOG_ONLY))('%s replays to %d live files', async (name, live) => {
    const snapshot = await loadSnapshot(localFiles, directoryOf(name))
    expect(snapshot?.files.size).toBe(live)
  })

  test.each(Object.entries(ROWS))('%s', async (name, expected) => {
    const { sql } = await openTable(session, name)
    const extra = await session.rows(`(${sql}) EXCEPT ALL (${expected})`)
    const missing = await session.rows(`(${expected}) EXCEPT ALL (${sql})`)
    expect({ extra, missing }).toEqual({ extra: [], missing: [] })
  })

  test.each(names.filter((name) => !known.includes(name)))('%s', async (name) => {
    const { sql, snapshot } = await openTable(session, name)
    const files = parquetFiles(join(root, name, 'expected'))
    expect(files.length).toBeGreaterThan(0)
    const without = LEFT_OUT[name] ?? []
    const fields = snapshot.schema.fields.filter((f) => !without.includes(f.name))
    const columns = fields.map((f) => castColumn(f)).join(', ')
    const theirs = `SELECT ${columns} FROM read_parquet(${pathList(files)}, hive_partitioning=false, union_by_name=true)`
    const ours = `SELECT ${fields.map((f) => identifier(f.name)).join(', ')} FROM (${sql})`
    const counts = await session.row(
      `SELECT (SELECT count(*) FROM (${ours})) AS ours, (SELECT count(*) FROM (${theirs})) AS theirs,
              (SELECT count(*) FROM ((${ours}) EXCEPT ALL (${theirs}))) AS extra,
              (SELECT count(*) FROM ((${theirs}) EXCEPT ALL (${ours}))) AS missing`,
    )
    expect(counts).toMatchObject({ extra: 0n, missing: 0n, ours: counts['theirs'] })
  })
})

function directoryOf(name: string): string {
  const inner = join(root, name, 'delta')
  return existsSync(inner) ? inner : join(root, name)
}

async function openTable(
  session: Session,
  name: string,
): Promise<{ sql: string; snapshot: Snapshot }> {
  const directory = directoryOf(name)
  const snapshot = await loadSnapshot(localFiles, directory)
  if (!snapshot) throw new Error(`no table in ${directory}`)
  await loadDeletions(localFiles, directory, snapshot.files.values())
  await checkFit(session, directory, snapshot)
  return { sql: snapshotSql(directory, snapshot), snapshot }
}
