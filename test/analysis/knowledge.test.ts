/** Point in time: every view against a plain reading of the stored vintages, on random histories with late notices. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { addDays } from '../../src/model/date.ts'
import { addQuarters } from '../../src/model/period.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { newLake } from '../support/lake.ts'

interface Version {
  readonly table: 'indicators' | 'income'
  readonly symbol: string
  readonly end_date: string
  readonly source: string
  readonly visible_date: string | null
  readonly vintage: number
  readonly n_income_attr_p: number | null
  readonly bps: number | null
}

/** A report of one period, offered once or several times with other values and later notices. */
const report = fc.record({
  table: fc.constantFrom('indicators' as const, 'income' as const),
  symbol: fc.constantFrom('600519.SH', '000001.SZ', '300750.SZ'),
  quarter: fc.integer({ min: 0, max: 7 }),
  source: fc.constantFrom('eastmoney', 'tushare'),
  delays: fc.array(fc.integer({ min: 5, max: 400 }), { minLength: 1, maxLength: 3 }),
  value: fc.integer({ min: -50, max: 500 }),
})
type Report = typeof report extends fc.Arbitrary<infer T> ? T : never

async function storeAll(lake: Lake, reports: readonly Report[]): Promise<void> {
  const seen = new Set<string>()
  for (const round of [0, 1, 2]) {
    for (const table of ['indicators', 'income'] as const) {
      const rows = reports
        .filter((r) => r.table === table && r.delays.length > round)
        .filter((r) => {
          const key = [table, r.symbol, r.quarter, r.source, round].join()
          return !seen.has(key) && seen.add(key)
        })
        .map((r) => {
          const end = addQuarters('2015-03-31', r.quarter)
          return {
            symbol: r.symbol,
            end_date: end,
            source: r.source,
            notice_date: addDays(end, r.delays[round]!),
            n_income_attr_p: r.value + round,
            ...(table === 'indicators' && { bps: r.value / 10 + round }),
          }
        })
      if (rows.length === 0) continue
      await lake.write(table, (tx) => tx.upsert(table, rows, { dated: true }).then(() => undefined))
    }
  }
}

const PREFER = ['eastmoney', 'tushare']

/** What was visible on a day, read plainly: the first source that has one, and of it the greatest version. */
function visible(versions: readonly Version[], day: string): Version[] {
  const best = new Map<string, Version>()
  const rank = (v: Version): number => PREFER.indexOf(v.source)
  for (const version of versions) {
    if (version.visible_date === null || version.visible_date > day) continue
    const key = `${version.symbol} ${version.end_date}`
    const old = best.get(key)
    const later = (a: Version, b: Version): boolean =>
      a.visible_date === b.visible_date ? a.vintage > b.vintage : a.visible_date! > b.visible_date!
    if (!old || rank(version) < rank(old) || (rank(version) === rank(old) && later(version, old)))
      best.set(key, version)
  }
  return [...best.values()]
}

/** Cumulative profit by symbol and period: of the income statement, else of the indicators. */
function profits(versions: readonly Version[], day: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const table of ['indicators', 'income'] as const) {
    const own = versions.filter((v) => v.table === table)
    for (const v of visible(own, day)) {
      if (v.n_income_attr_p !== null) found.set(`${v.symbol} ${v.end_date}`, v.n_income_attr_p)
    }
  }
  return found
}

function ttm(cumulative: ReadonlyMap<string, number>, symbol: string, end: string): number | null {
  const at = (period: string): number => cumulative.get(`${symbol} ${period}`) ?? Number.NaN
  const year = Number(end.slice(0, 4)) - 1
  const value = end.endsWith('12-31')
    ? at(end)
    : at(end) + at(`${String(year)}-12-31`) - at(`${String(year)}${end.slice(4)}`)
  return Number.isNaN(value) ? null : value
}

async function storedVersions(engine: AnalysisEngine): Promise<Version[]> {
  return (await engine.query(`
    SELECT 'indicators' AS "table", symbol, end_date::VARCHAR AS end_date, source, visible_date::VARCHAR AS visible_date,
           vintage, n_income_attr_p, bps FROM fin_indicators_all
    UNION ALL SELECT 'income', symbol, end_date::VARCHAR, source, visible_date::VARCHAR, vintage, n_income_attr_p, NULL
    FROM fin_income_statement_all`)) as unknown as Version[]
}

