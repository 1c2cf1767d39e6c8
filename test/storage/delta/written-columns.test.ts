/** What stands in the Parquet files themselves: columns in the order, spelling and types of the log, however the rows came. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Layout } from '../../../src/model/table.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { Transaction } from '../../../src/storage/lake/transaction.ts'
import { committed, newLake } from '../../support/lake.ts'

const SCHEMA = schemaOf([
  field('symbol', 'string'),
  field('trade_date', 'date'),
  field('close', 'double'),
  field('volume', 'long'),
])
const COLUMNS = [
  { name: 'symbol', type: 'VARCHAR' },
  { name: 'trade_date', type: 'DATE' },
  { name: 'close', type: 'DOUBLE' },
  { name: 'volume', type: 'BIGINT' },
]

/** Rows in another order of columns and another spelling, some in narrower types. */
const shouted = (n: number, types: 'exact' | 'narrow'): string =>
  `SELECT CAST(${String(n)} AS ${types === 'exact' ? 'BIGINT' : 'INTEGER'}) AS VOLUME,
   DATE '2024-01-01' + CAST(i AS INTEGER) AS Trade_Date, '60000' || i AS SYMBOL,
   CAST(i AS ${types === 'exact' ? 'DOUBLE' : 'FLOAT'}) AS CLOSE FROM range(3) t(i)`

const WRITES: readonly ((tx: Transaction) => Promise<unknown>)[] = [
  (tx) => tx.append('t', { sql: shouted(1, 'exact') }),
  (tx) => tx.upsert('t', { sql: shouted(2, 'exact') }),
  (tx) => tx.upsert('t', { sql: shouted(3, 'narrow') }),
  (tx) =>
    tx.upsert('t', {
      sql: `SELECT Volume + 1 AS Volume, SYMBOL, TRADE_DATE FROM (${shouted(3, 'exact')})`,
    }),
  (tx) => tx.upsert('t', [{ SYMBOL: '600009', Trade_Date: '2024-02-01', VOLUME: 5n }]),
  async (tx) => {
    await tx.session.run(`CREATE TEMP TABLE mine AS ${shouted(4, 'exact')}`)
    await tx.replace('t', { temporaryTable: 'mine' })
  },
]

test.each<Layout>(['clustered', 'per-symbol'])('are those of the log: %s', async (layout) => {
  const lake = await newLake()
  const key = ['symbol', 'trade_date']
  committed(
    await lake.write(
      'make',
      async (tx) => void (await tx.ensure({ name: 't', schema: SCHEMA, key, layout })),
    ),
  )
  for (const write of WRITES)
    committed(await lake.write('write', async (tx) => void (await write(tx))))
  await lake.optimize('t')
  const database = await lake.database()
  const directory = join(lake.root, 'warehouse/t')
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const parquet = files.filter(
    (name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'),
  )
  expect(parquet.length).toBeGreaterThan(WRITES.length - 1)
  for (const name of parquet) {
    const path = join(directory, name).replaceAll(/[[\]*?]/g, '[$&]')
    const found = await database.using((session) =>
      session.rows(
        `SELECT column_name AS name, column_type AS type
         FROM (DESCRIBE FROM read_parquet('${path}', hive_partitioning = false))`,
      ),
    )
    expect(found).toEqual(COLUMNS)
  }
})
