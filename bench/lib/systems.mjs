/** What is compared: a lake (views and resident tables), a native .duckdb table, one Parquet file, the request's recipe. */
import { mkdirSync, openSync, fsyncSync, closeSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { createLake } from '../../dist/lake/lake.js'
import { loadFiles } from '../../dist/index.js'
import { SYMBOLS, barsSql, queries, reportsSql } from './data.mjs'

const quoted = (path) => `'${path.replaceAll("'", "''")}'`

/** A plain DuckDB for the systems that are not ours, with the same threads and memory. */
export async function plainDuckDb(path = ':memory:') {
  const instance = await DuckDBInstance.create(path, { memory_limit: '2GB', threads: '2' })
  const connection = await instance.connect()
  return {
    run: (sql) => connection.run(sql),
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowObjects(),
    close: () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

function sync(path) {
  const fd = openSync(path, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** Writes the data of all systems into two Parquet files. */
export async function writeInputs(directory, { days, fromQuarter = 0 }) {
  mkdirSync(directory, { recursive: true })
  const db = await plainDuckDb()
  const reports = join(directory, 'reports.parquet')
  const bars = join(directory, 'bars.parquet')
  await db.run(`COPY (${reportsSql({ fromQuarter })}) TO ${quoted(reports)} (FORMAT parquet)`)
  await db.run(`COPY (${barsSql({ days })}) TO ${quoted(bars)} (FORMAT parquet)`)
  db.close()
  return { reports, bars }
}

/** One sorted Parquet file each, synced: what DuckDB writes by itself. */
export async function parquetSystem(directory, inputs) {
  mkdirSync(directory, { recursive: true })
  const reports = join(directory, 'reports.parquet')
  const bars = join(directory, 'bars.parquet')
  const db = await plainDuckDb()
  const copy = (from, to) => async () => {
    await db.run(`COPY (SELECT * FROM ${quoted(from)}) TO ${quoted(to)} (FORMAT parquet)`)
    sync(to)
    sync(directory)
  }
  await db.run('SET parquet_metadata_cache=true')
  return {
    name: 'one Parquet file',
    loadReports: copy(inputs.reports, reports),
    loadBars: copy(inputs.bars, bars),
    tables: () => [`read_parquet(${quoted(reports)})`, `read_parquet(${quoted(bars)})`],
    rows: db.rows,
    close: db.close,
    bytes: () => statSync(reports).size,
  }
}

/** A native table in a .duckdb file. */
export async function nativeSystem(directory, inputs) {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'monolith.duckdb')
  const db = await plainDuckDb(path)
  return {
    name: 'native .duckdb',
    path,
    db,
    loadReports: async () => {
      await db.run(`CREATE TABLE reports AS SELECT * FROM ${quoted(inputs.reports)}; CHECKPOINT`)
    },
    loadBars: async () => {
      await db.run(`CREATE TABLE bars AS SELECT * FROM ${quoted(inputs.bars)}; CHECKPOINT`)
    },
    tables: () => ['reports', 'bars'],
    rows: db.rows,
    close: db.close,
    bytes: () => statSync(path).size,
  }
}

/** A lake with tables of the same names; `resident` keeps them in memory. */
export async function lakeSystem(directory, inputs) {
  const lake = await createLake(directory, { maintenance: true })
  return {
    name: 'marketlake',
    lake,
    loadReports: async () => {
      const { outcome } = await loadFiles(lake, 'reports', [inputs.reports], {
        key: ['symbol', 'end_date'],
      })
      if (outcome.kind !== 'committed') throw new Error(outcome.kind)
    },
    loadBars: async () => {
      const { outcome } = await loadFiles(lake, 'bars', [inputs.bars], {
        key: ['symbol', 'trade_date'],
      })
      if (outcome.kind !== 'committed') throw new Error(outcome.kind)
    },
    close: () => lake.close(),
  }
}

/** The request's recipe: one file a stock, read by a glob with union_by_name, as the request writes it. */
export async function recipeSystem(directory, inputs) {
  mkdirSync(join(directory, 'reports'), { recursive: true })
  const db = await plainDuckDb()
  const glob = join(directory, 'reports', '**', '*.parquet')
  return {
    name: 'the recipe',
    db,
    directory,
    loadReports: async () => {
      // In slices, because 5,400 open partitions do not fit into the memory limit.
      for (let slice = 0; slice < SYMBOLS; slice += 200) {
        const codes = `'${600_000 + slice}' AND '${600_199 + slice}.Z'`
        await db.run(`COPY (SELECT * FROM ${quoted(inputs.reports)} WHERE symbol BETWEEN ${codes}) TO
          ${quoted(join(directory, 'reports'))} (FORMAT parquet, PARTITION_BY (symbol), WRITE_PARTITION_COLUMNS true, APPEND)`)
      }
    },
    tables: () => [
      `read_parquet(${quoted(glob)}, hive_partitioning=1, union_by_name=true)`,
      `read_parquet(${quoted(inputs.bars)})`,
    ],
    rows: db.rows,
    close: db.close,
  }
}

/** The questions as functions of a system. */
export function askers(system) {
  return Object.entries(queries(...system.tables())).map(([name, sql]) => [
    name,
    () => system.rows(sql),
  ])
}
