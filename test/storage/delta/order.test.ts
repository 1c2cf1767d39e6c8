/** Rows that come in order are not sorted again: files stay in order all the same, and no repeated key slips through. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/index.ts'
import { openLake } from '../../../src/lake/lake.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import type { Transaction } from '../../../src/storage/lake/transaction.ts'
import { tableView } from '../../../src/storage/lake/view.ts'
import { useEngine } from '../../support/engine.ts'
import { committed, newLake } from '../../support/lake.ts'

const { session } = useEngine()
const SCHEMA = schemaOf([
  field('symbol', 'string'),
  field('trade_date', 'date'),
  field('n', 'long'),
])
/** Several vectors and more than one row group of DuckDB, so that threads would share the work if they could. */
const ROWS = 260_000
const DAYS = 260
const inOrder = `SELECT printf('%06d', r // ${DAYS}) AS symbol, DATE '2025-01-01' + CAST(r % ${DAYS} AS INTEGER) AS trade_date, r AS n
  FROM range(${ROWS}) t(r) ORDER BY r`

let lake: Lake
let made = 0
beforeAll(async () => {
  const { root } = await newLake()
  writeFileSync(join(root, 'lake.toml'), '[limits]\nthreads = 4\n')
  lake = await openLake(root, { maintenance: false })
  return () => lake.close()
})

/** A table of its own, filled by one upsert. */
async function filled(
  sql: string,
  columns: readonly string[] = ['symbol', 'trade_date'],
): Promise<string> {
  const name = `bars_${++made}`
  committed(
    await lake.write('fill', async (tx) => {
      await tx.ensure({ name, schema: SCHEMA, key: columns })
      await tx.upsert(name, { sql })
    }),
  )
  return name
}

/** Live files of a table. */
async function filesOf(name: string): Promise<string[]> {
  const view = await tableView(lake.store, await lake.head(), name)
  return [...view.snapshot.files.values()].map((file) => join(view.directory, file.path))
}

/** Rows of a table that stand before a smaller one in their file. */
async function misplaced(name: string): Promise<bigint> {
  const files = (await filesOf(name)).map((path) => `'${path}'`).join(', ')
  const { n } = await session().row<{ n: bigint }>(
    `SELECT count(*) FILTER ((symbol, trade_date) < before) AS n FROM (
       SELECT symbol, trade_date, lag((symbol, trade_date)) OVER (PARTITION BY filename ORDER BY file_row_number) AS before
       FROM read_parquet([${files}], filename=true, file_row_number=true))`,
  )
  return n
}

const upsert = (name: string, sql: string): Promise<unknown> =>
  lake.write('change', async (tx) => void (await tx.upsert(name, { sql }))).then(committed)

describe('files are in the order of the clustering', () => {
  test('of rows in order', async () => {
    expect(await misplaced(await filled(inOrder))).toBe(0n)
  })

  test('of rows in another order, of one row out of place', async () => {
    expect(await misplaced(await filled(`FROM (${inOrder}) ORDER BY hash(n)`))).toBe(0n)
    const last = `(FROM (${inOrder}) WHERE n > 0) UNION ALL (FROM (${inOrder}) WHERE n = 0)`
    expect(await misplaced(await filled(last))).toBe(0n)
  })

  test('after few rows changed, and after many', async () => {
    const name = await filled(inOrder)
    await upsert(name, `SELECT symbol, trade_date, -n AS n FROM (${inOrder}) WHERE n % 7001 = 1`)
    expect(await misplaced(name)).toBe(0n)
    await upsert(name, `SELECT symbol, trade_date, -n AS n FROM (${inOrder}) WHERE n % 3 = 1`)
    expect(await misplaced(name)).toBe(0n)
  })

  test('whatever the order of the columns that come, whole rows or parts of them', async () => {
    const name = await filled(inOrder)
    await upsert(name, `SELECT -n AS n, trade_date, symbol FROM (${inOrder}) WHERE n % 7001 = 1`)
    await upsert(name, `SELECT trade_date, symbol FROM (${inOrder}) WHERE n % 7001 = 2`)
    const stored = (await filesOf(name)).map((path) => `'${path}'`).join(', ')
    const wanted = `SELECT symbol, trade_date, CASE WHEN n % 7001 = 1 THEN -n ELSE n END AS n FROM (${inOrder})`
    const rest = `(${wanted}) EXCEPT ALL (SELECT symbol, trade_date, n FROM read_parquet([${stored}]))`
    expect(await session().rows(`FROM (${rest}) LIMIT 3`)).toEqual([])
    expect(await misplaced(name)).toBe(0n)
  })

  test('also where a column of the order is itself changed', async () => {
    const name = `bars_${++made}`
    committed(
      await lake.write('fill', async (tx) => {
        const clustering = ['symbol', 'trade_date']
        await tx.ensure({ name, schema: SCHEMA, key: ['n'], clustering })
        await tx.upsert(name, { sql: inOrder })
      }),
    )
    await upsert(name, `SELECT 'zz' AS symbol, n FROM (${inOrder}) WHERE n % 10007 = 5`)
    expect(await misplaced(name)).toBe(0n)
  })
})

