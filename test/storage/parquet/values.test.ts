/** Values in and out: what JavaScript gives comes back the same, and what does not fit is named by column and row. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { DataType } from '../../../src/model/schema.ts'
import { readColumns } from '../../../src/storage/parquet/columns.ts'
import { appendColumns, appendRows, createTemporary } from '../../../src/storage/parquet/ingest.ts'
import { identifier, literal } from '../../../src/storage/parquet/sql.ts'
import type { Value } from '../../../src/storage/parquet/values.ts'
import { jsonOf, timestampText } from '../../../src/storage/parquet/values.ts'
import { useEngine } from '../../support/engine.ts'

const { session } = useEngine()

async function through(type: DataType, values: readonly unknown[]): Promise<Value[]> {
  const schema = schemaOf([field('c', type)])
  await createTemporary(session(), 'through', schema)
  await appendRows(
    session(),
    'through',
    schema,
    values.map((c) => ({ c })),
    'through',
  )
  return (await session().rows('SELECT c FROM through ORDER BY rowid')).map((row) => row['c']!)
}

const CASES: readonly (readonly [DataType, fc.Arbitrary<unknown>])[] = [
  ['string', fc.string({ unit: 'grapheme' })],
  ['long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['integer', fc.integer()],
  ['double', fc.double()],
  ['boolean', fc.boolean()],
  ['binary', fc.uint8Array({ maxLength: 20 })],
  ['decimal(38,3)', fc.bigInt({ min: -(10n ** 34n), max: 10n ** 34n }).map((n) => `${n}.125`)],
  [
    'date',
    fc
      .integer({ min: -500_000, max: 900_000 })
      .map((d) => new Date(d * 864e5).toISOString().slice(0, 10)),
  ],
]

describe('a value comes back', () => {
  test.each(CASES)('%j', async (type, values) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(values), { minLength: 1, maxLength: 20 }),
        async (list) => {
          const fits = list.filter(
            (v) => type !== 'date' || v === null || /^\d{4}-/.test(v as string),
          )
          expect(await through(type, fits)).toEqual(fits)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('timestamps as text with a zone, dates as Date, nested values', async () => {
    expect(await through('timestamp', ['2024-01-01T08:00:00+08:00', new Date(1500)])).toEqual([
      '2024-01-01T00:00:00Z',
      '1970-01-01T00:00:01.5Z',
    ])
    expect(await through('timestamp_ntz', ['1969-12-31 23:59:59.999999'])).toEqual([
      '1969-12-31T23:59:59.999999',
    ])
    const list: DataType = { type: 'array', elementType: 'long', containsNull: true }
    expect(await through(list, [[1n, null], [], null])).toEqual([[1n, null], [], null])
    const map: DataType = {
      type: 'map',
      keyType: 'string',
      valueType: 'double',
      valueContainsNull: true,
    }
    expect(await through(map, [[{ key: 'a', value: 1.5 }]])).toEqual([[{ key: 'a', value: 1.5 }]])
    const struct = schemaOf([field('x', 'long'), field('y', 'string')])
    expect(await through(struct, [{ x: 1n }])).toEqual([{ x: 1n, y: null }])
  })
})

describe('55, 57: a value that does not fit is refused with column and row', () => {
  test.each<[DataType, unknown]>([
    ['long', 2 ** 53],
    ['long', 1.5],
    ['long', 2n ** 63n],
    ['integer', 2 ** 31],
    ['byte', 128],
    ['string', 5],
    ['string', '\ud800'],
    ['double', '1'],
    ['boolean', 1],
    ['date', '2024-02-30'],
    ['date', new Date(1)],
    ['timestamp', '2024-01-01T00:00:00'],
    ['timestamp', new Date(Number.NaN)],
    ['timestamp_ntz', '2024-01-01T00:00:00Z'],
    ['decimal(5,2)', '1.234'],
    ['decimal(5,2)', '1000'],
    ['binary', 'x'],
    ['string', Symbol('x')],
    ['string', () => 1],
    [schemaOf([field('x', 'long')]), { y: 1n }],
  ])('%j: %s', async (type, value) => {
    await expect(through(type, [null, value])).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      details: { column: 'c', row: 2 },
    })
  })
})

test('typed arrays go in and come out as they are', async () => {
  const schema = schemaOf([
    field('d', 'double'),
    field('i', 'integer'),
    field('l', 'long'),
    field('s', 'string'),
  ])
  const count = 5000
  const columns = {
    d: Float64Array.from({ length: count }, (_, i) => i / 3),
    i: Int32Array.from({ length: count }, (_, i) => -i),
    l: BigInt64Array.from({ length: count }, (_, i) => BigInt(i) << 40n),
    s: Array.from({ length: count }, (_, i) => (i % 7 === 0 ? null : `s${i % 5}`)),
  }
  await createTemporary(session(), 'typed', schema)
  await appendColumns(session(), 'typed', schema, { columns }, 'typed')
  const [d, i, l, s] = await readColumns(session(), 'SELECT d, i, l, s FROM typed ORDER BY rowid')
  expect(d).toMatchObject({ kind: 'number', type: 'DOUBLE', values: columns.d, valid: undefined })
  expect(i).toMatchObject({ values: columns.i })
  expect(l).toMatchObject({ values: columns.l })
  if (s?.kind !== 'text') throw new Error('texts come as codes')
  const texts = Array.from(s.codes, (code, row) => (s.valid![row] ? s.dictionary[code] : null))
  expect(texts).toEqual(columns.s)
})

test('the pinned bindings still hold numbers and NULLs where the column reader looks', async () => {
  const columns = await readColumns(
    session(),
    `SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE i + 0.5::DOUBLE END AS x, DATE '1970-01-01' + CAST(i AS INTEGER) AS d,
            CASE WHEN i % 2 = 0 THEN i END AS b FROM range(3000) t(i)`,
  )
  const [x, d, b] = columns
  if (x?.kind !== 'number' || d?.kind !== 'number' || b?.kind !== 'number')
    throw new Error('numbers')
  for (let i = 0; i < 3000; i++) {
    expect(x.valid![i]).toBe(i % 3 === 0 ? 0 : 1)
    if (i % 3 !== 0) expect(x.values[i]).toBe(i + 0.5)
    expect(d.values[i]).toBe(i)
    expect(b.valid![i]).toBe(i % 2 === 0 ? 1 : 0)
  }
})

test('a stream yields every row, also while other statements wait for the connection', async () => {
  let rows = 0
  const other = (async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return session().rows('SELECT 1 AS one')
  })()
  for await (const part of session().stream('SELECT * FROM range(10000)')) rows += part.rows.length
  expect(rows).toBe(10_000)
  expect(await other).toEqual([{ one: 1 }])
})

test('71: names and texts are quoted whatever they hold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1 }), async (text) => {
      fc.pre(!text.includes('\0'))
      const [row] = await session().rows(`SELECT ${literal(text)} AS ${identifier(text)}`)
      expect(row).toEqual({ [text]: text })
    }),
    { numRuns: 100 },
  )
})

test('JSON holds large integers and NaN as text', () => {
  expect(
    jsonOf([1n, Number.NaN, -Infinity, 1.5, null, Uint8Array.of(1, 2), { a: 2n ** 63n }]),
  ).toEqual(['1', 'NaN', '-Infinity', 1.5, null, 'AQI=', { a: '9223372036854775808' }])
})

test('53: timestamps beyond JavaScript and infinities stay readable', () => {
  expect(timestampText(-1n, true)).toBe('1969-12-31T23:59:59.999999Z')
  expect(timestampText(9_223_372_036_854_775_807n, true)).toBe('infinity')
  expect(timestampText(0n, false)).toBe('1970-01-01T00:00:00')
})

test('an error of SQL says where and what was meant', async () => {
  await expect(session().rows('SELECT fo FROM (SELECT 1 AS foo)')).rejects.toMatchObject({
    code: 'SQL_ERROR',
    details: { position: 7, candidates: ['foo'] },
  })
  await expect(session().rows('selec')).rejects.toMatchObject({ code: 'SQL_ERROR' })
})

test('a column named like a property of every object is a column like any other', async () => {
  const [row] = await session().rows('SELECT 1 AS "__proto__", 2 AS constructor')
  expect(Object.entries(row!)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
  ])
  expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
})
