/** Tushare: pages, errors by number and words, versions with dates, units, and the token that nobody sees. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/ingestion/collector.ts'
import { tushareCollector } from '../../src/ingestion/tushare.ts'
import { fetchTushare } from '../../src/ingestion/tushare-protocol.ts'
import { LakeError } from '../../src/model/errors.ts'
import type { Asked, FakeSource, Reply } from '../support/source.ts'
import { NO_SETTINGS, fakeSource, requestOf, toolsOf } from '../support/source.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const SETTINGS = { ...NO_SETTINGS, token: TOKEN }
const collector = tushareCollector(SETTINGS)

interface Body {
  readonly api_name: string
  readonly token: string
  readonly params: Readonly<Record<string, string | number>>
  readonly fields: string
}

type Table = { readonly fields: readonly string[]; readonly items: readonly (readonly unknown[])[] }

function bodyOf(one: Asked): Body {
  return JSON.parse(one.body) as Body
}

function ok({ fields, items }: Table, more = false): Reply {
  const data = { fields, items, has_more: more }
  return { body: JSON.stringify({ request_id: 'r', code: 0, msg: '', data }) }
}

function refusal(code: number, msg: string): Reply {
  return { body: JSON.stringify({ request_id: 'r', code, msg, data: null }) }
}

function tushare(answer: (body: Body, one: Asked) => Reply): FakeSource {
  return fakeSource((one) => answer(bodyOf(one), one), { source: 'tushare', settings: SETTINGS })
}

const REQUEST = { api: 'income_vip', parameters: { period: '20241231' }, required: ['ts_code'] }

function fetchRows(source: FakeSource) {
  return fetchTushare({ http: source.http, baseUrl: '', token: TOKEN }, REQUEST)
}

function codes(count: number): Table {
  const items = Array.from({ length: count }, (_, i) => [`${String(i).padStart(6, '0')}.SZ`, i])
  return { fields: ['ts_code', 'value'], items }
}

describe('pages', () => {
  test.each([0, 1, 4999, 5000, 5001, 11_391])('of %i rows come whole', async (count) => {
    const all = codes(count)
    const source = tushare(({ params }) => {
      const [limit, offset] = [Number(params['limit']), Number(params['offset'])]
      return ok({ ...all, items: all.items.slice(offset, offset + limit) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(count)
  })

  test.each([1000, 2000, 4500])('come whole from a source that gives %i at a time', async (cap) => {
    const all = codes(5391)
    const source = tushare(({ params }) => {
      const offset = Number(params['offset'])
      return ok({ ...all, items: all.items.slice(offset, offset + cap) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(5391)
  })

  test('go on while the source says that more follows', async () => {
    const all = codes(700)
    const source = tushare(({ params }) => {
      const offset = Number(params['offset'])
      return ok({ ...all, items: all.items.slice(offset, offset + 33) }, offset + 33 < 700)
    })
    expect((await fetchRows(source)).rows).toHaveLength(700)
  })

  test('that shifted are read again', async () => {
    const all = codes(7000)
    const source = tushare(({ params }, one) => {
      const offset = Number(params['offset'])
      const from = one.number === 2 ? offset - 1 : offset
      return ok({ ...all, items: all.items.slice(from, from + 5000) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(7000)
  })

  test.each([
    ['a row with a value too few', { fields: ['ts_code', 'v'], items: [['000001.SZ']] }],
    ['a row that is none', { fields: ['ts_code', 'v'], items: ['000001.SZ'] as never }],
    ['a field without name', { fields: ['ts_code', 7 as never], items: [['000001.SZ', 1]] }],
  ])('with %s are refused', async (_name, table) => {
    const source = tushare(() => ok(table))
    await expect(fetchRows(source)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
  })

  test('without a column that is needed are refused by name', async () => {
    const source = tushare(() => ok({ fields: ['code'], items: [['000001.SZ']] }))
    await expect(fetchRows(source)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining('ts_code'),
    })
  })
})

describe('errors', () => {
  test('a limit by the minute is waited for, at least a minute', async () => {
    const source = tushare((_body, one) =>
      one.number === 1 ? refusal(40203, '抱歉，您每分钟最多访问该接口500次') : ok(codes(1)),
    )
    const startMs = source.clock.ms
    expect((await fetchRows(source)).rows).toHaveLength(1)
    expect(source.clock.ms - startMs).toBeGreaterThanOrEqual(61_000)
    expect(source.clock.ms - startMs).toBeLessThanOrEqual(66_000)
  })

  test.each([
    ['points', 40203, '抱歉，您没有访问该接口的权限，权限的具体详情访问官网', 'SOURCE_REFUSED'],
    ['points by another number', 2002, '积分不足', 'SOURCE_REFUSED'],
    ['a limit by the day', 40203, '抱歉，您每天最多访问该接口100000次', 'SOURCE_REFUSED'],
    ['a bad token', 40101, '您的token不对，请确认。', 'SOURCE_REFUSED'],
    ['something unknown', 50101, '系统内部错误', 'SOURCE_FAILED'],
  ])('%s: asked once, %i', async (_name, code, words, expected) => {
    const source = tushare(() => refusal(code, words))
    await expect(fetchRows(source)).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(words),
    })
    expect(source.asked).toHaveLength(1)
  })

  test('a bad token ends the whole sync, missing points only what needs them', async () => {
    const final = async (code: number, words: string): Promise<unknown> =>
      fetchRows(tushare(() => refusal(code, words))).catch(
        (error: LakeError) => error.details['final'],
      )
    expect(await final(40101, '您的token不对，请确认。')).toBe(true)
    expect(await final(2002, '积分不足')).toBeUndefined()
  })

  test('without a token nothing is asked', async () => {
    const source = fakeSource(() => ok(codes(1)))
    const access = { http: source.http, baseUrl: '', token: '' }
    await expect(fetchTushare(access, REQUEST)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      next: expect.stringContaining('TUSHARE_TOKEN'),
    })
    expect(source.asked).toHaveLength(0)
  })
})

describe('the token', () => {
  test.each([
    ['an error of the source', 40101, `您的token(${TOKEN})不对，请确认。`],
    ['an unknown error', 50101, `bad ${TOKEN} ${TOKEN}`],
  ])('is in no part of %s', async (_name, code, words) => {
    const source = tushare(() => refusal(code, words))
    const error = await fetchRows(source).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(LakeError)
    const { message, details, next, cause } = error as LakeError
    expect(JSON.stringify({ message, details, next, cause: String(cause) })).not.toContain(TOKEN)
    expect(message).toContain('***')
  })

  test('is in no event, and in no error of the network', async () => {
    const source = fakeSource(() => ok(codes(1)), {
      settings: SETTINGS,
      fetch: () =>
        Promise.reject(new TypeError('fetch failed', { cause: new Error(`at ${TOKEN}`) })),
    })
    const error = (await fetchRows(source).catch((thrown: unknown) => thrown)) as LakeError
    expect(JSON.stringify([error.message, error.details])).not.toContain(TOKEN)
    expect(source.events.length).toBeGreaterThan(0)
    expect(JSON.stringify(source.events)).not.toContain(TOKEN)
  })

  test('goes in the body and not in the address', async () => {
    const source = tushare(() => ok(codes(1)))
    await fetchRows(source)
    expect(source.asked[0]!.url.href).toBe('http://api.tushare.pro/')
    expect(bodyOf(source.asked[0]!).token).toBe(TOKEN)
  })
})

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
    expect(batches.map((b) => b.period)).toEqual(['2026-11-16', ...later.slice(0, 5)])
    expect(batches[0]).toMatchObject({ kind: 'day', tables: ['daily', 'adj_factor'] })
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
