/** The list of bad inputs, items 36 to 47: partition values, names and places that are no good words for a file. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkColumnNames, checkTableName } from '../../../src/model/name.ts'
import type { DeltaTable } from '../../../src/storage/delta/index.ts'
import { field, schemaOf } from '../../../src/storage/delta/index.ts'
import { useDeltaTables } from '../../support/delta-tables.ts'
import { newLake } from '../../support/lake.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { opened, created } = useDeltaTables()

describe('places', () => {
  test('43: a directory called key=value adds no column and changes none', async () => {
    const root = join(temporaryDirectory(), 'c=9', 'type=balance')
    const table = await created({ schema: schemaOf([field('c', 'long')]) }, root)
    await table.append([{ c: 1n }])
    expect(await table.rows()).toEqual([{ c: 1n }])
  })

  test('44: a directory whose name is a pattern, a quote or a newline is that directory', async () => {
    const root = temporaryDirectory()
    const schema = schemaOf([field('c', 'long')])
    const decoy = await created({ schema }, join(root, 't1'))
    await decoy.append([{ c: 1n }])
    for (const [i, name] of [
      't[1]',
      't*',
      't?',
      '{t1,t}',
      "it's",
      'a b',
      'a\\b',
      'a\nb',
      '%41',
      'é文',
    ].entries()) {
      const table = await created({ schema }, join(root, name))
      await table.append([{ c: BigInt(i + 10) }])
      expect(await table.rows()).toEqual([{ c: BigInt(i + 10) }])
    }
  })
})

describe('partition values and names', () => {
  const schema = schemaOf([field('p', 'string'), field('i', 'integer')])
  const roundTrip = async (
    values: readonly (string | null)[],
    directory = temporaryDirectory(),
  ): Promise<DeltaTable> => {
    const table = await created({ schema, partitionColumns: ['p'] }, directory)
    await table.append(values.map((p, i) => ({ p, i })))
    const rows = await table.query('SELECT p FROM delta_table ORDER BY i')
    expect(rows.map((row) => row['p'])).toEqual(values)
    return table
  }

  test('36: values that climb stay inside the table', async () => {
    const root = temporaryDirectory()
    const table = await roundTrip(
      ['a/b', '..', '../../x', '.', '/etc', 'a/../../b'],
      join(root, 'table'),
    )
    expect(readdirSync(root)).toEqual(['table'])
    for (const { path } of table.snapshot.files.values())
      expect(path).not.toMatch(/(^|\/)\.\.?(\/|$)/)
  })

  test('37: values of percent signs, spaces and patterns come back', async () => {
    await roundTrip(['100%', '%2F', '%252F', 'a=b', 'a b', '+', '?*[', '#', '\\', ':', "'", '"'])
  })

  test('38: a value with NUL comes back', async () => {
    await roundTrip(['a\0b', 'plain'])
  })

  test('39: emoji, marks and right-to-left come back; half a character is refused', async () => {
    await roundTrip(['😀', 'é', 'e\u0301', 'שלום', '文'])
    const table = await created({ schema, partitionColumns: ['p'] })
    await expect(table.append([{ p: '\ud800', i: 1 }])).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
    })
  })

  test('40: a value too long for a directory is refused, and stored where it is no partition', async () => {
    const long = '长'.repeat(300)
    const table = await created({ schema, partitionColumns: ['p'] })
    await expect(table.append([{ p: long, i: 1 }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    const flat = await created({ schema })
    await flat.append([{ p: long, i: 1 }])
    expect(await flat.rows()).toEqual([{ p: long, i: 1 }])
  })

  test('41: values that differ in case are two partitions', async () => {
    const table = await roundTrip(['Ab', 'aB'])
    await table.delete("p = 'Ab'")
    expect(await table.query('SELECT p FROM delta_table')).toEqual([{ p: 'aB' }])
  })

  test('42: NULL, the empty text and the sign for NULL are three things', async () => {
    await roundTrip([null, '__HIVE_DEFAULT_PARTITION__'])
    const table = await created({ schema, partitionColumns: ['p'] })
    await expect(table.append([{ p: '', i: 1 }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('45: odd column names are kept; empty and doubled ones are refused', async () => {
    const names = ['a.b', 'a"b', 'select', "a'b", '😀', 'x'.repeat(300), 'a\\b', 'a[1]', '*']
    const table = await created({ schema: schemaOf(names.map((name) => field(name, 'long'))) })
    const row = Object.fromEntries(names.map((name, i) => [name, BigInt(i)]))
    await table.append([row])
    expect(await table.rows()).toEqual([row])
    const again = await opened(table.directory)
    expect(again.schema.fields.map((f) => f.name)).toEqual(names)
    for (const bad of [[''], ['a', 'a'], ['a', 'A']]) {
      const wrong = schemaOf(bad.map((name) => field(name, 'long')))
      await expect(created({ schema: wrong })).rejects.toMatchObject({ code: 'INVALID_NAME' })
    }
  })

  test('46: characters that Delta forbids in column names are refused with their list', async () => {
    for (const character of ' ,;{}()\n\t=') {
      expect(() => checkColumnNames([`a${character}b`])).toThrow(/not a column name/)
    }
    const failed = created({ schema: schemaOf([field('a,b', 'long')]) })
    await expect(failed).rejects.toMatchObject({
      next: expect.stringContaining(',;{}()=') as string,
    })
  })

  test('47: table names: one form, unique ignoring case', async () => {
    for (const bad of ['../x', 'con', "a'; drop", 'x'.repeat(300), '_delta_log', '.x', '', 'a-b'])
      expect(() => checkTableName(bad)).toThrow(/not a table name/)
    const lake = await newLake()
    const outcome = lake.write('twin', (tx) =>
      tx.ensure({ name: 'DAILY', schema: schemaOf([field('c', 'long')]) }).then(() => undefined),
    )
    await expect(outcome).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
  })
})

test('every item of the list has a test', () => {
  const own = readFileSync(import.meta.filename, 'utf8')
  const numbers = [...own.matchAll(/test\('(\d+): /g)].map((match) => Number(match[1]))
  const named = new Set(numbers)
  const wanted = Array.from({ length: 47 - 36 + 1 }, (_, i) => 36 + i)
  expect(wanted.filter((number) => !named.has(number))).toEqual([])
})
