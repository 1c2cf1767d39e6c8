/** Which files new rows go into: each row into exactly one, whatever stands in the columns by which files are cut. */
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/index.ts'
import type { AddFile } from '../../../src/storage/delta/actions.ts'
import { planFiles } from '../../../src/storage/delta/layout.ts'
import type { StageContext } from '../../../src/storage/delta/stage.ts'
import { useEngine } from '../../support/engine.ts'

const { session } = useEngine()
const SCHEMA = schemaOf([field('symbol', 'string'), field('day', 'date'), field('n', 'long')])
const ROWS = 6000
const SYMBOL = `printf('%06d', n // 40)`
const MONTH = `CAST(DATE '2025-01-01' + to_months(CAST(n % 10 AS INTEGER)) AS DATE)`

/** A table cut by symbol and month whose rows take 4 kB: 2,048 fill a cold file, 320 one of the newest months. */
function context(): StageContext {
  const size = 1000 * 4096
  const large: AddFile = {
    path: 'large.parquet',
    partitionValues: {},
    size,
    modificationTime: 0,
    dataChange: true,
    stats: '{"numRecords":1000}',
  }
  const shape = {
    key: [],
    clustering: ['symbol'],
    period: { column: 'day', unit: 'month' },
    layout: 'clustered',
  }
  const snapshot = { schema: SCHEMA, files: new Map([[large.path, large]]) }
  return { session: session(), table: 't', shape, snapshot } as unknown as StageContext
}

async function planned(select: string): Promise<string[]> {
  await session().run(`CREATE OR REPLACE TEMP TABLE planned AS ${select}`)
  return planFiles(context(), { name: 'planned', rows: ROWS })
}

test('a place asks for rows without a symbol only where there are some, so that it can skip those of other symbols', async () => {
  const all = (symbol: string): string =>
    `SELECT ${symbol} AS symbol, ${MONTH} AS day, n FROM range(${ROWS}) t(n)`
  expect((await planned(all(SYMBOL))).join()).not.toContain('IS NULL')
  expect((await planned(all(`nullif(${SYMBOL}, '000000')`))).join()).toContain('IS NULL')
})

test.each([
  ['in plain months', SYMBOL, MONTH],
  ['without a symbol', 'CAST(NULL AS VARCHAR)', MONTH],
  ['some without a symbol', `CASE WHEN n % 3 > 0 THEN ${SYMBOL} END`, MONTH],
  ['without a day', SYMBOL, 'CAST(NULL AS DATE)'],
  ['some without a day', SYMBOL, `CASE WHEN n % 7 > 0 THEN ${MONTH} END`],
  ['some in a far year', SYMBOL, `if(n % 7 = 0, DATE '12025-01-01', ${MONTH})`],
  ['some before any year', SYMBOL, `if(n % 7 = 0, DATE '0044-03-15 (BC)', ${MONTH})`],
  ['some at no end', SYMBOL, `if(n % 7 = 0, CAST('infinity' AS DATE), ${MONTH})`],
  ['a few in a coming month', SYMBOL, `if(n < 9, DATE '2025-12-31', ${MONTH})`],
  [
    'a few between the newest months',
    SYMBOL,
    `if(n % 10 = 8 AND n > 90, DATE '2025-10-01', ${MONTH})`,
  ],
])('each row has one place: rows %s', async (_, symbol, day) => {
  const places = await planned(
    `SELECT ${symbol} AS symbol, ${day} AS day, n FROM range(${ROWS}) t(n)`,
  )
  expect(places.length).toBeGreaterThan(1)
  const hits = places.map((where) => `CAST((${where}) IS TRUE AS INTEGER)`).join(' + ')
  expect(
    await session().rows(`SELECT ${hits} AS places, count(*) AS n FROM planned GROUP BY 1`),
  ).toEqual([{ places: 1, n: BigInt(ROWS) }])
})

test('a symbol has one place for cold rows and one for each hot month', async () => {
  const select = `SELECT ${SYMBOL} AS symbol, ${MONTH} AS day, n FROM range(${ROWS}) t(n)`
  const places = await planned(select)
  const found = places.map(
    (where, i) => `SELECT ${i} AS place, symbol, day FROM planned WHERE ${where}`,
  )
  const { most, cold, hot } = await session().row(
    `WITH r AS (SELECT place, symbol, CASE WHEN day >= DATE '2025-08-01' THEN day END AS month
                FROM (${found.join(' UNION ALL ')}))
     SELECT (SELECT max(n) FROM (SELECT count(DISTINCT place) AS n FROM r GROUP BY symbol, month)) AS most,
            (SELECT count(DISTINCT place) FROM r WHERE month IS NULL) AS cold,
            (SELECT count(DISTINCT place) FROM r WHERE month IS NOT NULL) AS hot`,
  )
  expect({ most, cold, hot }).toEqual({ most: 1n, cold: 3n, hot: 5n })
  expect(places).toHaveLength(8)
})
