/** The sources in a lake: side by side, in preference, unchanged on the second time, and no token anywhere. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Exchange } from '../../src/exchange/server.ts'
import { barsOf } from '../../src/exchange/prices.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { tushareCollector } from '../../src/ingestion/tushare.ts'
import { syncLake } from '../../src/lake/sync.ts'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { TOKEN, sourceLake } from '../support/source-lake.ts'

const TODAY = '2026-05-06'
const RANGE = { since: '2025-09-30', until: '2025-12-31' }

let lake: Lake
let exchange: Exchange
let engine: AnalysisEngine
beforeAll(async () => {
  const toml = '[sources.files]\nfolder = "imports"\nkeys = ["signals: symbol, trade_date"]\n'
  ;({ lake, exchange } = await sourceLake({ symbols: 60, today: TODAY }, toml))
  engine = await lake.analysis({ follow: true })
})

afterAll(() => engine.close())

function rowsOf(sql: string): Promise<Row[]> {
  return engine.query(sql)
}

async function count(sql: string): Promise<number> {
  const [row] = await rowsOf(`SELECT count(*) AS n FROM ${sql}`)
  return Number(row!['n'])
}

describe('reports of two sources', () => {
  test('live side by side; each report is shown from the source that is preferred', async () => {
    for (const source of ['tushare', 'eastmoney']) {
      const result = await syncLake(lake, { sources: [source], ...RANGE, tables: ['income'] })
      expect(result).toMatchObject({ outcome: 'committed', failed: [] })
    }
    const bySource = await rowsOf(
      `SELECT source, count(*) AS n, count(DISTINCT symbol) AS symbols
       FROM fin_income_statement_all GROUP BY 1 ORDER BY 1`,
    )
    expect(bySource.map((row) => row['source'])).toEqual(['eastmoney', 'tushare'])
    expect(bySource[0]!['symbols']).toBe(bySource[1]!['symbols'])
    const differing = await count(
      `fin_income_statement_all e JOIN fin_income_statement_all t USING (symbol, end_date)
       WHERE e.source = 'eastmoney' AND t.source = 'tushare' AND e.is_latest AND t.is_latest
         AND (e.n_income_attr_p IS DISTINCT FROM t.n_income_attr_p
           OR e.total_revenue IS DISTINCT FROM t.total_revenue)`,
    )
    expect(differing).toBe(0)
    const shown = async (): Promise<unknown> =>
      (await rowsOf('SELECT DISTINCT source FROM fin_income_statement')).map((r) => r['source'])
    expect(await shown()).toEqual(['eastmoney'])
    await lake.write('prefer', async (tx) => {
      tx.change = { settings: { prefer: ['tushare', 'eastmoney'] } }
    })
    expect(await shown()).toEqual(['tushare'])
  })

  test('are the same the second time: nothing is written and no version made', async () => {
    const { version } = await lake.head()
    for (const source of ['eastmoney', 'tushare']) {
      const result = await syncLake(lake, { sources: [source], ...RANGE, tables: ['income'] })
      expect(result).toMatchObject({ outcome: 'unchanged', version: null, failed: [] })
    }
    expect((await lake.head()).version).toBe(version)
  })

  test('keep the dates of each: versions of one, the first notice of the other', async () => {
    const dates = await count(
      `fin_income_statement_all e JOIN fin_income_statement_all t USING (symbol, end_date)
       WHERE e.source = 'eastmoney' AND t.source = 'tushare' AND e.vintage = 1 AND t.vintage = 1
         AND e.notice_date IS DISTINCT FROM t.notice_date`,
    )
    expect(dates).toBe(0)
    const { market } = exchange.world()
    const versions = market.companies.flatMap((company) =>
      ['2025-09-30', '2025-12-31'].flatMap((period) => market.versions(company, period)),
    )
    const shown = versions.filter((version) => version.shownFrom <= TODAY)
    expect(shown.length).toBeGreaterThan(100)
    const stored = await rowsOf(
      `SELECT symbol, CAST(end_date AS VARCHAR) AS period, CAST(notice_date AS VARCHAR) AS notice, n_income_attr_p AS profit
       FROM fin_income_statement_all WHERE source = 'tushare' ORDER BY 1, 2, 3`,
    )
    const truth = shown
      .map((v) => [v.company.symbol, v.period, v.shownFrom, v.values['profit']])
      .toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
    expect(stored.map((row) => Object.values(row))).toEqual(truth)
  })
})

describe('the list, the calendar and names', () => {
  test('come from both sources, the delisted with their dates', async () => {
    const eastmoney = await syncLake(lake, { tables: ['stock_basic'] })
    expect(eastmoney).toMatchObject({ outcome: 'committed', failed: [] })
    const stocks = await rowsOf('SELECT symbol, delist_date FROM stock_basic ORDER BY 1')
    const gone = exchange
      .world()
      .market.companies.filter(
        (c) => c.delistDate !== '' && c.delistDate <= TODAY && !c.symbol.endsWith('BJ'),
      )
    expect(stocks.filter((row) => row['delist_date'] !== null)).toHaveLength(gone.length)
    const tushare = await syncLake(lake, {
      sources: ['tushare'],
      tables: ['trade_cal', 'stock_basic', 'name_history'],
    })
    expect(tushare.failed).toEqual([])
    expect(await count('name_history WHERE is_st')).toBe(gone.length)
  })
})

describe('bars', () => {
  const days = { since: '2026-04-20', until: '2026-04-30' }

  test('of Tencent, Sina and Tushare are the same shares and yuan', async () => {
    const company = exchange.world().market.companies.find((c) => c.delistDate === '')!
    const truth = barsOf(exchange.world().seed, company, days.since, days.until)
    const sql = `SELECT CAST(trade_date AS VARCHAR) AS date, close, volume, amount, source FROM daily
      WHERE symbol = '${company.symbol}' AND trade_date BETWEEN '${days.since}' AND '${days.until}' ORDER BY 1`
    for (const source of ['sina', 'tencent', 'tushare']) {
      const symbols = [company.symbol]
      const result = await syncLake(lake, {
        sources: [source],
        tables: ['daily'],
        symbols,
        ...days,
      })
      expect(result.failed).toEqual([])
      const rows = await rowsOf(sql)
      expect(rows.map((row) => [row['date'], row['close'], row['volume']])).toEqual(
        truth.map((bar) => [bar.date, bar.close, bar.shares]),
      )
      expect(new Set(rows.map((row) => row['source']))).toEqual(new Set([source]))
      if (source === 'sina') continue
      rows.forEach((row, i) => expect(row['amount']).toBeCloseTo(truth[i]!.yuan, 0))
    }
  })

  test('of the whole market come day by day, and only missing days again', async () => {
    const first = await syncLake(lake, { sources: ['tushare'], tables: ['daily'], ...days })
    expect(first).toMatchObject({ failed: [], batches: 9 })
    const listed = exchange
      .world()
      .market.companies.filter((c) => c.delistDate === '' && c.listDate < days.since)
    expect(await count(`daily WHERE trade_date = '2026-04-30'`)).toBeGreaterThan(
      listed.length * 0.9,
    )
  })

  test('are adjusted by factors of one source for each stock', async () => {
    const [company, other] = exchange.world().market.companies.filter((c) => c.delistDate === '')
    const symbols = [company!.symbol, other!.symbol]
    const sina = await syncLake(lake, { sources: ['tencent'], tables: ['adj_factor'], symbols })
    expect(sina.failed).toEqual([])
    expect(await count(`adj_factor WHERE source = 'sina'`)).toBeGreaterThan(2)
    const mixing = await syncLake(lake, { sources: ['tushare'], tables: ['adj_factor'], ...days })
    expect(mixing.failed[0]).toMatchObject({ code: 'SOURCE_MIXED' })
    const adjusted = `SELECT CAST(trade_date AS VARCHAR) AS date, close FROM daily_hfq
      WHERE symbol = '${company!.symbol}' AND trade_date >= '${days.since}' ORDER BY 1`
    const before = await rowsOf(adjusted)
    const series = await syncLake(lake, {
      sources: ['tushare'],
      tables: ['adj_factor'],
      symbols: [company!.symbol],
    })
    expect(series.failed).toEqual([])
    const sources = await rowsOf('SELECT DISTINCT symbol, source FROM adj_factor ORDER BY 1, 2')
    expect(sources).toHaveLength(2)
    expect(await rowsOf(adjusted)).toEqual(before)
  })
})

describe('files of a folder', () => {
  const folder = (): string => join(lake.root, 'imports')

  test('are taken by their names, into standard tables and new ones', async () => {
    mkdirSync(join(folder(), 'daily'), { recursive: true })
    const head = 'symbol,trade_date,open,high,low,close,volume,amount,source\n'
    const bars = `${head}sh600519,2020-01-02,1128,1145,1116,1130,14809916,16696680000,file\n`
    writeFileSync(join(folder(), 'daily', 'maotai.csv'), bars)
    writeFileSync(
      join(folder(), 'income-2019.jsonl'),
      '{"symbol":"600519","end_date":"2019-12-31","notice_date":"2020-04-22","total_revenue":88854337488.76}\n',
    )
    writeFileSync(
      join(folder(), 'signals.csv'),
      'symbol,trade_date,score\n600519.SH,2020-01-02,0.5\n',
    )
    writeFileSync(join(folder(), 'notes.md'), 'no table')
    const result = await syncLake(lake, { sources: ['files'] })
    expect(result).toMatchObject({ outcome: 'committed', failed: [], inserted: 3 })
    expect(await rowsOf('SELECT score FROM signals')).toEqual([{ score: 0.5 }])
    expect(await count(`daily WHERE symbol = '600519.SH' AND source = 'file'`)).toBe(1)
    expect(
      await count(`fin_income_statement_all WHERE source = 'file' AND end_date = '2019-12-31'`),
    ).toBe(1)
    expect(await syncLake(lake, { sources: ['files'] })).toMatchObject({ outcome: 'unchanged' })
  })

  test('that are wrong fail their table and no other', async () => {
    writeFileSync(
      join(folder(), 'daily', 'torn.csv'),
      'symbol,trade_date,close\n600519,2020-01-03,x\n',
    )
    writeFileSync(
      join(folder(), 'signals.csv'),
      'symbol,trade_date,score\n600519.SH,2020-01-02,0.7\n',
    )
    const result = await syncLake(lake, { sources: ['files'] })
    expect(result.outcome).toBe('partial')
    expect(result.failed).toMatchObject([{ table: 'daily', code: 'TYPE_MISMATCH' }])
    expect(await rowsOf('SELECT score FROM signals')).toEqual([{ score: 0.7 }])
  })
})

test('a table that no source has is refused, with the sources that have it', async () => {
  await expect(syncLake(lake, { tables: ['daily'] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    next: 'These sources have it: tushare, sina, tencent.',
  })
  await expect(syncLake(lake, { tables: ['foo'] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    next: expect.stringContaining('indicators, balance'),
  })
})

test('the token stands in lake.toml and nowhere else', async () => {
  const wrong = tushareCollector({ ...lake.config.sources.tushare, token: 'no-token-of-anybody' })
  const refused = await syncLake(lake, { sources: [wrong], tables: ['income'], restart: true })
  // Seven more quarters would have been refused in the same way.
  expect(refused).toMatchObject({ outcome: 'failed', requests: 1, left: 7 })
  expect(refused.failed).toMatchObject([{ code: 'SOURCE_REFUSED' }])
  const holding = readdirSync(lake.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(TOKEN))
  expect(holding).toEqual([join(lake.root, 'lake.toml')])
})