const sorted = (rows: readonly unknown[]): string[] => rows.map((r) => JSON.stringify(r)).toSorted()

async function checkDay(
  engine: AnalysisEngine,
  versions: readonly Version[],
  day: string,
): Promise<void> {
  const dated = await engine.asOf(day)
  const indicators = visible(
    versions.filter((v) => v.table === 'indicators'),
    day,
  )
  const rows = indicators.map((v) => [v.symbol, v.end_date, v.source, v.vintage, v.bps])
  const columns = 'symbol, end_date::VARCHAR AS end_date, source, vintage, bps'
  const macro = await engine.table(`SELECT ${columns} FROM fin_indicators_asof('${day}')`)
  expect(sorted(macro.rows)).toEqual(sorted(rows))
  const view = await dated.table(`SELECT ${columns} FROM fin_indicators`)
  expect(sorted(view.rows)).toEqual(sorted(rows))

  const cumulative = profits(versions, day)
  const periods = new Set(
    visible(
      versions.filter((v) => v.table === 'income'),
      day,
    )
      .concat(indicators)
      .map((v) => `${v.symbol} ${v.end_date}`),
  )
  const expected = [...periods].map((key) => {
    const [symbol, end] = key.split(' ') as [string, string]
    return [symbol, end, ttm(cumulative, symbol, end)]
  })
  const flows = 'symbol, end_date::VARCHAR AS end_date, n_income_attr_p::INTEGER AS v'
  expect(sorted((await engine.table(`SELECT ${flows} FROM fin_ttm_asof('${day}')`)).rows)).toEqual(
    sorted(expected),
  )
  expect(sorted((await dated.table(`SELECT ${flows} FROM fin_ttm`)).rows)).toEqual(sorted(expected))

  const newest = new Map<string, string>()
  for (const key of periods) {
    const [symbol, end] = key.split(' ') as [string, string]
    if (end > (newest.get(symbol) ?? '')) newest.set(symbol, end)
  }
  const known = await engine.table(
    `SELECT symbol, end_date::VARCHAR AS end_date, n_income_attr_p_ttm::INTEGER AS v FROM fin_known
     WHERE known_from <= DATE '${day}' QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY known_from DESC) = 1`,
  )
  const expectedKnown = [...newest].map(([symbol, end]) => [
    symbol,
    end,
    ttm(cumulative, symbol, end),
  ])
  expect(sorted(known.rows)).toEqual(sorted(expectedKnown))
  await dated.close()
}

