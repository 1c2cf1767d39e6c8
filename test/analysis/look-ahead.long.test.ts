/** Look-ahead: no view of a date shows what was not known then, and the detector names what later knowledge changes. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import { newLake } from '../support/lake.ts'
import { OPEN_DAYS, checkKnownThen, markets } from '../support/known-then.ts'

test('every view, macro and alias of a date shows what a lake shows that knew no more than that', async () => {
  await fc.assert(
    fc.asyncProperty(markets(100), (facts) => checkKnownThen(facts, OPEN_DAYS.slice(1, 2))),
    { numRuns: 1, endOnFailure: true },
  )
})

describe('a restatement of A and a late notice of B', () => {
  let engine: AnalysisEngine
  beforeAll(async () => {
    const lake = await newLake()
    const flows = (symbol: string, end_date: string, notice_date: string, n: number) => ({
      symbol,
      end_date,
      notice_date,
      source: 'tushare',
      total_revenue: 10 * n,
      n_income_attr_p: n,
    })
    const reports = ['A', 'B', 'C'].flatMap((s) => [
      flows(s, '2022-12-31', '2023-03-30', 100),
      flows(s, '2023-03-31', '2023-04-28', 20),
      flows(s, '2023-12-31', '2024-03-29', 110),
    ])
    const late = flows('B', '2024-03-31', '2024-08-30', 30)
    const known = ['A', 'C'].map((s) => flows(s, '2024-03-31', '2024-04-26', 25))
    await lake.write('reports', async (tx) => {
      for (const table of ['indicators', 'income'])
        await tx.upsert(table, [...reports, ...known, late], { dated: true })
    })
    await lake.write('restated', async (tx) => {
      const restated = flows('A', '2024-03-31', '2024-06-28', 5)
      for (const table of ['indicators', 'income'])
        await tx.upsert(table, [restated], { dated: true })
    })
    await lake.write('bars', async (tx) => {
      const days = ['2024-05-06', '2024-07-01', '2024-09-02']
      await tx.upsert(
        'daily',
        ['A', 'B', 'C'].flatMap((symbol) =>
          days.map((trade_date) => ({ symbol, trade_date, close: 10 })),
        ),
      )
      await tx.upsert(
        'share_capital',
        ['A', 'B', 'C'].map((symbol) => ({ symbol, change_date: '2020-01-01', total_share: 100 })),
      )
    })
    engine = await lake.analysis()
    return () => engine.close()
  })
  const DATES = ['2024-05-06', '2024-12-31'] as const

  test.each([
    'fin_indicators',
    'fin_income_statement',
    'financial_statements',
    'fin_single_quarter',
    'fin_ttm',
    'tushare.income',
    'tushare.fina_indicator',
  ])('are named in %s, with their columns, and nothing else is', async (view) => {
    const symbol = view.startsWith('tushare') ? 'ts_code' : 'symbol'
    const found = await engine.lookAhead(
      `SELECT ${symbol}, end_date, n_income_attr_p FROM ${view}`,
      { dates: DATES, key: [symbol, 'end_date'] },
    )
    expect(
      found.map(({ kind, key, columns }) => [kind, key[symbol], key['end_date'], columns]),
    ).toEqual([
      ['changed', 'A', '2024-03-31', ['n_income_attr_p']],
      ['appeared', 'B', '2024-03-31', []],
    ])
  })

  test('do not reach the valuation of days before them, and change that of days after', async () => {
    const sql = 'SELECT symbol, trade_date, pe_ttm, end_date FROM valuation'
    const options = { dates: DATES, key: ['symbol', 'trade_date'], dateColumn: 'trade_date' }
    expect(await engine.lookAhead(sql, options)).toEqual([])
    const { rows } = await engine.table(
      `SELECT symbol, trade_date, n_income_attr_p_ttm, end_date FROM valuation ORDER BY ALL`,
    )
    expect(rows).toEqual([
      ['A', '2024-05-06', 115, '2024-03-31'],
      ['A', '2024-07-01', 95, '2024-03-31'],
      ['A', '2024-09-02', 95, '2024-03-31'],
      ['B', '2024-05-06', 110, '2023-12-31'],
      ['B', '2024-07-01', 110, '2023-12-31'],
      ['B', '2024-09-02', 120, '2024-03-31'],
      ['C', '2024-05-06', 115, '2024-03-31'],
      ['C', '2024-07-01', 115, '2024-03-31'],
      ['C', '2024-09-02', 115, '2024-03-31'],
    ])
  })
})
