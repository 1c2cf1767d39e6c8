/** Point in time: every view against a plain reading of the stored vintages, on random histories with late notices. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDays } from '../../src/model/date.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { newLake } from '../support/lake.ts'
import { checkHistory, histories } from '../support/report-histories.ts'

describe('knowledge of a date', () => {
  test('no view shows a version before its visible date, on a random history', async () => {
    await fc.assert(
      fc.asyncProperty(histories(30), async (reports) => checkHistory(await newLake(), reports)),
      { numRuns: 1, endOnFailure: true },
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

  test('what a bank does not report is NULL, and what it does report adds up', async () => {
    const lake = await newLake()
    const bank = { symbol: '600036.SH', source: 'eastmoney' }
    const rows = [
      ['2023-06-30', 50],
      ['2023-12-31', 100],
      ['2024-03-31', 30],
      ['2024-06-30', 65],
    ].map(([end_date, n]) => ({
      ...bank,
      end_date,
      notice_date: addDays(String(end_date), 20),
      total_revenue: n,
      n_income_attr_p: Number(n) / 2,
    }))
    // No cost of sales, and no cash flow statement at all; the mid-year report stands in the indicators only.
    await lake.write('bank', async (tx) => {
      await tx.upsert('income', rows.slice(0, 3))
      await tx.upsert('indicators', rows)
    })
    const engine = await lake.analysis()
    const columns =
      'end_date::VARCHAR AS e, total_revenue AS r, oper_cost AS c, n_cashflow_act AS f'
    const none = { c: null, f: null }
    expect(await engine.query(`SELECT ${columns} FROM fin_ttm ORDER BY 1`)).toEqual([
      { e: '2023-06-30', r: null, ...none },
      { e: '2023-12-31', r: 100, ...none },
      { e: '2024-03-31', r: null, ...none },
      { e: '2024-06-30', r: 115, ...none },
    ])
    expect(await engine.query(`SELECT ${columns} FROM fin_single_quarter ORDER BY 1`)).toEqual([
      { e: '2023-06-30', r: null, ...none },
      { e: '2023-12-31', r: null, ...none },
      { e: '2024-03-31', r: 30, ...none },
      { e: '2024-06-30', r: 35, ...none },
    ])
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
