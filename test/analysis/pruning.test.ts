/** File pruning: a statement opens only files that can hold its rows, and never answers otherwise for it. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { displayOf } from '../../src/analysis/display.ts'
import type { Display } from '../../src/analysis/display.ts'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import { prunedPaths } from '../../src/analysis/file-lists.ts'
import { restrictionsOf } from '../../src/analysis/filters.ts'
import { readOnly } from '../../src/analysis/gate.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { tableViews } from '../../src/storage/lake/view.ts'
import type { Parameters } from '../../src/storage/parquet/bind.ts'
import { useEngine } from '../support/engine.ts'
import { newLake } from '../support/lake.ts'

const engine = useEngine()
let lake: Lake
let analysis: AnalysisEngine
let display: Display
const MONTHS = ['2024-01', '2024-02', '2024-03', '2024-04']
const SYMBOLS = ['000001.SZ', '300750.SZ', '600519.SH', '688981.SH']

/** One file for each symbol and month, so that every filter has something to leave out. */
beforeAll(async () => {
  lake = await newLake()
  for (const [m, month] of MONTHS.entries()) {
    for (const [s, symbol] of SYMBOLS.entries()) {
      await lake.write('bars', async (tx) => {
        await tx.upsert('daily', [
          { symbol, trade_date: `${month}-05`, close: m * 10 + s, volume: 100 },
          { symbol, trade_date: `${month}-25`, close: m * 10 + s + 0.5, volume: 200 },
        ])
        await tx.upsert('adj_factor', [{ symbol, trade_date: `${month}-05`, adj_factor: 1 + m }])
      })
    }
  }
  analysis = await lake.analysis()
  const record = await lake.head()
  const views = await tableViews(lake.store, record)
  display = displayOf({ record, views, resident: new Map(), knowledge: undefined })
})
afterAll(() => analysis.close())

/** How many files of a table a statement would read. */
async function filesRead(sql: string, table = 'daily', parameters?: Parameters): Promise<number> {
  const scope = { macros: display.macros, dated: false }
  const { tree } = await readOnly(engine.session(), sql, scope)
  const restrictions = restrictionsOf(tree, display.relations, parameters).get(table)
  const lists = display.lists.filter((list) => list.view.name === table)
  return lists.reduce(
    (sum, list) => sum + (restrictions ? prunedPaths(list, restrictions) : list.paths).length,
    0,
  )
}

