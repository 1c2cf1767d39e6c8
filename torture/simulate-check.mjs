/** Holds a lake against what the exchange knows, vintage by vintage, from the tables' files and not through views. */
import { createHash } from 'node:crypto'
import { DuckDBInstance } from '@duckdb/node-api'
import { loadSnapshot } from '../dist/storage/delta/index.js'
import { localFiles } from '../dist/storage/files/local.js'
import { TABLES, expectedVintages, indicatorsOn } from './simulate-truth.mjs'

const DIFFERENCES_MAX = 50

/**
 * Compares every period of every table; `daysOf(period)` are the days on which a sync read it. The result names up
 * to 50 differences and has a hash of the content, without the moments at which it was fetched.
 */
export async function checkLake({ root, paths, world, periods, daysOf, calendar }) {
  const database = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '2GB' })
  const connection = await database.connect()
  const found = { vintages: 0, reports: 0, differences: [], different: 0 }
  const hash = createHash('sha256')
  const note = (text) => {
    found.different++
    if (found.differences.length < DIFFERENCES_MAX) found.differences.push(text)
  }
  for (const table of Object.keys(TABLES)) {
    const files = await liveFiles(`${root}/${paths[table]}`)
    const list = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(', ')
    await connection.run(
      `CREATE TEMP TABLE ${table} AS SELECT * FROM read_parquet([${list}], hive_partitioning = false, union_by_name = true)`,
    )
    const strays = await connection.runAndReadAll(
      `SELECT count(*) FROM ${table} WHERE source <> 'eastmoney' OR end_date NOT IN (${periods.map((p) => `DATE '${p}'`).join(', ')})`,
    )
    const count = Number(strays.getRows()[0][0])
    if (count > 0) note(`${table}: ${count} rows of other periods or sources`)
  }
  for (const period of periods) {
    // The rows of the indicators date those of the statements, so they are made once for all tables.
    const indicators = indicatorsOn(world, period)
    for (const table of Object.keys(TABLES)) {
      const days = daysOf(period)
      const expected = expectedVintages(world, table, period, { days, calendar, indicators })
      const stored = await storedVintages(connection, table, period)
      comparePeriod({ table, period, expected, stored, note })
      found.reports += stored.size
      for (const [symbol, held] of [...stored].sort(([a], [b]) => (a < b ? -1 : 1))) {
        found.vintages += held.length
        hash.update(JSON.stringify([table, period, symbol, held]))
      }
    }
  }
  connection.closeSync()
  database.closeSync()
  return { ...found, hash: hash.digest('hex') }
}

/** Paths of the live files of a table, by its Delta log alone. */
async function liveFiles(directory) {
  const { files } = await loadSnapshot(localFiles, directory)
  return [...files.values()].map((file) => `${directory}/${decodeURIComponent(file.path)}`)
}

async function storedVintages(connection, table, period) {
  const columns = Object.values(TABLES[table].columns).map((name) => `"${name}"`)
  const result = await connection.runAndReadAll(
    `SELECT symbol, vintage, CAST(notice_date AS VARCHAR), CAST(visible_date AS VARCHAR), is_latest, origin,
       CAST(CAST(timezone('Asia/Shanghai', known_at) AS DATE) AS VARCHAR), ${columns.join(', ')}
     FROM ${table} WHERE end_date = DATE '${period}' ORDER BY symbol, vintage`,
  )
  const found = new Map()
  for (const [
    symbol,
    vintage,
    notice,
    visible,
    isLatest,
    origin,
    day,
    ...values
  ] of result.getRows()) {
    const held = found.get(symbol) ?? []
    held.push({ vintage, notice, visible, isLatest, origin, day, values })
    found.set(symbol, held)
  }
  return found
}

function comparePeriod({ table, period, expected, stored, note }) {
  for (const symbol of new Set([...expected.keys(), ...stored.keys()])) {
    const name = `${table} ${period} ${symbol}`
    const [wanted, held] = [expected.get(symbol) ?? [], stored.get(symbol) ?? []]
    if (wanted.length !== held.length) {
      note(`${name}: ${held.length} vintages, the exchange had ${wanted.length}`)
      continue
    }
    wanted.forEach((one, i) => {
      const text = differenceOf(one, held[i], i + 1, Object.values(TABLES[table].columns))
      if (text) note(`${name} vintage ${i + 1}: ${text}`)
    })
  }
}

function differenceOf(wanted, held, number, names) {
  if (held.vintage !== number) return `is numbered ${held.vintage}`
  for (const key of ['notice', 'visible', 'isLatest', 'origin', 'day'])
    if (wanted[key] !== held[key]) return `${key} is ${held[key]}, not ${wanted[key]}`
  const i = wanted.values.findIndex((value, at) => !Object.is(value, held.values[at]))
  return i < 0 ? undefined : `${names[i]} is ${held.values[i]}, not ${wanted.values[i]}`
}
