/** Builds the old `.duckdb` file of the demo: eight tables of real market data, or of generated rows. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const day = (n) => `DATE '2000-01-03' + CAST(${n} AS INTEGER)`

/** Real data: its files, with what makes old files hard: large integers, decimals, enums, rows of equal keys. */
const REAL = {
  bars: ['daily_qfq_2024_2026_tushare', '* REPLACE (CAST(volume AS HUGEINT) AS volume)'],
  bars_2015: ['daily_2015_2016_tushare', '* REPLACE (CAST(amount AS DECIMAL(20, 2)) AS amount)'],
  bars_sse50: ['daily_qfq_sse50_1993_2022_eastmoney', '*'],
  fin_annual: ['annual_key_items_1989_2020_163', '*'],
  fin_report: ['tushare_old_report_2014q1_2016q2', '*'],
  fin_profit: ['tushare_old_profit_2014q1_2016q2', '*'],
  fin_growth: ['tushare_old_growth_2014q1_2016q2', '*'],
  securities: [
    'stock_basic',
    "* REPLACE (CAST(list_status AS ENUM('L', 'D', 'P')) AS list_status)",
  ],
}

/** Generated rows for where the real data is not; `scale` is about the number of bars. */
const generated = (scale) => {
  const symbols = Math.max(4, Math.round(Math.sqrt(scale / 20)))
  const days = Math.ceil(scale / symbols)
  const symbol = "lpad(CAST(600000 + s AS VARCHAR), 6, '0')"
  const bars = (
    n,
  ) => `SELECT ${symbol} AS symbol, ${day('d')} AS trade_date, 10 + sin(s + d) AS close,
    CAST(s * 1000 + d AS HUGEINT) AS volume FROM range(${symbols}) t(s), range(${n}) u(d)`
  const reports = `SELECT ${symbol} AS code, ${day('q * 91')} AS end_date, s / 7 AS eps,
    CAST(q AS DECIMAL(18, 4)) / 3 AS roe FROM range(${symbols}) t(s), range(40) u(q)`
  const dirty = `${reports} UNION ALL SELECT code, end_date, eps + 1, roe FROM (${reports}) WHERE end_date < ${day(91)}`
  return {
    bars: bars(days),
    bars_2015: bars(Math.ceil(days / 4)),
    bars_sse50: `SELECT *, CASE WHEN volume % 7 = 0 THEN 'nan' ELSE close END::DOUBLE AS chg FROM (${bars(Math.ceil(days / 8))})`,
    fin_annual: reports.replace('AS code', 'AS symbol'),
    fin_report: dirty,
    fin_profit: dirty,
    fin_growth: reports,
    securities: `SELECT ${symbol} AS ts_code, CAST(CASE WHEN s % 9 = 0 THEN 'D' ELSE 'L' END AS ENUM('L', 'D', 'P')) AS list_status
      FROM range(${symbols}) t(s)`,
  }
}

/** Keys of the tables. */
export const KEYS = {
  bars: ['symbol', 'trade_date'],
  bars_2015: ['symbol', 'trade_date'],
  bars_sse50: ['symbol', 'trade_date'],
  fin_annual: ['symbol', 'end_date'],
  fin_report: ['code', 'end_date'],
  fin_profit: ['code', 'end_date'],
  fin_growth: ['code', 'end_date'],
  securities: ['ts_code'],
}

/** Makes the file; returns the rows of each table. */
export async function buildMonolith(path, { shared, scale }) {
  const folder = join(shared, 'data', 'ashare')
  const real = scale === undefined && existsSync(folder)
  if (scale === undefined && !real)
    process.stderr.write(`SKIPPED: real data: ${folder} is not there; rows are generated\n`)
  const selects = real
    ? Object.entries(REAL).map(([table, [file, columns]]) => [
        table,
        `SELECT ${columns} FROM '${join(folder, file)}.parquet'`,
      ])
    : Object.entries(generated(scale ?? 1_500_000))
  const instance = await DuckDBInstance.create(path, { threads: '2', memory_limit: '1GB' })
  const connection = await instance.connect()
  const rows = {}
  for (const [table, sql] of selects) {
    const result = await connection.run(`CREATE TABLE ${table} AS ${sql}`)
    rows[table] = result.rowsChanged
    const counted = await connection.runAndReadAll(`SELECT count(*)::INTEGER FROM ${table}`)
    rows[table] = counted.getRows()[0][0]
  }
  connection.closeSync()
  instance.closeSync()
  return { rows, real }
}