describe('files read', () => {
  test.each([
    ["SELECT * FROM daily WHERE symbol = '600519.SH'", 4],
    ["SELECT * FROM daily d WHERE d.symbol = '600519.SH' AND d.trade_date = '2024-02-05'", 1],
    ["SELECT * FROM daily WHERE sym('sh600519') = symbol", 4],
    ["SELECT * FROM daily WHERE symbol IN ('600519.SH', '000001.SZ')", 8],
    ["SELECT * FROM daily WHERE trade_date BETWEEN DATE '2024-02-01' AND '2024-03-31'", 8],
    ["SELECT * FROM daily WHERE trade_date >= '2024-04-01'", 4],
    ["SELECT * FROM daily WHERE trade_date < DATE '2024-02-01'", 4],
    ["SELECT * FROM daily WHERE symbol = 'none'", 1],
    ["SELECT * FROM daily_qfq WHERE symbol = '600519.SH'", 4],
    ["SELECT * FROM valuation WHERE symbol = '600519.SH'", 4],
    ["SELECT * FROM daily_qfq_between('2024-01-01', '2024-12-31') WHERE symbol = '600519.SH'", 4],
    ["SELECT * FROM daily JOIN adj_factor USING (symbol) WHERE symbol = '600519.SH'", 4],
    ["WITH x AS (SELECT * FROM daily WHERE symbol = '600519.SH') SELECT * FROM x", 4],
    [
      "SELECT * FROM daily WHERE symbol = '600519.SH' UNION ALL SELECT * FROM daily WHERE symbol = '000001.SZ'",
      8,
    ],
    // What reaches beyond the filter, or is not understood, reads everything.
    ["SELECT * FROM daily_qfq WHERE trade_date >= '2024-04-01'", 16],
    ["SELECT * FROM daily WHERE symbol = '600519.SH' OR close > 1", 16],
    ["SELECT * FROM daily WHERE symbol LIKE '6%'", 16],
    ["SELECT * FROM daily WHERE NOT symbol = '600519.SH'", 16],
    ["SELECT * FROM daily WHERE trade_date = '2024-2-5'", 16],
    [
      "SELECT * FROM daily d JOIN adj_factor a ON a.symbol = d.symbol WHERE a.symbol = '600519.SH'",
      16,
    ],
    [
      "SELECT * FROM daily a WHERE symbol = '600519.SH' AND close > (SELECT avg(close) FROM daily)",
      16,
    ],
    ["SELECT * FROM daily a WHERE symbol = '600519.SH' AND EXISTS (FROM tushare.daily)", 16],
    ["SELECT * FROM (SELECT * FROM daily USING SAMPLE 3 ROWS) WHERE symbol = '600519.SH'", 16],
    ['SELECT count(*) FROM daily', 16],
    ['SUMMARIZE daily', 16],
  ])('%s: %i', async (sql, files) => {
    expect(await filesRead(sql)).toBe(files)
  })

  test('parameters restrict as constants do', async () => {
    expect(await filesRead('SELECT * FROM daily WHERE symbol = ?', 'daily', ['600519.SH'])).toBe(4)
    const named = { s: '600519.SH', d: '2024-03-01' }
    const sql = 'SELECT * FROM daily WHERE symbol = $s AND trade_date > $d'
    expect(await filesRead(sql, 'daily', named)).toBe(2)
    expect(await filesRead('SELECT * FROM daily WHERE symbol = ?', 'daily', [null])).toBe(16)
  })

  test('each table of a join is restricted by the shared column', async () => {
    const sql =
      "SELECT * FROM daily JOIN adj_factor USING (symbol, trade_date) WHERE symbol = '600519.SH'"
    expect(await filesRead(sql, 'adj_factor')).toBe(4)
  })
})

/** Conditions over the bars, some of which prune and some of which do not. */
const symbol = fc.constantFrom(...SYMBOLS, 'none', '')
const date = fc.constantFrom('2024-01-05', '2024-02-10', '2024-03-25', '2025-01-01')
const text = (value: string): string => `'${value}'`
const condition = fc.oneof(
  symbol.map((s) => `symbol = ${text(s)}`),
  fc
    .array(symbol, { minLength: 1, maxLength: 3 })
    .map((list) => `symbol IN (${list.map(text).join()})`),
  fc
    .tuple(fc.constantFrom('=', '<', '<=', '>', '>=', '<>'), date)
    .map(([op, d]) => `trade_date ${op} ${text(d)}`),
  fc.tuple(date, date).map(([a, b]) => `trade_date BETWEEN ${text(a)} AND DATE ${text(b)}`),
  fc.integer({ min: -1, max: 40 }).map((n) => `close >= ${String(n)}`),
  symbol.map((s) => `symbol > ${text(s)}`),
  symbol.map((s) => `NOT (symbol = ${text(s)})`),
)
const relation = fc.constantFrom(
  'daily',
  'daily_qfq',
  'daily_hfq',
  'daily JOIN adj_factor USING (symbol, trade_date)',
)

test('the answer is the one over all files, whatever the filter', async () => {
  await fc.assert(
    fc.asyncProperty(
      relation,
      fc.array(condition, { minLength: 1, maxLength: 3 }),
      async (from, conditions) => {
        const where = conditions.join(' AND ')
        const rows = `SELECT symbol, trade_date, close FROM ${from}`
        const pruned = await analysis.table(`${rows} WHERE ${where} ORDER BY ALL`)
        // A filter on top of a materialised result cannot prune anything.
        const whole = await analysis.table(
          `WITH x AS MATERIALIZED (${rows}) SELECT * FROM x WHERE ${where} ORDER BY ALL`,
        )
        expect(pruned.rows).toEqual(whole.rows)
      },
    ),
    { numRuns: 60 },
  )
})
