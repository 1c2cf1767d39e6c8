/** Values, names and widths (rows 38 to 47, 58 and 60 of docs/bad-input.md). */
import { beforeAll, describe, expect, test } from 'vitest'
import { field, schemaOf } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

let lake: Lake
beforeAll(async () => {
  lake = await newLake()
})
let tables = 0

async function stored(texts: readonly (string | null)[]): Promise<unknown[]> {
  const name = `texts_${String(tables++)}`
  committed(
    await lake.write('texts', async (tx) => {
      await tx.ensure({
        name,
        schema: schemaOf([field('n', 'integer'), field('t', 'string')]),
        key: ['n'],
      })
      await tx.upsert(
        name,
        texts.map((t, n) => ({ n, t })),
      )
    }),
  )
  return (await rowsOf(lake, `SELECT t FROM ${name} ORDER BY n`)).map((row) => row['t'])
}

describe('texts come back as they are', () => {
  test.each<[string, readonly (string | null)[]]>([
    ['38: NUL inside', ['a\0b', '\0']],
    ['39: emoji, right to left, combined or not', ['🀄️', 'שלום', 'e\u0301', 'é', '\u{10ffff}']],
    ['40: three hundred characters', ['x'.repeat(300), '证'.repeat(300)]],
    ['41: letters that differ in case only', ['Ab', 'aB', 'AB']],
    ['42: NULL, empty, the name of a default partition', [null, '', '__HIVE_DEFAULT_PARTITION__']],
    ['58: a megabyte', ['y'.repeat(1 << 20)]],
  ])('%s', async (_name, texts) => {
    expect(await stored(texts)).toEqual(texts)
  })

  test('39: a lone surrogate is refused', async () => {
    await expect(stored(['a\ud800b'])).rejects.toMatchObject({ code: 'TYPE_MISMATCH' })
  })
})

test('45: a key may have any name, also one that statements of the package use', async () => {
  for (const name of ['n', 'hits', 'file', 'rows', 'position', 'marketlake']) {
    const table = `key_${name}`
    const rows = Array.from({ length: 5 }, (_, i) => ({ [name]: i * 3, v: i }))
    const upsert = (): ReturnType<Lake['write']> =>
      lake.write('keys', async (tx) => {
        await tx.ensure({
          name: table,
          schema: schemaOf([field(name, 'integer'), field('v', 'integer')]),
          key: [name],
        })
        await tx.upsert(table, rows)
      })
    committed(await upsert())
    committed(await upsert())
    committed(await lake.delete(table, `"${name}" = 3`))
    await expect(
      lake.write('twice', async (tx) => {
        await tx.upsert(table, [
          { [name]: 1, v: 1 },
          { [name]: 1, v: 2 },
        ])
      }),
    ).rejects.toMatchObject({ code: 'DUPLICATE_KEY' })
    expect(await rowsOf(lake, `SELECT count(*)::INTEGER AS c FROM ${table}`)).toEqual([{ c: 4 }])
  }
})

describe('names', () => {
  const create = (name: string, column: string): Promise<unknown> =>
    lake.write('names', (tx) =>
      tx.ensure({ name, schema: schemaOf([field(column, 'integer')]) }).then(() => undefined),
    )

  test.each(['a.b', 'a"b', 'select', '列', 'c'.repeat(200)])(
    '45: a column %j works',
    async (column) => {
      const name = `names_${String(tables++)}`
      committed(
        await lake.write('names', async (tx) => {
          await tx.ensure({ name, schema: schemaOf([field(column, 'integer')]) })
          await tx.append(name, [{ [column]: 7 }])
        }),
      )
      expect(await rowsOf(lake, `SELECT * FROM ${name}`)).toEqual([{ [column]: 7 }])
    },
  )

  test.each(['', 'a,b', 'a;b', 'a{b', 'a(b', 'a b', 'a\tb', 'a=b', 'a\nb'])(
    '45, 46: a column %j is refused',
    async (column) => {
      await expect(create(`bad_${String(tables++)}`, column)).rejects.toMatchObject({
        code: 'INVALID_NAME',
      })
    },
  )

  test.each(['../x', "a'; drop", 'x'.repeat(300), '_delta_log', '.hidden', ''])(
    '47: a table %j is refused',
    async (name) => {
      await expect(create(name, 'n')).rejects.toMatchObject({ code: 'INVALID_NAME' })
    },
  )

  test('47: tables that differ in case only', async () => {
    await create('Twin', 'n')
    await expect(create('tWIN', 'n')).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
  })
})

test('60: three hundred columns, and rows of a megabyte', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `c${String(i)}`)
  const row = Object.fromEntries(names.map((name, i) => [name, i]))
  committed(
    await lake.write('wide', async (tx) => {
      await tx.ensure({
        name: 'wide',
        schema: schemaOf(names.map((name) => field(name, 'integer'))),
        key: ['c0'],
      })
      await tx.upsert('wide', [row])
      await tx.upsert('wide', [row])
    }),
  )
  expect(await rowsOf(lake, 'SELECT * FROM wide')).toEqual([row])
})
