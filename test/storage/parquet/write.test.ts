/** Files that are written: their types, their statistics, and that no wrong bound ever loses a row. */
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { PrimitiveType } from '../../../src/model/schema.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { fileSchema, misfit, relationSchema } from '../../../src/storage/parquet/inspect.ts'
import { Database } from '../../../src/storage/parquet/database.ts'
import { appendRows, createTemporary, receiveInput } from '../../../src/storage/parquet/ingest.ts'
import { scanSql } from '../../../src/storage/parquet/scan.ts'
import { rowGroupRows, writeParquet } from '../../../src/storage/parquet/write.ts'
import { useEngine } from '../../support/engine.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { session } = useEngine()

async function write(
  sql: string,
  fields: readonly (readonly [string, PrimitiveType])[],
  more = {},
) {
  const directory = temporaryDirectory()
  const schema = schemaOf(fields.map(([name, type]) => field(name, type)))
  const written = await writeParquet(session(), localFiles, { sql, schema, directory, ...more })
  return { directory, schema, written }
}

async function statsOf(
  values: string,
  type: PrimitiveType,
): Promise<Record<string, Record<string, unknown>>> {
  const { written } = await write(`SELECT * FROM (VALUES ${values}) t(c)`, [['c', type]])
  return JSON.parse(written!.stats) as Record<string, Record<string, unknown>>
}

test('a file has a fresh name, its size, its rows and its hash', async () => {
  const { directory, written } = await write('SELECT range AS c FROM range(10)', [['c', 'long']])
  expect(readdirSync(directory)).toEqual([written!.name])
  expect(written!.rows).toBe(10)
  expect(written!.sha256).toBe(await localFiles.hash(`${directory}/${written!.name}`))
})

test('rows that do not fit into memory say so', async () => {
  const small = await Database.open({ memoryLimit: '4MB', threads: 1, temporaryDirectory: '' })
  try {
    const fields = Array.from({ length: 100 }, (_, i) => field(`c${String(i)}`, 'double'))
    const row = Object.fromEntries(fields.map((f, i) => [f.name, i]))
    const rows = Array.from({ length: 20_000 }, () => row)
    await small.using((one) =>
      expect(receiveInput(one, 'given', schemaOf(fields), rows, 't')).rejects.toMatchObject({
        code: 'OUT_OF_MEMORY',
      }),
    )
  } finally {
    await small.close()
  }
})

test('52: without rows there is no file', async () => {
  const { directory, written } = await write('SELECT 1 AS c WHERE false', [['c', 'long']])
  expect(written).toBeUndefined()
  expect(readdirSync(directory)).toEqual([])
})

test('an error while writing leaves no file', async () => {
  const directory = temporaryDirectory()
  const schema = schemaOf([field('c', 'integer')])
  const sql = "SELECT CAST(c AS INTEGER) AS c FROM (VALUES ('1'), ('x')) t(c)"
  await expect(
    writeParquet(session(), localFiles, { sql, schema, directory }),
  ).rejects.toMatchObject({
    code: 'SQL_ERROR',
  })
  expect(readdirSync(directory)).toEqual([])
})

test('every type comes back as it was written', async () => {
  const columns: readonly (readonly [string, PrimitiveType, string])[] = [
    ['s', 'string', "'x'"],
    ['l', 'long', '9007199254740993'],
    ['i', 'integer', '-5'],
    ['h', 'short', '7'],
    ['b', 'byte', '1'],
    ['f', 'float', '1.5'],
    ['d', 'double', "'NaN'"],
    ['t', 'boolean', 'true'],
    ['y', 'binary', "'\\xAA'"],
    ['a', 'date', "'0001-01-01'"],
    ['z', 'timestamp', "'2024-01-01 00:00:00.123456+08'"],
    ['n', 'timestamp_ntz', "'2024-01-01 00:00:00.123456'"],
    ['m', 'decimal(38,0)', "'99999999999999999999999999999999999999'"],
  ]
  const sql = `SELECT ${columns.map(([name, , value]) => `${value} AS ${name}`).join(', ')}`
  const { directory, schema, written } = await write(
    sql,
    columns.map(([n, t]) => [n, t]),
  )
  const path = `${directory}/${written!.name}`
  const physical = await fileSchema(session(), path)
  expect(physical.fields.map((f) => [f.name, f.type])).toEqual(columns.map(([n, t]) => [n, t]))
  const [row] = await session().rows(scanSql({ schema, files: [{ path, complete: true }] }))
  expect(row).toMatchObject({
    l: 9_007_199_254_740_993n,
    d: Number.NaN,
    a: '0001-01-01',
    z: '2023-12-31T16:00:00.123456Z',
    n: '2024-01-01T00:00:00.123456',
    m: '99999999999999999999999999999999999999',
    y: Uint8Array.of(0xaa),
  })
})

