/** Bars without a token: Sina's and Tencent's, in shares and yuan, and Sina's factors. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkBars, medianRatio } from '../../src/ingestion/bars.ts'
import type { Bar } from '../../src/ingestion/bars.ts'
import { sinaCollector } from '../../src/ingestion/sina.ts'
import { tencentCollector } from '../../src/ingestion/tencent.ts'
import { SINA_BARS, SINA_FACTORS, TENCENT_BARS } from '../support/recorded.ts'
import type { Asked, FakeSource, Reply } from '../support/source.ts'
import { NO_SETTINGS, fakeSource, requestOf, toolsOf } from '../support/source.ts'

const bar: Bar = {
  symbol: '600519.SH',
  date: '2024-12-18',
  open: 10,
  high: 11,
  low: 9,
  close: 10,
  volume: 1000,
  amount: 10_000,
}

describe('units', () => {
  test('are found by the amounts, whatever is documented', () => {
    const days = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 30 })
    const unit = fc.constantFrom<1 | 100>(1, 100)
    fc.assert(
      fc.property(days, unit, unit, (volumes, real, documented) => {
        const bars = volumes.map((shares, i) => ({
          ...bar,
          date: `2024-01-${String(i + 1).padStart(2, '0')}`,
          volume: shares / real,
          amount: shares * 10.2,
        }))
        const { rows } = checkBars(bars, { source: 'x', sharesOf: () => documented })
        rows.forEach((row, i) => expect(row['volume']).toBeCloseTo(volumes[i]!, 6))
      }),
    )
  })

  test('without amounts are the documented ones', () => {
    const { amount: _, ...bare } = bar
    const { rows } = checkBars([bare], { source: 'x', sharesOf: () => 100 })
    expect(rows[0]).toMatchObject({ volume: 100_000 })
    expect(rows[0]).not.toHaveProperty('amount')
    expect(rows[0]).not.toHaveProperty('pre_close')
  })

  test('that fit nothing are refused', () => {
    const odd = { ...bar, amount: 10_000_000 }
    expect(() => checkBars([odd], { source: 'x', sharesOf: () => 1 })).toThrow(/do not fit/)
  })

  test('are told by the median: one day may be odd', () => {
    const odd = { ...bar, amount: 1 }
    expect(medianRatio([odd, bar, bar])).toBe(1)
    expect(medianRatio([{ ...bar, volume: 0 }])).toBeUndefined()
  })
})

describe('impossible bars', () => {
  const good = Array.from({ length: 300 }, (_, i) => ({
    ...bar,
    date: new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10),
  }))
  const impossible: Partial<Bar>[] = [
    { high: 9.5 },
    { low: 10.5 },
    { close: -3 },
    { close: 0 },
    { volume: -1 },
    { open: Number.NaN },
    { date: '2024-13-01' },
  ]

  test.each(impossible)('%j: one is left out with a word', (change) => {
    const bars = [...good, { ...bar, date: '2025-06-01', ...change }]
    const { rows, warnings } = checkBars(bars, { source: 'x', sharesOf: () => 1 })
    expect(rows).toHaveLength(300)
    expect(warnings).toHaveLength(1)
  })

  test.each(impossible)('%j: many mean that the source has changed', (change) => {
    const bars = good.map((one, i) => (i % 20 === 0 ? { ...one, ...change } : one))
    expect(() => checkBars(bars, { source: 'x', sharesOf: () => 1 })).toThrow(/too many impossible/)
  })

  test('a suspended day has a close and no range', () => {
    const still = { ...bar, open: 0, high: 0, low: 0, volume: 0, amount: 0 }
    const { rows } = checkBars([still, ...good], { source: 'x', sharesOf: () => 1 })
    expect(rows[0]).toMatchObject({ open: null, high: null, low: null, close: 10, volume: 0 })
  })
})

const GBK_NOTE = new Uint8Array([0xc3, 0xa9, 0xcc, 0xa8])

function sources(replies: Readonly<Record<string, Reply | ((one: Asked) => Reply)>>): FakeSource {
  return fakeSource((one) => {
    const key = Object.keys(replies).find((path) => one.url.pathname.includes(path))
    const reply = replies[key ?? '']
    if (reply === undefined) return { status: 404, body: 'none' }
    return typeof reply === 'function' ? reply(one) : reply
  })
}

describe('Sina', () => {
  const sina = sinaCollector(NO_SETTINGS)
  const asks = requestOf({
    tables: ['daily', 'adj_factor'],
    symbols: ['600519.SH'],
    since: '2024-12-01',
  })

  async function collect(source: FakeSource, request = asks) {
    const [batch] = await sina.batches(request)
    return sina.collect(batch!, toolsOf(source))
  }

  test('gives bars in shares without amounts, and factors as steps', async () => {
    const source = sources({ getKLineData: { body: SINA_BARS }, 'hfq.js': { body: SINA_FACTORS } })
    const [daily, factors] = await collect(source)
    expect(daily!.rows).toEqual([
      {
        symbol: '600519.SH',
        trade_date: '2024-12-18',
        open: 1545,
        high: 1557.98,
        low: 1536,
        close: 1541,
        volume: 2_310_987,
        source: 'sina',
      },
      expect.objectContaining({ trade_date: '2024-12-19', volume: 2_581_622 }),
    ])
    expect(factors).toMatchObject({ table: 'adj_factor', seriesOf: ['600519.SH'] })
    expect(factors!.rows).toEqual([
      { symbol: '600519.SH', trade_date: '1900-01-01', adj_factor: 1, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2022-06-30', adj_factor: 165.201, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2023-06-30', adj_factor: 169.1453, source: 'sina' },
    ])
    expect(source.asked.map((one) => one.url.host)).toEqual([
      'money.finance.sina.com.cn',
      'finance.sina.com.cn',
    ])
    expect(Number(source.asked[0]!.query.get('datalen'))).toBeGreaterThan(725)
  })

  test('answers in GBK, and with names without quotes', async () => {
    const text = SINA_BARS.replaceAll(/"(day|open|high|low|close|volume)":/g, '$1:')
    const comment = Buffer.concat([Buffer.from(`${SINA_FACTORS}/* `), GBK_NOTE, Buffer.from(' */')])
    const source = sources({ getKLineData: { body: text }, 'hfq.js': { body: comment } })
    const [daily, factors] = await collect(source)
    expect([daily!.rows.length, factors!.rows.length]).toEqual([2, 3])
  })

  test('has no bars of a stock it does not know; that is a warning', async () => {
    const source = sources({ getKLineData: { body: 'null' }, 'hfq.js': { body: SINA_FACTORS } })
    const [daily] = await collect(source)
    expect(daily).toMatchObject({ rows: [], warnings: ['sina: no bars of 600519.SH'] })
  })

  test.each([
    ['a web page', { getKLineData: { body: '<html>拒绝访问</html>' } }],
    ['days in disorder', { getKLineData: { body: SINA_BARS.replace('12-19', '12-17') } }],
    ['no list', { getKLineData: { body: '{"error":1}' } }],
    ['a bar without day', { getKLineData: { body: '[{"open":"1"}]' } }],
    [
      'factors that are fewer than declared',
      { 'hfq.js': { body: SINA_FACTORS.replace('3', '4') } },
    ],
    ['a factor of nought', { 'hfq.js': { body: SINA_FACTORS.replace('165.2010', '0') } }],
  ])('is refused with %s', async (_name, broken) => {
    const good = { getKLineData: { body: SINA_BARS }, 'hfq.js': { body: SINA_FACTORS } }
    await expect(collect(sources({ ...good, ...broken }))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
    })
  })

  test('is asked for what is missing only, and for a week again', async () => {
    const listed = [
      { symbol: '000001.SZ', listDate: '1991-04-03', delistDate: null },
      { symbol: '000013.SZ', listDate: '1992-05-06', delistDate: '2004-09-20' },
      { symbol: '600519.SH', listDate: '2001-08-27', delistDate: null },
    ]
    const [batch, more] = await sina.batches(
      requestOf({
        tables: ['daily'],
        listed: () => Promise.resolve(listed),
        lastDates: () => Promise.resolve(new Map(listed.map((l) => [l.symbol, '2026-11-25']))),
      }),
    )
    expect(more).toBeUndefined()
    expect(batch).toMatchObject({
      kind: 'symbols',
      symbols: ['000001.SZ', '600519.SH'],
      since: '2026-11-18',
    })
    expect(batch!.period).toMatch(/^2026-11-26 /)
  })
})

