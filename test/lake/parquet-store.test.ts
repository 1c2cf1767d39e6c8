/** `ParquetStore.writeAtomic`: the rows of one partition value are replaced, all or none, on any layout. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import { ParquetStore } from '../../src/lake/parquet-store.ts'
import type { InputRow } from '../../src/storage/parquet/ingest.ts'
import { committed, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const open: ParquetStore[] = []
afterAll(async () => {
  for (const store of open) await store.close()
})

async function newStore(): Promise<{ store: ParquetStore; directory: string }> {
  const directory = temporaryDirectory()
  const store = await ParquetStore.open(directory)
  open.push(store)
  return { store, directory }
}

async function query(directory: string, sql: string): Promise<unknown[]> {
  const lake = await openLake(directory, { lease: false })
  try {
    return await rowsOf(lake, sql)
  } finally {
    await lake.close()
  }
}

const bars = (symbol: string, ...closes: readonly number[]): InputRow[] =>
  closes.map((close, i) => ({ symbol, day: `2024-01-0${i + 2}`, close }))

describe('one directory a symbol', () => {
  const category = 'minute'
  const write = async (store: ParquetStore, symbol: string, rows: InputRow[]): Promise<number> =>
    committed(
      await store.writeAtomic(rows, { category, partitionCol: 'symbol', partitionVal: symbol }),
    )

  test('rows of one symbol are replaced, the others stay', async () => {
    const { store, directory } = await newStore()
    await write(store, '000001.SZ', bars('000001.SZ', 1, 2))
    await write(store, '600519.SH', bars('600519.SH', 1700))
    await write(store, '000001.SZ', bars('000001.SZ', 3))
    expect(await query(directory, 'SELECT symbol, close FROM minute ORDER BY ALL')).toEqual([
      { symbol: '000001.SZ', close: 3 },
      { symbol: '600519.SH', close: 1700 },
    ])
    const names = readdirSync(join(directory, 'warehouse/minute'))
    expect(names.filter((n) => n !== '_delta_log').toSorted()).toEqual([
      'symbol=000001.SZ',
      'symbol=600519.SH',
    ])
  })

  test('the same rows again make no version', async () => {
    const { store } = await newStore()
    const first = await write(store, '000001.SZ', bars('000001.SZ', 1, 2))
    expect(await write(store, '000001.SZ', bars('000001.SZ', 1, 2))).toBe(first)
  })

  test('no rows: the partition is empty', async () => {
    const { store, directory } = await newStore()
    await write(store, '000001.SZ', bars('000001.SZ', 1, 2))
    await write(store, '600519.SH', bars('600519.SH', 1700))
    await write(store, '000001.SZ', [])
    expect(await query(directory, 'SELECT DISTINCT symbol FROM minute')).toEqual([
      { symbol: '600519.SH' },
    ])
  })

  test('a row of another partition is refused, and nothing is written', async () => {
    const { store, directory } = await newStore()
    await write(store, '000001.SZ', bars('000001.SZ', 1))
    await expect(write(store, '000001.SZ', bars('600519.SH', 2))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await query(directory, 'SELECT close FROM minute')).toEqual([{ close: 1 }])
  })
})

test('a partition by date, on the clustered layout', async () => {
  const { store, directory } = await newStore()
  const options = { category: 'events', partitionCol: 'day', partitionVal: '2024-01-02' }
  const rows = (n: number): InputRow[] => [{ day: '2024-01-02', n }]
  committed(await store.writeAtomic(rows(1), options))
  committed(
    await store.writeAtomic([{ day: '2024-01-03', n: 9 }], {
      ...options,
      partitionVal: '2024-01-03',
    }),
  )
  committed(await store.writeAtomic(rows(2), options))
  expect(await query(directory, 'SELECT n FROM events ORDER BY day')).toEqual([{ n: 2 }, { n: 9 }])
})

test('a folder of the standard tables: rows become versions of source file', async () => {
  const { store, directory } = await newStore()
  const options = {
    category: 'financial_statements/type=balance',
    partitionCol: 'symbol',
    partitionVal: '600519.SH',
  }
  const report = (total: number): InputRow[] => [
    { symbol: '600519.SH', end_date: '2024-12-31', notice_date: '2025-04-03', total_assets: total },
  ]
  committed(await store.writeAtomic(report(1), options))
  committed(await store.writeAtomic(report(2), options))
  const sql =
    'SELECT source, vintage, is_latest, total_assets FROM fin_balance_sheet_all ORDER BY vintage'
  expect(await query(directory, sql)).toEqual([
    { source: 'file', vintage: 1, is_latest: false, total_assets: 1 },
    { source: 'file', vintage: 2, is_latest: true, total_assets: 2 },
  ])
  expect(
    existsSync(join(directory, 'warehouse/financial_statements/type=balance/_delta_log')),
  ).toBe(true)
})

test('readers see all of the old rows or all of the new ones', async () => {
  const { store, directory } = await newStore()
  const options = { category: 'batch', partitionCol: 'part', partitionVal: 'p' }
  const rows = (n: number): InputRow[] =>
    Array.from({ length: 50 }, (_, i) => ({ part: 'p', i, n }))
  committed(await store.writeAtomic(rows(0), options))
  const state = { writing: true }
  const writer = (async () => {
    for (let n = 1; n <= 12; n++) committed(await store.writeAtomic(rows(n), options))
    state.writing = false
  })()
  const lake = await openLake(directory)
  const engine = await lake.analysis({ follow: true })
  const seen = new Set<number>()
  while (state.writing) {
    const [row] = await engine.query<{ rows: bigint; low: number; high: number }>(
      'SELECT count(*) AS rows, min(n) AS low, max(n) AS high FROM batch',
    )
    expect(row).toEqual({ rows: 50n, low: row!.high, high: row!.high })
    seen.add(row!.high)
  }
  await writer
  expect(seen.size).toBeGreaterThan(1)
  await engine.close()
  await lake.close()
})

test('two processes that make one lake at once both get it', async () => {
  const directory = temporaryDirectory()
  open.push(...(await Promise.all([ParquetStore.open(directory), ParquetStore.open(directory)])))
  expect(open.at(-1)).toBeInstanceOf(ParquetStore)
})

test('categories that make one name do not share a table', async () => {
  const { store } = await newStore()
  const rows = bars('600519.SH', 1)
  const write = (category: string) =>
    store.writeAtomic(rows, { category, partitionCol: 'symbol', partitionVal: '600519.SH' })
  committed(await write('a/b'))
  committed(await write('a/b'))
  await expect(write('a_b')).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
})
