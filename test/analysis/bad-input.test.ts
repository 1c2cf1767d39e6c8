/** Bad input to the engine: each is answered by what is wrong, where, and what to do; or works where one would expect a limit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import { realEffects } from '../../src/model/effects.ts'
import { failure } from '../support/failure.ts'
import { newLake } from '../support/lake.ts'

let lake: Lake
let engine: AnalysisEngine
beforeAll(async () => {
  lake = await newLake()
  const report = { symbol: '600519.SH', source: 'eastmoney', end_date: '2023-12-31' }
  await lake.write('data', async (tx) => {
    await tx.upsert('indicators', [{ ...report, notice_date: '2024-04-03', basic_eps: 59.5 }])
    await tx.upsert('daily', [{ symbol: '600519.SH', trade_date: '2024-04-08', close: 1700 }])
  })
  engine = await lake.analysis()
})
afterAll(() => engine.close())

describe('a date before the first data', () => {
  test('gives empty views of the right types, and empty answers of macros', async () => {
    const dated = await engine.asOf('1980-01-01')
    const views = await dated.query<{ name: string }>(
      `SELECT name FROM meta.relations WHERE kind = 'view' AND name <> 'trade_cal'`,
    )
    for (const { name } of views) {
      const { columns, rows } = await dated.table(`SELECT * FROM ${name}`)
      const present = await engine.table(`SELECT * FROM ${name} LIMIT 0`)
      expect({ name, rows, columns }).toEqual({ name, rows: [], columns: present.columns })
    }
    expect(await engine.query(`SELECT * FROM fin_ttm_asof('1980-01-01')`)).toEqual([])
    expect(await engine.query(`SELECT * FROM universe_asof('0001-01-01')`)).toEqual([])
    await dated.close()
  })

  test.each(['2024-02-30', '2024-4-1', 'today', '', '20240401'])(
    '%j is no date, and says how dates are written',
    async (text) => {
      expect(await failure(engine.asOf(text))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        next: expect.stringContaining('YYYY-MM-DD') as string,
      })
    },
  )

  test('a version of a time before the lake is named with the oldest there is', async () => {
    const error = await failure(lake.analysis({ at: '1999-01-01' }))
    expect(error.code).toBe('VERSION_NOT_FOUND')
    expect(error.next ?? '').not.toBe('')
  })
})

describe('symbols in unknown forms', () => {
  test.each(['', '60051', 'HK.00700', '600519.US', 'AAPL', '600519;'])(
    '%j is NULL in SQL and an error with the forms there are elsewhere',
    async (text) => {
      expect(await engine.query('SELECT sym($1) AS s', [text])).toEqual([{ s: null }])
      expect(await failure(engine.vintages(text, '2023Q4'))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        next: expect.stringContaining('600519.XSHG') as string,
      })
    },
  )

  test('a report that is not there is an empty list, a period that is none an error', async () => {
    expect(await engine.vintages('000001', '2023Q4')).toEqual([])
    expect((await failure(engine.vintages('600519', '2023-12-30'))).code).toBe('INVALID_ARGUMENT')
  })
})

describe('SQL', () => {
  test.each([
    ["SELECT roe FROM fin_indicators_asof('2024-05-06')", 'roe', 'roe_waa'],
    ['SELECT symbol, clos FROM daily_qfq', 'clos', 'close'],
    ["SELECT '贵州茅台' AS n, pe FROM valuation", 'pe', 'pe_ttm'],
    ['SELECT medain(close) FROM daily', 'medain', 'median'],
  ])('%s: the place of %s, and %s as a candidate', async (sql, wrong, right) => {
    for (const reader of [engine, await engine.asOf('2024-05-06')]) {
      const error = await failure(reader.query(sql))
      expect(error.code).toBe('SQL_ERROR')
      expect(error.details['position']).toBe(sql.indexOf(wrong))
      expect(
        `${JSON.stringify(error.details['candidates'])} ${error.next ?? ''} ${error.message}`,
      ).toContain(right)
    }
  })

  test('values that do not fit their column are told as such, and the engine goes on', async () => {
    for (const sql of [`SELECT * FROM daily WHERE trade_date = 'soon'`, `SELECT 'x'::DOUBLE`]) {
      expect(await failure(engine.query(sql))).toMatchObject({ code: 'SQL_ERROR' })
    }
    expect((await failure(engine.query('SELECT ?', []))).code).toBe('SQL_ERROR')
    expect(await engine.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })
})

test('69, 78: a result larger than the memory streams through it', async () => {
  const small = await lake.analysis({ memoryLimit: '60MB', threads: 1 })
  let [rows, bytes] = [0, 0]
  for await (const part of small.stream(
    `SELECT i, repeat('行', 300) || i AS t FROM range(400000) r(i) WHERE i % 2 = 0`,
  )) {
    rows += part.rows.length
    for (const [, text] of part.rows) bytes += (text as string).length
  }
  expect(rows).toBe(200_000)
  expect(bytes).toBeGreaterThan(60_000_000)
  await small.close()
})

test('a pin whose version is vacuumed tells what would have kept it', async () => {
  const other = await newLake()
  const write = async (close: number): Promise<void> => {
    const bar = { symbol: 'A', trade_date: '2024-01-02', close }
    await other.write('bar', async (tx) => void (await tx.upsert('daily', [bar])))
  }
  await write(1)
  const pinned = await other.analysis()
  const { token } = await pinned.pin()
  await pinned.close()
  for (const close of [2, 3, 4]) await write(close)
  await other.head()
  const effects = { ...realEffects, now: () => realEffects.now() + 40 * 86_400_000 }
  const later = await openLake(other.root, { effects, maintenance: false, lease: false })
  await later.vacuum({ apply: true })
  const error = await failure(later.analysis({ at: token }))
  expect(error.code).toBe('VERSION_VACUUMED')
  expect(error.next).toMatch(/tag/)
  expect(error.next).toMatch(/\[retention\] versions/)
  await later.close()
})
