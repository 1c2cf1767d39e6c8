/** What stands around queries: tables in memory, pins, limits, Arrow, look-ahead and vintages. */
import { tableFromIPC } from '@uwdata/flechette'
import { afterEach, describe, expect, test } from 'vitest'
import type { AnalysisEngine, EngineOptions } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, madeLake, newLake } from '../support/lake.ts'
import { MIXED } from '../support/mixed-values.ts'

const engines: AnalysisEngine[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})

async function engineOf(lake: Lake, options: EngineOptions = {}): Promise<AnalysisEngine> {
  const engine = await lake.analysis(options)
  engines.push(engine)
  return engine
}

type Offer = readonly [symbol: string, end: string, notice: string, eps: number]

async function offer(lake: Lake, source: string, ...offers: readonly Offer[]): Promise<void> {
  const rows = offers.map(([symbol, end_date, notice_date, basic_eps]) => ({
    symbol,
    end_date,
    notice_date,
    basic_eps,
    source,
  }))
  committed(
    await lake.write(source, (tx) =>
      tx.upsert('indicators', rows, { dated: true }).then(() => undefined),
    ),
  )
}

describe('tables in memory', () => {
  const VIEWS = ['fin_indicators', 'fin_indicators_all', 'daily', 'fin_ttm', 'valuation']

  async function sameAnswers(lake: Lake, resident: AnalysisEngine): Promise<void> {
    const plain = await lake.analysis()
    for (const view of VIEWS) {
      const sql = `SELECT * FROM ${view} ORDER BY ALL`
      expect(await resident.table(sql)).toEqual(await plain.table(sql))
    }
    await plain.close()
  }

  test('answer as files do, through new rows, changed rows, deletes, restatements and folding', async () => {
    const lake = await newLake()
    const names = ['fin_indicators', 'daily']
    const engine = await engineOf(lake, { resident: names, follow: true })
    await sameAnswers(lake, engine)
    const bar = (symbol: string, close: number): Record<string, unknown> => ({
      symbol,
      trade_date: '2024-01-02',
      close,
    })
    const write = (rows: Record<string, unknown>[]): Promise<unknown> =>
      lake.write('bars', (tx) => tx.upsert('daily', rows as never).then(() => undefined))
    await write([bar('A', 1), bar('B', 2)])
    await offer(
      lake,
      'eastmoney',
      ['A', '2023-12-31', '2024-03-29', 1],
      ['B', '2023-12-31', '2024-03-29', 2],
    )
    await sameAnswers(lake, engine)
    await write([bar('B', 3), bar('C', 4)])
    await offer(lake, 'eastmoney', ['A', '2023-12-31', '2024-04-29', 9])
    await sameAnswers(lake, engine)
    await offer(
      lake,
      'tushare',
      ['A', '2023-12-31', '2024-03-28', 7],
      ['C', '2023-12-31', '2024-03-28', 7],
    )
    await sameAnswers(lake, engine)
    await lake.delete('daily', "symbol = 'A'")
    await lake.optimize()
    await sameAnswers(lake, engine)
    const dated = await engine.asOf('2024-04-01')
    expect(await dated.query('SELECT symbol, basic_eps FROM fin_indicators ORDER BY 1')).toEqual([
      { symbol: 'A', basic_eps: 1 },
      { symbol: 'B', basic_eps: 2 },
      { symbol: 'C', basic_eps: 7 },
    ])
  })

  test('are what queries read: they answer when the files are gone', async () => {
    const lake = await newLake()
    await lake.write('bars', (tx) =>
      tx
        .upsert('daily', [{ symbol: 'A', trade_date: '2024-01-02', close: 1 }])
        .then(() => undefined),
    )
    const engine = await engineOf(lake, { resident: ['daily'] })
    await engine.initViews()
    const plan = JSON.stringify(await engine.query('EXPLAIN SELECT * FROM daily'))
    expect(plan).not.toMatch(/parquet/i)
    expect(
      JSON.stringify(await (await engineOf(lake)).query('EXPLAIN SELECT * FROM daily')),
    ).toMatch(/parquet/i)
  })

  test('that the lake has not are refused by name', async () => {
    const engine = await engineOf(await newLake(), { resident: ['nope'] })
    await expect(engine.query('SELECT 1')).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
      details: { table: 'nope' },
    })
  })
})

