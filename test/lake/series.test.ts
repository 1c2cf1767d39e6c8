/** Whole series, and the rule that factors of one stock come from one source. */
import { expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import type { InputRow } from '../../src/storage/parquet/ingest.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

const A = '600519.SH'
const B = '000001.SZ'

function factor(symbol: string, date: string, value: number, source: string): InputRow {
  return { symbol, trade_date: date, adj_factor: value, source }
}

function replaced(lake: Lake, symbols: readonly string[], rows: readonly InputRow[]) {
  return lake.write('test', async (tx) => {
    await tx.replaceSeries('adj_factor', symbols, rows)
  })
}

function upserted(lake: Lake, rows: readonly InputRow[]) {
  return lake.write('test', async (tx) => {
    await tx.upsert('adj_factor', rows)
  })
}

const ALL = `SELECT symbol, trade_date, adj_factor, source FROM adj_factor ORDER BY 1, 2`

test('a series grows, changes, shrinks, and is left alone when it is the same', async () => {
  const lake = await newLake()
  const first = [factor(A, '1900-01-01', 1, 'sina'), factor(A, '2020-06-24', 2, 'sina')]
  const other = factor(B, '1900-01-01', 1, 'sina')
  committed(await replaced(lake, [A, B], [...first, other]))
  expect(await replaced(lake, [A, B], [...first, other])).toMatchObject({ changed: false })
  const grown = [...first, factor(A, '2021-06-24', 3, 'sina')]
  expect(await replaced(lake, [A], grown)).toMatchObject({
    counts: { adj_factor: { inserted: 1, updated: 0, deleted: 0 } },
  })
  committed(await replaced(lake, [A], [grown[0]!, { ...grown[2], adj_factor: 4 }]))
  expect(await rowsOf(lake, ALL)).toEqual([
    other,
    factor(A, '1900-01-01', 1, 'sina'),
    factor(A, '2021-06-24', 4, 'sina'),
  ])
  committed(await replaced(lake, [A], []))
  expect(await rowsOf(lake, ALL)).toEqual([other])
})

test('factors of a second source are refused, and taken as a whole series', async () => {
  const lake = await newLake()
  committed(
    await upserted(lake, [factor(A, '2020-01-02', 1, 'sina'), factor(B, '2020-01-02', 1, 'sina')]),
  )
  const mixing = upserted(lake, [factor(A, '2020-01-03', 1.5, 'tushare')])
  await expect(mixing).rejects.toMatchObject({
    code: 'SOURCE_MIXED',
    message: expect.stringContaining(`${A} (sina, tushare)`),
  })
  const appending = lake.write('test', async (tx) => {
    await tx.append('adj_factor', [factor(A, '2020-01-03', 1.5, 'file')])
  })
  await expect(appending).rejects.toMatchObject({ code: 'SOURCE_MIXED' })
  const whole = [factor(A, '2020-01-02', 1.4, 'tushare'), factor(A, '2020-01-03', 1.5, 'tushare')]
  committed(await replaced(lake, [A], whole))
  expect(await rowsOf(lake, ALL)).toEqual([factor(B, '2020-01-02', 1, 'sina'), ...whole])
})

test('two writers at once cannot mix sources either, whichever is first', async () => {
  const lake = await newLake()
  const second = await openLake(lake.root, { maintenance: false })
  committed(await upserted(lake, [factor(B, '2020-01-02', 1, 'sina')]))
  let inner: Promise<unknown> | undefined
  const outer = lake.write('outer', async (tx) => {
    await tx.upsert('adj_factor', [factor(A, '2020-01-02', 1, 'sina')])
    inner ??= upserted(second, [factor(A, '2020-01-03', 1.5, 'tushare')])
    await inner
  })
  await expect(outer).rejects.toMatchObject({ code: 'SOURCE_MIXED' })
  expect(
    await rowsOf(lake, `SELECT DISTINCT source FROM adj_factor WHERE symbol = '${A}'`),
  ).toEqual([{ source: 'tushare' }])
  await second.close()
})
