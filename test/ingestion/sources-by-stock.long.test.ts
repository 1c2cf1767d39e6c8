/** Sources that ask by stock, in a lake: full statements, valuations, share capital, reports of few points. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Exchange } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { quarterEnds } from '../../src/model/period.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { sourceLake } from '../support/source-lake.ts'

const TODAY = '2026-05-06'

let lake: Lake
let exchange: Exchange
let engine: AnalysisEngine
beforeAll(async () => {
  ;({ lake, exchange } = await sourceLake({ symbols: 60, today: TODAY }))
  engine = await lake.analysis({ follow: true })
  await syncLake(lake, { tables: ['stock_basic'] })
})
afterAll(() => engine.close())

function rowsOf(sql: string): Promise<Row[]> {
  return engine.query(sql)
}

async function count(sql: string): Promise<number> {
  const [row] = await rowsOf(`SELECT count(*) AS n FROM ${sql}`)
  return Number(row!['n'])
}

test('full statements and valuations stand beside the others', async () => {
  const company = exchange
    .world()
    .market.companies.find((c) => c.type === 'general' && c.delistDate === '')!
  const symbols = [company.symbol]
  const deep = await syncLake(lake, { sources: ['eastmoney_f10'], tables: ['balance'], symbols })
  expect(deep).toMatchObject({ outcome: 'committed', failed: [] })
  const again = await syncLake(lake, { sources: ['eastmoney_f10'], tables: ['balance'], symbols })
  expect(again).toMatchObject({ outcome: 'unchanged', requests: 1 })
  const values = await syncLake(lake, { tables: ['daily_valuation'], symbols, since: '2026-04-01' })
  expect(values.failed).toEqual([])
  expect(await count('daily_valuation')).toBeGreaterThan(10)
  const [label] = await rowsOf(
    `SELECT label, unit, source FROM meta.columns WHERE "column" = 'pe_ttm' AND "table" = 'daily_valuation'`,
  )
  expect(label).toMatchObject({ label: '滚动市盈率', unit: '倍', source: 'PE_TTM' })
})

test('indicators of one stock come page by page from an account with few points', async () => {
  const company = exchange.world().market.companies[0]!
  const result = await syncLake(lake, {
    sources: ['tushare'],
    tables: ['indicators'],
    symbols: [company.symbol],
    since: '1990-01-01',
  })
  expect(result.failed).toEqual([])
  const reports = quarterEnds(company.listDate, TODAY).flatMap((period) =>
    exchange.world().market.versions(company, period),
  )
  const stored = await count(`fin_indicators_all WHERE source = 'tushare'`)
  expect(stored).toBe(reports.filter((r) => r.shownFrom <= TODAY).length)
})

test('what was fetched in slices is as fresh as its day', async () => {
  const daily = (await lake.freshness()).find((one) => one.table === 'stock_basic')
  expect(daily?.newestPeriod).toMatch(/^\d{4}-\d{2}-\d{2}$/)
  const whole = await syncLake(lake, { tables: ['daily_valuation'], since: '2026-04-25', limit: 1 })
  expect(whole.failed).toEqual([])
  const valuations = (await lake.freshness()).find((one) => one.table === 'daily_valuation')
  expect(valuations?.newestPeriod).toMatch(/^\d{4}-\d{2}-\d{2}$/)
})

test('shares of every stock give valuations to the bars of every source', async () => {
  const shares = await syncLake(lake, { tables: ['share_capital'] })
  expect(shares).toMatchObject({ failed: [], batches: 2 })
  const days = { since: '2026-04-20', until: '2026-04-30' }
  const bars = await syncLake(lake, { sources: ['tencent'], ...days })
  expect(bars.failed).toEqual([])
  const valued = `valuation WHERE trade_date = '2026-04-30' AND total_mv IS NOT NULL`
  expect(await count(valued)).toBe(await count(`daily WHERE trade_date = '2026-04-30'`))
  const again = await syncLake(lake, { sources: ['tencent'], ...days, restart: true })
  expect(again).toMatchObject({ outcome: 'unchanged', failed: [] })
})
