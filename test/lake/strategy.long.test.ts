/** Strategies: rebalance days, knowledge of each day, tables of factors and picks, pins, and bad definitions. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { StrategyDefinition } from '../../src/analysis/strategy.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { defineStrategy } from '../../src/lake/strategy.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

const SYMBOLS = ['000001.SZ', '300750.SZ', '600519.SH']

/** Three stocks with a bar on each month's end of 2024; one restates its annual report in July. */
async function market(): Promise<Lake> {
  const lake = await newLake()
  const report = { source: 'tushare', end_date: '2023-12-31' }
  const reports = SYMBOLS.map((symbol, i) => ({
    ...report,
    symbol,
    notice_date: '2024-03-15',
    basic_eps: i + 1,
  }))
  const days = ['2024-03-29', '2024-04-30', '2024-05-31', '2024-06-28', '2024-07-31']
  await lake.write('market', async (tx) => {
    await tx.upsert('indicators', reports, { dated: true })
    await tx.upsert(
      'stock_basic',
      SYMBOLS.map((symbol) => ({ symbol, list_date: '2000-01-01', list_status: 'L' })),
    )
    await tx.upsert(
      'daily',
      days.flatMap((trade_date) =>
        SYMBOLS.map((symbol) => ({ symbol, trade_date, close: 10, source: 'tushare' })),
      ),
    )
  })
  const restated = { ...reports[0]!, notice_date: '2024-07-10', basic_eps: 30 }
  await lake.write('restated', async (tx) => {
    await tx.upsert('indicators', [restated], { dated: true })
  })
  return lake
}

const definition: StrategyDefinition = {
  name: 'cheap',
  rebalance: 'month',
  factors: `SELECT symbol, close / basic_eps_ttm AS pe, 1.5 AS exact, bps FROM valuation
            WHERE trade_date = $date`,
  picks: { by: 'pe', top: 1, order: 'asc' },
}
const RANGE = { from: '2024-03-01', to: '2024-07-31' }

