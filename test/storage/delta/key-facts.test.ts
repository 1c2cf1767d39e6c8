/** What is found out about a few keys here is what the engine finds out about many; tables on the way are dropped. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/index.ts'
import { keyFacts, spansOfRows } from '../../../src/storage/delta/key-facts.ts'
import { useEngine } from '../../support/engine.ts'
import { committed, newLake } from '../../support/lake.ts'

const { session } = useEngine()
const SCHEMA = schemaOf([
  field('s', 'string'),
  field('d', 'date'),
  field('i', 'integer'),
  field('n', 'long'),
  field('x', 'double'),
])
/** More than are looked at outside the engine. */
const MANY = 10_000

const text = fc.oneof(
  fc.constantFrom('000001.SZ', '', 'é', 'null', '["a"]'),
  fc.constantFrom('\u{ffff}', '\u{10000}'),
  fc.string({ maxLength: 3 }),
)
const day = fc.constantFrom(
  '2025-01-02',
  '2024-12-31',
  '0001-01-01',
  '0044-03-15 (BC)',
  '12025-01-01',
)
const value = {
  s: text,
  d: fc.oneof(day, fc.constant('infinity')),
  i: fc.integer({ min: -3, max: 3 }),
  n: fc.bigInt({ min: 2n ** 53n, max: 2n ** 53n + 3n }),
  x: fc.constantFrom('0.0', '-0.0', 'nan', '1.5', 'infinity'),
}
const row = fc.record(
  Object.fromEntries(
    Object.entries(value).map(([name, of]) => [
      name,
      fc.option(of as fc.Arbitrary<string | number | bigint>, { freq: 60, nil: null }),
    ]),
  ),
)

/** A SQL literal that keeps its type through a cast. */
function literalOf(cell: string | number | bigint | null): string {
  return cell === null ? 'NULL' : `'${String(cell).replaceAll("'", "''")}'`
}

test('the facts of a few keys are those that the engine tells', async () => {
  const keys = fc.subarray(['s', 'd', 'i', 'n', 'x'], { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), keys, async (rows, key) => {
      const values = rows.map(
        (r) => `(${SCHEMA.fields.map((f) => literalOf(r[f.name]!)).join(', ')})`,
      )
      await session().run(
        `CREATE OR REPLACE TEMP TABLE few AS SELECT CAST(s AS VARCHAR) AS s, CAST(d AS DATE) AS d,
           CAST(i AS INTEGER) AS i, CAST(n AS BIGINT) AS n, CAST(x AS DOUBLE) AS x
         FROM (VALUES ${values.join(', ')}) v(s, d, i, n, x)`,
      )
      const few = { name: 'few', schema: SCHEMA, rows: rows.length }
      const facts = await keyFacts(session(), few, key)
      const { spans, ...counts } = await keyFacts(session(), { ...few, rows: MANY }, key)
      expect(facts).toMatchObject(counts)
      if (facts.nulls > 0) return
      expect(facts.spans).toEqual(spans)
      expect(facts.spans).toEqual(await spansOfRows(session(), few, key))
    }),
    { numRuns: 150 },
  )
})

test('a key beyond ASCII is found again', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('s', 'string'), field('n', 'long')])
  const put = async (n: bigint, keys: readonly string[]): Promise<unknown> => {
    const rows = keys.map((s) => ({ s, n }))
    return committed(
      await lake.write('odd', async (tx) => {
        await tx.ensure({ name: 'odd', schema, key: ['s'] })
        await tx.upsert('odd', rows)
      }),
    )
  }
  await put(1n, ['\u{10000}'])
  // The last in a file, and not the last in JavaScript's order.
  await put(2n, ['é', '\u{10000}', '\u{ffff}'])
  expect((await lake.tables()).find(({ name }) => name === 'odd')).toMatchObject({ rows: 3 })
})

test('a commit leaves no table in the engine', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('s', 'string'), field('n', 'long')])
  for (const n of [1, 2])
    committed(
      await lake.write('rows', async (tx) => {
        await tx.ensure({ name: 't', schema, key: ['s'] })
        await tx.upsert('t', {
          sql: `SELECT CAST(i AS VARCHAR) AS s, ${n} * i AS n FROM range(5000) r(i)`,
        })
      }),
    )
  const database = await lake.database()
  const left = await database.using((one) =>
    one.rows("SELECT table_name FROM duckdb_tables() WHERE schema_name <> 'meta'"),
  )
  expect(left).toEqual([])
})