describe('pins', () => {
  test('open the same data again after the lake moved on, until vacuum takes it; a tag keeps it', async () => {
    const lake = await newLake()
    await offer(lake, 'eastmoney', ['A', '2023-12-31', '2024-03-29', 1])
    const pin = await (await engineOf(lake)).pin()
    expect(pin.token).toMatch(/^marketlake:[0-9a-f-]{36}:\d+:[0-9a-f-]{36}:[0-9a-f]{64}$/)
    expect(pin.validUntil!.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000)
    await offer(lake, 'eastmoney', ['A', '2023-12-31', '2024-04-29', 2])
    const again = await engineOf(lake, { at: pin.token })
    expect(await again.query('SELECT basic_eps FROM fin_indicators')).toEqual([{ basic_eps: 1 }])
    expect((await again.pin()).token).toBe(pin.token)
    expect(await again.pin({ keep: 'paper' })).toEqual({ token: pin.token, validUntil: undefined })
    expect((await lake.head()).tags['paper']?.version).toBe(again.version)
  })

  test('of another lake, of another history and garbage are refused, each by its reason', async () => {
    const [lake, other] = [await newLake(), await madeLake()]
    const { token } = await (await engineOf(lake)).pin()
    await expect(other.analysis({ at: token })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(lake.analysis({ at: 'marketlake:x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    const [name, lakeId, version, , hash] = token.split(':') as [
      string,
      string,
      string,
      string,
      string,
    ]
    const foreign = [name, lakeId, version, crypto.randomUUID(), hash].join(':')
    await expect(lake.analysis({ at: foreign })).rejects.toMatchObject({ code: 'LAKE_WENT_BACK' })
    const changed = token.slice(0, -4) + (token.endsWith('0000') ? '1111' : '0000')
    await expect(lake.analysis({ at: changed })).rejects.toMatchObject({ code: 'CHECK_FAILED' })
  })
})

describe('limits', () => {
  const LONG = 'SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b'

  test('a time ends a statement with TIMEOUT, a signal with CANCELLED, and the engine goes on', async () => {
    const engine = await engineOf(await newLake())
    await expect(engine.query(LONG, [], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
    const abort = new AbortController()
    const running = engine.query(LONG, [], { signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(
      engine.query('SELECT 1', [], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await engine.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  test('a stream obeys them too', async () => {
    const engine = await engineOf(await newLake())
    const stream = engine.stream(LONG, [], { timeoutMs: 50 })
    await expect(stream.next()).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  test('an engine has a limit of its own', async () => {
    const engine = await engineOf(await newLake(), { timeoutMs: 50 })
    await expect(engine.query(LONG)).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  test('what does not fit into memory is refused as such', async () => {
    const engine = await engineOf(await newLake(), { memoryLimit: '20MB', temporaryDirectory: '' })
    const sql = "SELECT list(i || repeat('x', 100)) FROM range(5000000) r(i)"
    await expect(engine.query(sql)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' })
  })
})

describe('Arrow', () => {
  test('an IPC stream holds the same values', async () => {
    const engine = await engineOf(await newLake())
    const table = tableFromIPC(await engine.arrow(MIXED), { useBigInt: true, useDate: true })
    expect(table.toArray().map((row) => ({ ...row }))).toEqual(
      [
        {
          i: 1,
          b: 10n,
          d: 0.5,
          t: 'a',
          day: new Date('2024-01-02'),
          f: true,
          ts: Date.parse('2024-01-02T03:04:05Z'),
          dec: '1.25',
        },
        { i: null, b: null, d: null, t: null, day: null, f: null, ts: null, dec: null },
        {
          i: 2,
          b: 9007199254740993n,
          d: NaN,
          t: '贵州茅台',
          day: new Date('1969-12-31'),
          f: false,
          ts: -1000,
          dec: '-1.00',
        },
      ].map((row) => ({ ...row, ...(row.ts !== null && { ts: expect.anything() as unknown }) })),
    )
    const empty = tableFromIPC(await engine.arrow('SELECT close, symbol FROM daily'))
    expect([empty.numRows, empty.schema.fields.map((f) => f.name)]).toEqual([
      0,
      ['close', 'symbol'],
    ])
  })
})

describe('look-ahead', () => {
  test('a restatement and a late notice are named, and nothing else', async () => {
    const lake = await newLake()
    await offer(
      lake,
      'tushare',
      ['A', '2023-12-31', '2024-03-29', 1],
      ['B', '2023-12-31', '2024-03-29', 2],
    )
    await offer(lake, 'tushare', ['A', '2023-12-31', '2024-06-28', 5])
    await offer(lake, 'tushare', ['C', '2023-12-31', '2024-08-30', 3])
    const engine = await engineOf(lake)
    const found = await engine.lookAhead('SELECT symbol, end_date, basic_eps FROM fin_indicators', {
      dates: ['2024-05-06', '2024-12-31'],
      key: ['symbol', 'end_date'],
    })
    expect(found.map(({ kind, key, columns }) => [kind, key['symbol'], columns])).toEqual([
      ['changed', 'A', ['basic_eps']],
      ['appeared', 'C', []],
    ])
    expect([found[0]!.before!['basic_eps'], found[0]!.after!['basic_eps']]).toEqual([1, 5])
  })

  test('a query that asks as of its own dates is clean', async () => {
    const lake = await newLake()
    await offer(lake, 'tushare', ['A', '2023-12-31', '2024-03-29', 1])
    await offer(lake, 'tushare', ['A', '2023-12-31', '2024-06-28', 5])
    await lake.write('x', (tx) =>
      tx
        .upsert(
          'daily',
          ['2024-04-01', '2024-07-01'].map((trade_date) => ({
            symbol: 'A',
            trade_date,
            close: 10,
          })),
        )
        .then(() => undefined),
    )
    const engine = await engineOf(lake)
    const options = {
      dates: ['2024-05-06', '2024-12-31'] as const,
      key: ['symbol', 'trade_date'],
      dateColumn: 'trade_date',
    }
    const clean = 'SELECT symbol, trade_date, basic_eps_ttm FROM valuation'
    expect(await engine.lookAhead(clean, options)).toEqual([])
    const biased =
      'SELECT d.symbol, trade_date, basic_eps FROM daily d JOIN fin_indicators f ON f.symbol = d.symbol'
    expect(await engine.lookAhead(biased, options)).toMatchObject([
      { kind: 'changed', columns: ['basic_eps'] },
    ])
    await expect(
      engine.lookAhead(clean, { ...options, dates: ['2024-05-06', '2024-05-06'] }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(engine.lookAhead(clean, { ...options, key: ['nope'] })).rejects.toMatchObject({
      code: 'COLUMN_NOT_FOUND',
    })
  })
})

test('vintages tell what each version of a report changed', async () => {
  const lake = await newLake()
  await offer(lake, 'tushare', ['600519.SH', '2023-12-31', '2024-04-03', 59.5])
  await offer(lake, 'tushare', ['600519.SH', '2023-12-31', '2024-06-28', 60])
  const engine = await engineOf(lake)
  const found = await engine.vintages('sh600519', '2023Q4')
  expect(found.map((v) => [v.table, v.vintage, v.noticeDate, v.visibleDate, v.isLatest])).toEqual([
    ['indicators', 1, '2024-04-03', '2024-04-08', false],
    ['indicators', 2, '2024-06-28', '2024-07-01', true],
  ])
  expect(found[1]!.changes).toEqual([{ column: 'basic_eps', before: 59.5, after: 60 }])
  await expect(engine.vintages('x', '2023Q4')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