describe('files of a layout by periods', () => {
  test.each([
    ['month', 120],
    ['quarter', 500],
  ] as const)('hold every row once, also without a date: %s', async (unit, days) => {
    const name = `bars_${++made}`
    const sql = `SELECT symbol, CASE WHEN n % 97 = 0 THEN NULL ELSE DATE '2025-01-01' + CAST(n % ${days} AS INTEGER) END AS trade_date, n FROM (${inOrder})`
    committed(
      await lake.write('fill', async (tx) => {
        const period = { column: 'trade_date', unit }
        await tx.ensure({ name, schema: SCHEMA, key: ['n'], clustering: ['symbol'], period })
        await tx.upsert(name, { sql })
      }),
    )
    const files = await filesOf(name)
    expect(files.length).toBeGreaterThan(3)
    const list = files.map((path) => `'${path}'`).join(', ')
    const stored = `SELECT symbol, trade_date, n FROM read_parquet([${list}])`
    const lost = `(FROM (${sql})) EXCEPT ALL (${stored})`
    const more = `(${stored}) EXCEPT ALL (FROM (${sql}))`
    expect(await session().rows(`(${lost}) UNION ALL (${more}) LIMIT 3`)).toEqual([])
  })
})

describe('rows in order or nearly so', () => {
  const refused = (sql: string): Promise<unknown> => filled(sql).then(() => 'taken')

  test('one of them twice is refused, wherever it stands', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .constantFrom(0, 1, 2047, 2048, 122_879, 122_880, ROWS - 1)
          .chain((n) => fc.tuple(fc.constant(n), fc.constantFrom(0, n, n + 1, ROWS))),
        async ([twice, place]) => {
          const sql = `SELECT symbol, trade_date, n FROM (
            SELECT *, n AS place FROM (${inOrder}) UNION ALL
            SELECT *, ${place} AS place FROM (${inOrder}) WHERE n = ${twice}) ORDER BY place, n`
          await expect(refused(sql)).rejects.toMatchObject({ code: 'DUPLICATE_KEY' })
        },
      ),
      { numRuns: 3 },
    )
  })

  test.each([0, 122_880, ROWS - 1])('a NULL in the key of row %i is refused', async (n) => {
    for (const column of ['symbol', 'trade_date']) {
      const sql = `SELECT * REPLACE (CASE WHEN n <> ${n} THEN ${column} END AS ${column}) FROM (${inOrder})`
      await expect(refused(sql)).rejects.toMatchObject({ code: 'NULL_KEY' })
    }
  })
})

describe('a temporary table as input', () => {
  const fill = async (tx: Transaction, sql: string, name: string): Promise<void> => {
    await tx.session.run(`CREATE OR REPLACE TEMP TABLE given AS ${sql}`)
    await tx.upsert(name, { temporaryTable: 'given' })
    const { n } = await tx.session.row<{ n: bigint }>('SELECT count(*) AS n FROM given')
    expect(n).toBe(3n)
  }

  test('is read and left alone, in the types of the table or narrower', async () => {
    const name = await filled(`FROM (${inOrder}) LIMIT 0`)
    const rows = (type: string): string =>
      `SELECT 'a' AS SYMBOL, DATE '2025-01-01' + CAST(r AS INTEGER) AS trade_date, CAST(r AS ${type}) AS n FROM range(3) t(r)`
    for (const type of ['BIGINT', 'SMALLINT'])
      committed(await lake.write('given', (tx) => fill(tx, rows(type), name)))
    const wrong = lake.write('given', (tx) => fill(tx, rows('DOUBLE'), name))
    await expect(wrong).rejects.toMatchObject({ code: 'TYPE_MISMATCH' })
  })
})