describe('Tencent', () => {
  const tencent = tencentCollector(NO_SETTINGS, NO_SETTINGS)

  async function collect(answer: unknown, symbol = '601872.SH') {
    const source = sources({ fqkline: { body: JSON.stringify(answer) } })
    const [batch] = await tencent.batches(
      requestOf({ tables: ['daily'], symbols: [symbol], since: '2024-12-01', until: '2024-12-31' }),
    )
    return { tables: await tencent.collect(batch!, toolsOf(source)), source }
  }

  test('gives lots and tens of thousands of yuan, which become shares and yuan', async () => {
    const { tables, source } = await collect(TENCENT_BARS)
    expect(source.asked[0]!.query.get('param')).toBe('sh601872,day,2024-12-01,2024-12-31,640,')
    expect(tables[0]!.rows[1]).toEqual({
      symbol: '601872.SH',
      trade_date: '2024-12-18',
      open: 6.11,
      close: 6.18,
      high: 6.28,
      low: 6.1,
      volume: 84_274_300,
      amount: 542_829_500,
      source: 'tencent',
    })
  })

  test('counts shares for some stocks; the amounts tell', async () => {
    const day = [['2024-12-18', '50', '51', '52', '49', '1000000', {}, '0.5', '5080']]
    for (const symbol of ['688001.SH', '601872.SH']) {
      const data = { [`sh${symbol.slice(0, 6)}`]: { day } }
      const { tables } = await collect({ code: 0, data }, symbol)
      expect(tables[0]!.rows[0]).toMatchObject({ volume: 1_000_000, amount: 50_800_000 })
    }
  })

  test.each([
    ['adjusted bars', { code: 0, data: { sh601872: { qfqday: TENCENT_BARS.data.sh601872.day } } }],
    ['an error', { code: 1, msg: 'bad params', data: [] }],
    ['bars that are no list', { code: 0, data: { sh601872: { day: {} } } }],
    ['a bar too short', { code: 0, data: { sh601872: { day: [['2024-12-18', '1']] } } }],
    ['the order of columns changed', swapped()],
  ])('is refused with %s', async (_name, answer) => {
    await expect(collect(answer)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
  })

  test('has no bars of a stock it does not know', async () => {
    const { tables } = await collect({ code: 0, data: { sh601872: [] } })
    expect(tables[0]!.rows).toEqual([])
  })

  test('is asked window by window for a long time', async () => {
    const source = sources({ fqkline: { body: JSON.stringify({ code: 0, data: {} }) } })
    const [batch] = await tencent.batches(
      requestOf({ tables: ['daily'], symbols: ['601872.SH'], since: '2015-01-01' }),
    )
    await tencent.collect(batch!, toolsOf(source))
    const windows = source.asked.map((one) => one.query.get('param')!.split(',').slice(2, 4))
    expect(windows[0]).toEqual(['2015-01-01', '2017-06-18'])
    expect(windows[1]![0]).toBe('2017-06-19')
    expect(windows.at(-1)![1]).toBe('2026-11-26')
  })
})

/** High and low in each other's place. */
function swapped(): unknown {
  const day = TENCENT_BARS.data.sh601872.day.map(([date, open, close, high, low, ...rest]) => [
    date,
    open,
    close,
    low,
    high,
    ...rest,
  ])
  return { code: 0, data: { sh601872: { day } } }
}