test('statistics of 64-bit integers and decimals are exact', async () => {
  const { written } = await write(
    `SELECT * FROM (VALUES (9007199254740993::BIGINT, 12345678901234567.89::DECIMAL(20,2)), (NULL, 0.10)) t(a, b)`,
    [
      ['a', 'long'],
      ['b', 'decimal(20,2)'],
    ],
  )
  expect(written!.stats).toContain('"minValues":{"a":9007199254740993,"b":0.10}')
  expect(written!.stats).toContain('"maxValues":{"a":9007199254740993,"b":12345678901234567.89}')
  expect(written!.stats).toContain('"nullCount":{"a":1,"b":0}')
})

test.each([
  ['49: NaN leaves no bounds', "(1.0::DOUBLE), ('NaN')", 'double'],
  ['49: infinity leaves no bounds', "(1.0::DOUBLE), ('inf')", 'double'],
  ['booleans have none', '(true), (false)', 'boolean'],
  ['all NULL has none', '(NULL), (NULL)', 'long'],
] as const)('%s', async (_name, values, type) => {
  const stats = await statsOf(values, type)
  expect(stats['minValues']).toEqual({})
  expect(stats['maxValues']).toEqual({})
})

test('a negative zero is written as zero', async () => {
  const { written } = await write("SELECT '-0.0'::DOUBLE AS c", [['c', 'double']])
  expect(written!.stats).toContain('"minValues":{"c":0.0}')
})

test('a maximum of microseconds is rounded up to milliseconds, a minimum down', async () => {
  const stats = await statsOf("('2024-01-01 00:00:00.123456+00')", 'timestamp')
  expect(stats['minValues']).toEqual({ c: '2024-01-01T00:00:00.123Z' })
  expect(stats['maxValues']).toEqual({ c: '2024-01-01T00:00:00.124Z' })
})

test('bounds of texts enclose every text, by code point', async () => {
  const characters = fc.constantFrom('a', 'z', '\u007f', 'é', '中', '\uffff', '😀', '\u{10ffff}')
  const long = fc.array(characters, { maxLength: 80 }).map((list) => list.join(''))
  await fc.assert(
    fc.asyncProperty(fc.array(long, { minLength: 1, maxLength: 5 }), async (texts) => {
      const schema = schemaOf([field('c', 'string')])
      await createTemporary(session(), 'texts', schema)
      await appendRows(
        session(),
        'texts',
        schema,
        texts.map((c) => ({ c })),
        'texts',
      )
      const { written } = await write('SELECT * FROM texts', [['c', 'string']])
      const stats = JSON.parse(written!.stats) as Record<string, Record<string, string>>
      const [min, max] = [stats['minValues']!['c'], stats['maxValues']!['c']]
      if (min === undefined || max === undefined) return
      for (const text of texts) {
        expect(Buffer.compare(Buffer.from(min), Buffer.from(text))).toBeLessThanOrEqual(0)
        expect(Buffer.compare(Buffer.from(max), Buffer.from(text))).toBeGreaterThanOrEqual(0)
      }
    }),
    { numRuns: 60 },
  )
})