describe('a strategy', () => {
  let lake: Lake
  beforeAll(async () => {
    lake = await market()
  })

  test('picks with the knowledge of each day: a restatement counts from its own date on', async () => {
    const run = await defineStrategy(definition).run(lake, RANGE)
    expect(run.days.map(({ date, picks }) => [date, picks[0]!.symbol])).toEqual([
      ['2024-03-29', '600519.SH'],
      ['2024-04-30', '600519.SH'],
      ['2024-05-31', '600519.SH'],
      ['2024-06-28', '600519.SH'],
      ['2024-07-31', '000001.SZ'],
    ])
    expect(run.days[0]).toMatchObject({ universe: 3, valued: 3 })
    committed(run.outcome!)
  })

  test('leaves factors, picks and the pin in the lake, and a second run of the same changes only the runs', async () => {
    const strategy = defineStrategy(definition)
    const first = await strategy.run(lake, RANGE)
    expect(
      await rowsOf(
        lake,
        `SELECT trade_date, symbol, pe, exact FROM cheap_factors WHERE trade_date = '2024-07-31' ORDER BY 2`,
      ),
    ).toEqual([
      { trade_date: '2024-07-31', symbol: '000001.SZ', pe: 1 / 3, exact: 1.5 },
      { trade_date: '2024-07-31', symbol: '300750.SZ', pe: 5, exact: 1.5 },
      { trade_date: '2024-07-31', symbol: '600519.SH', pe: 10 / 3, exact: 1.5 },
    ])
    expect(
      await rowsOf(lake, 'SELECT count(*)::INTEGER AS n, sum(weight) AS w FROM cheap_picks'),
    ).toEqual([{ n: 5, w: 5 }])
    const again = await strategy.run(lake, { ...RANGE, at: first.pin.token })
    expect(again.pin.token).toBe(first.pin.token)
    expect(again.outcome).toMatchObject({
      counts: { cheap_factors: { inserted: 0, unchanged: 15 }, strategy_runs: { inserted: 1 } },
    })
    const runs = await rowsOf(
      lake,
      `SELECT DISTINCT strategy, pin, days FROM strategy_runs WHERE run_id IN ('${first.runId}', '${again.runId}')`,
    )
    expect(runs).toEqual([{ strategy: 'cheap', pin: first.pin.token, days: 5 }])
  })

  test('a later run replaces its own days and no others; its tables are seen as of a date', async () => {
    const name = 'narrow'
    const run = (top: number, from: string): Promise<unknown> =>
      defineStrategy({ ...definition, name, picks: { by: 'pe', top } }).run(lake, {
        from,
        to: RANGE.to,
      })
    await run(3, '2024-03-01')
    await run(1, '2024-06-01')
    const counts =
      'SELECT count(*)::INTEGER AS n FROM narrow_picks GROUP BY trade_date ORDER BY trade_date'
    expect((await rowsOf(lake, counts)).map((row) => row['n'])).toEqual([3, 3, 3, 1, 1])
    const engine = await lake.analysis()
    const dated = await engine.asOf('2024-04-30')
    expect(await dated.query('SELECT max(trade_date) AS d FROM narrow_picks')).toEqual([
      { d: '2024-04-30' },
    ])
    await engine.close()
  })

  test('is written with functions as well, and knows what it held before', async () => {
    const held: number[] = []
    const strategy = defineStrategy({
      name: 'turns',
      rebalance: ['2024-04-30', '2024-05-31'],
      universe: async () => ['sh600519', '1'],
      factors: async ({ engine }, universe) =>
        engine.query(
          'SELECT symbol, basic_eps AS eps FROM fin_indicators WHERE symbol IN (SELECT unnest($1::VARCHAR[]))',
          [universe],
        ),
      picks: (rows, { previous }) => {
        held.push(previous.length)
        return rows.map(({ symbol }) => ({ symbol: symbol as string, weight: 0.5 }))
      },
    })
    const run = await strategy.run(lake, { ...RANGE, write: false })
    expect(held).toEqual([0, 1])
    expect(run.days[0]).toMatchObject({
      universe: 2,
      picks: [{ symbol: '600519.SH', weight: 0.5 }],
    })
    expect(run.outcome).toBeUndefined()
    expect((await lake.head()).tables['turns_picks']).toBeUndefined()
  })

  test('the detector names the rows that later knowledge changes, with the weights', async () => {
    const found = await defineStrategy(definition).lookAhead(lake, ['2024-06-28', '2024-12-31'])
    // The valuation of a day holds what was visible on it, so later knowledge changes nothing.
    expect(found).toEqual([])
    const biased = defineStrategy({
      ...definition,
      factors: 'SELECT symbol, 10 / basic_eps AS pe FROM fin_indicators',
    })
    const named = await biased.lookAhead(lake, ['2024-06-28', '2024-12-31'])
    expect(named.map(({ key, columns }) => [key['symbol'], columns])).toEqual([
      ['000001.SZ', ['pe', 'weight']],
      ['600519.SH', ['weight']],
    ])
  })

  test('keeps what it read under a tag', async () => {
    const { pin } = await defineStrategy(definition).run(lake, {
      ...RANGE,
      write: false,
      keep: 'paper',
    })
    expect(pin.validUntil).toBeUndefined()
    expect((await lake.head()).tags['paper']).toBeDefined()
  })

  test.each([
    [{ name: '1st' }, 'INVALID_NAME', 'not a table name'],
    [{ picks: { by: 'pe', top: 0 } }, 'INVALID_ARGUMENT', 'top 0'],
    [
      { picks: { by: 'nope', top: 1 } },
      'COLUMN_NOT_FOUND',
      'cheap on 2024-03-29: the factors have no column nope',
    ],
    [{ factors: 'SELECT 1 AS x' }, 'COLUMN_NOT_FOUND', 'no column symbol'],
    [
      { factors: `SELECT '600519.SH' AS symbol UNION ALL SELECT '600519.SH'` },
      'DUPLICATE_KEY',
      'two rows of 600519.SH',
    ],
    [{ factors: 'SELECT symbol FRM daily' }, 'SQL_ERROR', 'cheap on 2024-03-29'],
    [{ picks: () => ['600519.SH', '600519.SH'] }, 'DUPLICATE_KEY', 'picked twice'],
    [{ rebalance: ['2024-02-30'] }, 'INVALID_ARGUMENT', '2024-02-30'],
    [{ rebalance: ['1999-01-04'] }, 'INVALID_ARGUMENT', 'no rebalance day'],
    [
      { factors: `SELECT '600519.SH' AS symbol, 1 AS pe, [1] AS list` },
      'UNSUPPORTED_TYPE',
      'factor list',
    ],
  ] as const)('%j is refused with %s', async (change, code, text) => {
    const run = async (): Promise<unknown> =>
      defineStrategy({ ...definition, ...(change as Partial<StrategyDefinition>) }).run(lake, RANGE)
    await expect(run()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text) as string,
    })
  })

  test('a lake without stock_basic is told to bring it or to name a universe', async () => {
    const empty = await newLake()
    const run = defineStrategy({ ...definition, factors: 'SELECT symbol FROM daily' }).run(
      empty,
      RANGE,
    )
    await expect(run).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      next: expect.stringContaining('stock_basic') as string,
    })
  })

  test('ends between two days when it is cancelled, and writes nothing', async () => {
    const abort = new AbortController()
    const run = defineStrategy({ ...definition, name: 'stopped' }).run(lake, {
      ...RANGE,
      signal: abort.signal,
      onDay: () => abort.abort(),
    })
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' })
    expect((await lake.head()).tables['stopped_picks']).toBeUndefined()
  })
})