describe('knowledge of a date', () => {
  test('no view shows a version before its visible date, on random histories', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(report, { minLength: 5, maxLength: 60 }), async (reports) => {
        const lake = await newLake()
        await storeAll(lake, reports)
        const engine = await lake.analysis()
        try {
          const versions = await storedVersions(engine)
          const days = new Set(
            versions.flatMap((v) =>
              v.visible_date ? [v.visible_date, addDays(v.visible_date, -1)] : [],
            ),
          )
          const chosen = [...days]
            .toSorted()
            .filter((_, i, all) => i % Math.ceil(all.length / 6) === 0)
          for (const day of chosen) await checkDay(engine, versions, day)
        } finally {
          await engine.close()
        }
      }),
      { numRuns: 6 },
    )
  })

  test('a single quarter is the report minus the one before it, and NULL where that is missing', async () => {
    const lake = await newLake()
    const row = { symbol: '600519.SH', source: 'eastmoney' }
    const rows = [
      ['2024-03-31', 10],
      ['2024-06-30', 25],
      ['2024-12-31', 70],
      ['2025-03-31', 12],
    ].map(([end_date, n]) => ({
      ...row,
      end_date,
      n_income_attr_p: n,
      notice_date: addDays(String(end_date), 20),
    }))
    await lake.write('income', (tx) => tx.upsert('income', rows).then(() => undefined))
    const engine = await lake.analysis()
    const sql =
      'SELECT end_date::VARCHAR AS e, n_income_attr_p AS n FROM fin_single_quarter ORDER BY 1'
    expect(await engine.query(sql)).toEqual([
      { e: '2024-03-31', n: 10 },
      { e: '2024-06-30', n: 15 },
      { e: '2024-12-31', n: null },
      { e: '2025-03-31', n: 12 },
    ])
    const twelve =
      'SELECT end_date::VARCHAR AS e, n_income_attr_p AS n, visible_date::VARCHAR AS v FROM fin_ttm ORDER BY 1'
    expect((await engine.query(twelve)).at(-1)).toEqual({ e: '2025-03-31', n: 72, v: '2025-04-21' })
    await engine.close()
  })

  test('bars, factors, names, listings and shares end at the date', async () => {
    const lake = await newLake()
    await lake.write('market', async (tx) => {
      await tx.upsert(
        'daily',
        ['2024-01-02', '2024-06-03'].map((d) => ({ symbol: 'A', trade_date: d, close: 8 })),
      )
      await tx.upsert('adj_factor', [
        { symbol: 'A', trade_date: '2024-01-02', adj_factor: 1 },
        { symbol: 'A', trade_date: '2024-06-03', adj_factor: 2 },
      ])
      await tx.upsert('stock_basic', [
        {
          symbol: 'A',
          name: '*ST A',
          list_date: '2000-01-01',
          delist_date: '2024-05-01',
          list_status: 'D',
        },
        { symbol: 'B', name: 'B', list_date: '2024-04-01', list_status: 'L' },
      ])
      await tx.upsert('name_history', [
        { symbol: 'A', start_date: '2000-01-01', end_date: '2024-02-29', name: 'A', is_st: false },
        { symbol: 'A', start_date: '2024-03-01', name: '*ST A', is_st: true },
      ])
      await tx.upsert('share_capital', [
        { symbol: 'A', change_date: '2023-01-01', notice_date: '2022-12-20', total_share: 100 },
        { symbol: 'A', change_date: '2024-01-10', notice_date: '2024-01-05', total_share: 200 },
      ])
    })
    const engine = await lake.analysis()
    const dated = await engine.asOf('2024-01-31')
    expect(await dated.query('SELECT close FROM daily_qfq')).toEqual([{ close: 8 }])
    expect(await engine.query('SELECT close FROM daily_qfq ORDER BY trade_date')).toEqual([
      { close: 4 },
      { close: 8 },
    ])
    expect(
      await dated.query('SELECT symbol, delist_date, list_status, name FROM stock_basic'),
    ).toEqual([{ symbol: 'A', delist_date: null, list_status: 'L', name: null }])
    expect(
      await dated.query(`SELECT symbol, name, is_st FROM universe_asof('2024-01-31')`),
    ).toEqual([{ symbol: 'A', name: 'A', is_st: false }])
    const universe = `SELECT symbol, name, is_st FROM universe_asof('2024-04-15') ORDER BY 1`
    expect(await engine.query(universe)).toEqual([
      { symbol: 'A', name: '*ST A', is_st: true },
      { symbol: 'B', name: null, is_st: null },
    ])
    expect(
      await engine.query('SELECT trade_date::VARCHAR AS d, total_mv FROM valuation ORDER BY 1'),
    ).toEqual([
      { d: '2024-01-02', total_mv: 800 },
      { d: '2024-06-03', total_mv: 1600 },
    ])
    await engine.close()
  })

  test('valuation uses the report visible on the day and the shares of the day', async () => {
    const lake = await newLake()
    const row = { symbol: 'A', source: 'tushare' }
    const offers = [
      {
        ...row,
        end_date: '2023-12-31',
        notice_date: '2024-03-29',
        n_income_attr_p: 100,
        bps: 2,
        total_revenue: 1000,
      },
      // Restated on April 26th, a Friday: visible from Monday on.
      {
        ...row,
        end_date: '2023-12-31',
        notice_date: '2024-04-26',
        n_income_attr_p: 50,
        bps: 2,
        total_revenue: 1000,
      },
    ]
    for (const offer of offers) {
      await lake.write('x', (tx) =>
        tx.upsert('indicators', [offer], { dated: true }).then(() => undefined),
      )
    }
    await lake.write('bars', async (tx) => {
      const days = ['2024-03-29', '2024-04-01', '2024-04-26', '2024-04-29']
      await tx.upsert(
        'daily',
        days.map((trade_date) => ({ symbol: 'A', trade_date, close: 10 })),
      )
      await tx.upsert('share_capital', [
        { symbol: 'A', change_date: '2020-01-01', total_share: 100, float_share: 40 },
      ])
    })
    const engine = await lake.analysis()
    const sql =
      'SELECT trade_date::VARCHAR AS d, pe_ttm, pb, ps_ttm, circ_mv FROM valuation ORDER BY 1'
    expect(await engine.query(sql)).toEqual([
      { d: '2024-03-29', pe_ttm: null, pb: null, ps_ttm: null, circ_mv: 400 },
      { d: '2024-04-01', pe_ttm: 10, pb: 5, ps_ttm: 1, circ_mv: 400 },
      { d: '2024-04-26', pe_ttm: 10, pb: 5, ps_ttm: 1, circ_mv: 400 },
      { d: '2024-04-29', pe_ttm: 20, pb: 5, ps_ttm: 1, circ_mv: 400 },
    ])
    await engine.close()
  })

  test('strict knowledge leaves out what the lake had not stored by then', async () => {
    const lake = await newLake()
    const report = {
      symbol: 'A',
      source: 'tushare',
      end_date: '2023-12-31',
      notice_date: '2024-03-29',
      bps: 2,
    }
    await lake.write('backfill', (tx) => tx.upsert('indicators', [report]).then(() => undefined))
    const engine = await lake.analysis()
    const count = 'SELECT count(*)::INTEGER AS n FROM fin_indicators_all'
    expect(await (await engine.asOf('2024-04-01')).query(count)).toEqual([{ n: 1 }])
    expect(await (await engine.asOf('2024-04-01', { strict: true })).query(count)).toEqual([
      { n: 0 },
    ])
    await engine.close()
  })

  test('an engine of a date has no way to the views of the present', async () => {
    const engine = await (await newLake()).analysis()
    await engine.initViews()
    const dated = await engine.asOf('2024-01-31')
    expect(dated.knowledgeDate).toBe('2024-01-31')
    for (const sql of [
      'SELECT * FROM memory.daily',
      'SELECT * FROM memory.main.daily',
      `SELECT * FROM memory.main.fin_indicators_asof('2030-01-01')`,
      'SELECT (SELECT max(trade_date) FROM memory.daily)',
      'SELECT * FROM temp.daily',
    ]) {
      await expect(dated.query(sql)).rejects.toMatchObject({ code: 'QUERY_NOT_READ_ONLY' })
    }
    await expect(dated.query('SELECT * FROM main.daily')).resolves.toEqual([])
    await expect(dated.query('SELECT * FROM tushare.income')).resolves.toEqual([])
    await expect(dated.asOf('2024-01-01')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(engine.asOf('2024-02-30')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await dated.close()
    await engine.close()
  })

  test('a table that does not say when its rows were known is left out unless it is named', async () => {
    const lake = await newLake()
    const schema = schemaOf([field('symbol', 'string'), field('industry', 'string')])
    await lake.write('own', async (tx) => {
      await tx.ensure({
        name: 'industry',
        path: 'warehouse/industry',
        schema,
        key: ['symbol'],
        clustering: [],
        layout: 'clustered',
        vintage: false,
      })
    })
    await lake.write('rows', (tx) =>
      tx.upsert('industry', [{ symbol: 'A', industry: '白酒' }]).then(() => undefined),
    )
    const engine = await lake.analysis()
    const dated = await engine.asOf('2024-01-31')
    await expect(dated.query('SELECT * FROM industry')).rejects.toThrow(
      'does not say when its rows were known',
    )
    const including = await engine.asOf('2024-01-31', { include: ['industry'] })
    expect(await including.query('SELECT industry FROM industry')).toEqual([{ industry: '白酒' }])
    await engine.close()
  })
})
