/** Tushare: versions with dates, units, missing days, reference data. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/ingestion/collector.ts'
import { requestOf, toolsOf } from '../support/source.ts'
import { bodyOf, collector, ok, tushare } from '../support/tushare.ts'

const STATEMENT = [
  'ts_code',
  'ann_date',
  'f_ann_date',
  'end_date',
  'report_type',
  'comp_type',
  'update_flag',
  'total_revenue',
  'n_income',
  'new_item',
]

describe('reports', () => {
  const batch: Batch = { kind: 'quarter', period: '2024-12-31', tables: ['income'], requests: 2 }

  test('keep every version with its own date, the newest last', async () => {
    const source = tushare(() =>
      ok({
        fields: STATEMENT,
        items: [
          ['600000.SH', '20250328', '20250620', '20241231', '1', '2', '1', 101.5, 40, 7],
          ['600000.SH', '20250328', '20250328', '20241231', '1', '2', '0', 100, 40, 7],
          ['600000.SH', '20250328', '20250328', '20241231', '6', '2', '0', 1, 1, 1],
          ['A12345.SZ', '20250328', '20250328', '20241231', '1', '1', '0', 1, 1, 1],
          ['600001.SH', '20250401', null, '20241231', '1', '1', '0', null, null, null],
        ],
      }),
    )
    const [table] = await collector.collect(batch, toolsOf(source))
    const head = { end_date: '2024-12-31', source: 'tushare', known_at: expect.any(Date) }
    expect(table!.rows).toEqual([
      {
        ...head,
        symbol: '600000.SH',
        notice_date: '2025-03-28',
        total_revenue: 100,
        n_income: 40,
        new_item: 7,
      },
      {
        ...head,
        symbol: '600001.SH',
        notice_date: '2025-04-01',
        total_revenue: null,
        n_income: null,
        new_item: null,
      },
      expect.objectContaining({
        symbol: '600000.SH',
        notice_date: '2025-06-20',
        total_revenue: 101.5,
      }),
    ])
    expect(table!.fields.map((field) => field.name)).toEqual([
      'total_revenue',
      'n_income',
      'new_item',
    ])
    expect(bodyOf(source.asked[0]!)).toMatchObject({
      api_name: 'income_vip',
      params: { period: '20241231' },
    })
  })

  test('refuse a number that comes as text, and rows of another period', async () => {
    const row = ['600000.SH', '20250328', '20250328', '20241231', '1', '1', '0', 1, 1, 1]
    const changed = [row, [...row.slice(0, 7), '12,3', 1, 1]]
    const source = tushare(() => ok({ fields: STATEMENT, items: changed }))
    await expect(collector.collect(batch, toolsOf(source))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      details: { column: 'total_revenue' },
    })
    const other = tushare(() => ok({ fields: STATEMENT, items: [row.with(3, '20240930')] }))
    await expect(collector.collect(batch, toolsOf(other))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
    })
  })

  test('of a named stock need fewer points: one request a statement, all periods', async () => {
    const [one, more] = await collector.batches(
      requestOf({ tables: ['income'], symbols: ['600000.SH'], since: '2024-01-01' }),
    )
    expect(more).toBeUndefined()
    const row = ['600000.SH', '20250328', '20250328', '20241231', '1', '2', '1', 1, 1, 1]
    const source = tushare(() =>
      ok({ fields: STATEMENT, items: [row, row.with(3, '20240930'), row.with(3, '20191231')] }),
    )
    const [table] = await collector.collect(one!, toolsOf(source))
    expect(table!.rows.map((r) => r['end_date'])).toEqual(['2024-12-31', '2024-09-30'])
    expect(bodyOf(source.asked[0]!)).toMatchObject({
      api_name: 'income',
      params: { ts_code: '600000.SH' },
    })
  })

  test('of indicators ask for their columns by name, in the names of the lake', async () => {
    const fields = ['ts_code', 'ann_date', 'end_date', 'update_flag', 'eps', 'roe_waa', 'bps']
    const source = tushare(() =>
      ok({ fields, items: [['600000.SH', '20250328', '20241231', '1', 1.36, 6.3, 21.1]] }),
    )
    const [table] = await collector.collect({ ...batch, tables: ['indicators'] }, toolsOf(source))
    expect(bodyOf(source.asked[0]!).fields.split(',')).toEqual(
      expect.arrayContaining(['ann_date', 'update_flag', 'eps', 'roe_waa', 'bps', 'ocfps']),
    )
    expect(table!.rows[0]).toMatchObject({ basic_eps: 1.36, roe_waa: 6.3, bps: 21.1 })
  })
})

const BAR = ['ts_code', 'trade_date', 'open', 'high', 'low', 'close', 'pre_close', 'vol', 'amount']

describe('bars', () => {
  const batch: Batch = { kind: 'day', period: '2026-11-25', tables: ['daily'], requests: 2 }
  const bar = ['600519.SH', '20261125', 1480, 1499, 1475, 1488, 1470, 25_000, 3_710_000]

  test('come in shares and yuan', async () => {
    const source = tushare(() => ok({ fields: BAR, items: [bar] }))
    const [table] = await collector.collect(batch, toolsOf(source))
    expect(table!.rows).toEqual([
      {
        symbol: '600519.SH',
        trade_date: '2026-11-25',
        open: 1480,
        high: 1499,
        low: 1475,
        close: 1488,
        pre_close: 1470,
        volume: 2_500_000,
        amount: 3_710_000_000,
        source: 'tushare',
      },
    ])
  })

  test('in other units are refused', async () => {
    const source = tushare(() => ok({ fields: BAR, items: [bar.with(7, 2_500_000)] }))
    await expect(collector.collect(batch, toolsOf(source))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringContaining('do not fit'),
    })
  })

  test('of today may not be out yet: then nothing is stored, and the day is asked again', async () => {
    const source = tushare(() => ok({ fields: BAR, items: [] }))
    const tools = toolsOf(source)
    expect(await collector.collect({ ...batch, period: '2026-11-26' }, tools)).toEqual([])
    expect(source.events).toContainEqual({
      type: 'warning',
      message: 'tushare daily: 2026-11-26 is not published yet',
    })
    await expect(collector.collect(batch, tools)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
  })

  test('are asked for by the days that are missing, and the last five', async () => {
    const days = ['2026-11-13', '2026-11-16', '2026-11-17', '2026-11-18', '2026-11-19']
    const later = [
      '2026-11-20',
      '2026-11-23',
      '2026-11-24',
      '2026-11-25',
      '2026-11-26',
      '2026-11-27',
    ]
    const batches = await collector.batches(
      requestOf({
        tables: ['daily', 'adj_factor'],
        tradingDays: () => Promise.resolve([...days, ...later]),
        stored: (table) =>
          Promise.resolve(new Set(table === 'daily' ? days : days.filter((d) => d !== days[1]))),
      }),
    )
    const periods = (table: string): string[] =>
      batches.filter((b) => b.tables[0] === table).map((b) => b.period)
    expect(periods('daily')).toEqual(later.slice(0, 5))
    expect(periods('adj_factor')).toEqual(['2026-11-16', ...later.slice(0, 5)])
    expect(batches[0]).toMatchObject({ kind: 'day', tables: ['adj_factor'] })
  })

  test('of a named stock come in one request, factors as a whole series', async () => {
    const [one] = await collector.batches(
      requestOf({ tables: ['daily', 'adj_factor'], symbols: ['600519.SH'], since: '2026-11-01' }),
    )
    const source = tushare(({ api_name: api }) =>
      api === 'daily'
        ? ok({ fields: BAR, items: [bar] })
        : ok({
            fields: ['ts_code', 'trade_date', 'adj_factor'],
            items: [['600519.SH', '20261125', 9.5]],
          }),
    )
    const [daily, factors] = await collector.collect(one!, toolsOf(source))
    expect(daily!.seriesOf).toBeUndefined()
    expect(factors).toMatchObject({ seriesOf: ['600519.SH'], rows: [{ adj_factor: 9.5 }] })
    expect(source.asked.map((asked) => bodyOf(asked).params)).toEqual([
      {
        ts_code: '600519.SH',
        start_date: '20261101',
        end_date: '20261126',
        limit: 5000,
        offset: 0,
      },
      { ts_code: '600519.SH', limit: 5000, offset: 0 },
    ])
  })
})

describe('reference data', () => {
  function whole(table: string): Batch {
    return { kind: 'whole', period: '2026-11-26', tables: [table], requests: 1 }
  }

  test('the calendar', async () => {
    const fields = ['exchange', 'cal_date', 'is_open']
    const source = tushare(() =>
      ok({
        fields,
        items: [
          ['SSE', '20261001', 0],
          ['SSE', '20261009', '1'],
        ],
      }),
    )
    const [table] = await collector.collect(whole('trade_cal'), toolsOf(source))
    expect(table!.rows).toEqual([
      { date: '2026-10-01', is_open: false },
      { date: '2026-10-09', is_open: true },
    ])
    expect(bodyOf(source.asked[0]!).params).toMatchObject({ end_date: '20271231' })
  })

  test('the list, with what is delisted and paused', async () => {
    const fields = [
      'ts_code',
      'name',
      'industry',
      'market',
      'list_status',
      'list_date',
      'delist_date',
    ]
    const items: Readonly<Record<string, readonly unknown[]>> = {
      L: ['600519.SH', '贵州茅台', '白酒', '主板', 'L', '20010827', null],
      D: ['600001.SH', '邯郸钢铁(退)', null, null, 'D', '19980122', '20091229'],
    }
    const source = tushare(({ params }) => {
      const row = items[String(params['list_status'])]
      return ok({ fields, items: row ? [row] : [] })
    })
    const [table] = await collector.collect(whole('stock_basic'), toolsOf(source))
    expect(table!.rows).toMatchObject([
      { symbol: '600519.SH', board: '主板', list_status: 'L', delist_date: null },
      { symbol: '600001.SH', board: '主板', list_status: 'D', delist_date: '2009-12-29' },
    ])
  })

  test('names, with ST where it stands in them; of two rows of one day the later', async () => {
    const fields = ['ts_code', 'name', 'start_date', 'end_date', 'ann_date', 'change_reason']
    const items = [
      ['000004.SZ', '*ST国华', '20240506', null, '20240430', '*ST'],
      ['000004.SZ', '国华网安', '20200901', '20240505', '20200831', '改名'],
      ['000004.SZ', '国农科技', '20200901', null, '20200101', '其他'],
    ]
    const source = tushare(() => ok({ fields, items }))
    const [table] = await collector.collect(whole('name_history'), toolsOf(source))
    expect(table!.rows).toHaveLength(2)
    expect(table!.rows).toContainEqual({
      symbol: '000004.SZ',
      start_date: '2020-09-01',
      end_date: '2024-05-05',
      name: '国华网安',
      is_st: false,
    })
    expect(table!.rows).toContainEqual(expect.objectContaining({ name: '*ST国华', is_st: true }))
  })
})