test('a row group is a whole number of vectors, larger for narrow tables', () => {
  const wide = schemaOf(Array.from({ length: 90 }, (_, i) => field(`c${i}`, 'double')))
  const narrow = schemaOf([field('a', 'double')])
  expect(rowGroupRows(wide) % 2048).toBe(0)
  expect(rowGroupRows(narrow)).toBe(122_880)
  expect(rowGroupRows(wide)).toBe(8192)
})

test.each([
  ['SELECT 1::UBIGINT AS c', 'decimal(20,0)'],
  ['SELECT 1::UINTEGER AS c', 'long'],
  ["SELECT 'a'::ENUM('a','b') AS c", 'string'],
  ['SELECT [1] AS c', { type: 'array', elementType: 'integer', containsNull: true }],
])('%s is held as %j', async (sql, type) => {
  expect((await relationSchema(session(), sql)).schema.fields[0]!.type).toEqual(type)
})

test.each(["SELECT TIME '01:02:03' AS c", 'SELECT INTERVAL 1 DAY AS c', "SELECT '101'::BIT AS c"])(
  '59: %s is refused with the column named',
  async (sql) => {
    await expect(relationSchema(session(), sql)).rejects.toMatchObject({
      code: 'UNSUPPORTED_TYPE',
      details: { column: 'c' },
    })
  },
)

test('48: a file that would be rounded does not fit, a narrower one does', () => {
  const table = schemaOf([field('a', 'long'), field('b', 'double')])
  expect(misfit(schemaOf([field('a', 'integer'), field('b', 'float')]), table)).toBeUndefined()
  expect(misfit(schemaOf([field('a', 'double')]), table)).toMatch(/column a is double/)
  expect(misfit(schemaOf([field('b', 'long')]), table)).toMatch(/column b is long/)
})

test.each(['t[1]', 'a*b', 'q?', "it's", 'sp ace', 'env=prod', 'b{1,2}', '引号'])(
  '43, 44: a directory called %j is read as itself',
  async (name) => {
    const parent = temporaryDirectory()
    await localFiles.makeDirectory(`${parent}/${name}`)
    await localFiles.makeDirectory(`${parent}/t1`)
    const schema = schemaOf([field('c', 'long'), field('env', 'string')])
    const directory = `${parent}/${name}`
    const other = { sql: "SELECT 9 AS c, 'wrong' AS env", schema, directory: `${parent}/t1` }
    await writeParquet(session(), localFiles, other)
    const written = await writeParquet(session(), localFiles, {
      sql: "SELECT 1 AS c, 'right' AS env",
      schema,
      directory,
    })
    const files = [{ path: `${directory}/${written!.name}`, complete: true }]
    expect(await session().rows(scanSql({ schema, files }))).toEqual([{ c: 1n, env: 'right' }])
  },
)

test('a column that a file has not is NULL, and no other value moves', async () => {
  const { directory, written } = await write('SELECT 1 AS a, 2 AS b', [
    ['a', 'long'],
    ['b', 'long'],
  ])
  const schema = schemaOf([field('b', 'long'), field('new', 'double'), field('a', 'long')])
  const files = [{ path: `${directory}/${written!.name}`, complete: false }]
  expect(await session().rows(scanSql({ schema, files }))).toEqual([{ b: 2n, new: null, a: 1n }])
  expect(await session().rows(scanSql({ schema, files: [] }))).toEqual([])
})

test('a narrow file is compressed, a wide one is not, so that reading one row of it is cheap', async () => {
  for (const [count, codec] of [
    [31, 'SNAPPY'],
    [32, 'UNCOMPRESSED'],
  ] as const) {
    const names = Array.from({ length: count }, (_, i) => `c${String(i)}`)
    const select = names.map((name) => `range AS ${name}`).join(', ')
    const { directory, written } = await write(
      `SELECT ${select} FROM range(100)`,
      names.map((name) => [name, 'long'] as const),
    )
    const path = `${directory}/${written!.name}`
    const sql = `SELECT DISTINCT compression FROM parquet_metadata('${path}')`
    expect(await session().rows(sql)).toEqual([{ compression: codec }])
  }
})
