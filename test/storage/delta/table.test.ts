/** A table by itself: upsert against a plain map, the other operations, outcomes of races, and what is refused. */
import { fork } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { DeltaTable, field, schemaOf } from '../../../src/storage/delta/index.ts'
import type { NewTable } from '../../../src/storage/delta/index.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const open: DeltaTable[] = []
afterEach(async () => {
  for (const table of open.splice(0)) await table.close()
})

const schema = schemaOf([
  field('symbol', 'string'),
  field('end_date', 'date'),
  field('eps', 'double'),
  field('note', 'string'),
])
const KEYED: NewTable = {
  schema,
  key: ['symbol', 'end_date'],
  period: { column: 'end_date', unit: 'quarter' },
}

async function create(
  table: NewTable,
  directory = join(temporaryDirectory(), 't'),
): Promise<DeltaTable> {
  const made = await DeltaTable.create(directory, table, { threads: 1 })
  open.push(made)
  return made
}

function dataFiles(table: DeltaTable): string[] {
  return readdirSync(table.directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet') && !name.includes('_delta_log'))
    .toSorted()
}

const rows = fc.uniqueArray(
  fc.record({
    symbol: fc.constantFrom('000001.SZ', '600519.SH', '中文', "it's", 'é'),
    end_date: fc.constantFrom('2023-12-31', '2024-03-31', '2024-06-30'),
    eps: fc.oneof(fc.constant(null), fc.constantFrom(0, 1.5, -2, Number.NaN, Infinity)),
    note: fc.option(fc.constantFrom('', 'a', 'b')),
  }),
  { selector: (row) => `${row.symbol}|${row.end_date}`, maxLength: 8 },
)

describe.each(['clustered', 'per-symbol'] as const)('%s', (layout) => {
  test('upserts are a plain map; what is unchanged writes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rows, { minLength: 1, maxLength: 6 }), async (batches) => {
        const table = await create({ ...KEYED, layout })
        const model = new Map<string, Record<string, unknown>>()
        for (const batch of batches) {
          let [inserted, updated, unchanged] = [0, 0, 0]
          for (const row of batch) {
            const key = `${row.symbol}|${row.end_date}`
            const known = model.get(key)
            if (!known) inserted++
            else if (Object.is(known['eps'], row.eps) && known['note'] === row.note) unchanged++
            else updated++
            model.set(key, row)
          }
          const [version, files] = [table.version, dataFiles(table)]
          const outcome = await table.upsert(batch)
          expect(outcome).toMatchObject({
            kind: 'committed',
            counts: { inserted, updated, unchanged },
          })
          if (inserted + updated === 0) {
            expect(table.version).toBe(version)
            expect(dataFiles(table)).toEqual(files)
          }
          const found = await table.rows()
          const key = (row: Record<string, unknown>): string => JSON.stringify(row)
          expect(found.map(key).toSorted()).toEqual([...model.values()].map(key).toSorted())
        }
      }),
      { numRuns: 12 },
    )
  })
})

test('columns that do not come keep their stored value', async () => {
  const table = await create(KEYED)
  await table.upsert([{ symbol: 'a', end_date: '2024-03-31', eps: 1, note: 'kept' }])
  await table.upsert([{ symbol: 'a', end_date: '2024-03-31', eps: 2 }])
  expect(await table.rows()).toEqual([
    { symbol: 'a', end_date: '2024-03-31', eps: 2, note: 'kept' },
  ])
})

test('50, 51: NULL in a key and repeated keys are refused with row and examples; the last can be taken', async () => {
  const table = await create(KEYED)
  const row = (eps: number) => ({ symbol: 'a', end_date: '2024-03-31', eps })
  await expect(
    table.upsert([row(1), { symbol: null, end_date: '2024-03-31' }]),
  ).rejects.toMatchObject({
    code: 'NULL_KEY',
    details: { row: 2 },
  })
  await expect(table.upsert([row(1), row(2), row(3)])).rejects.toMatchObject({
    code: 'DUPLICATE_KEY',
    details: { count: 2, examples: ['a 2024-03-31'] },
  })
  await table.upsert([row(1), row(2), row(3)], { onDuplicate: 'last' })
  expect(await table.query('SELECT eps FROM delta_table')).toEqual([{ eps: 3 }])
  expect(dataFiles(table)).toHaveLength(1)
})

test('append, overwrite, replaceWhere, delete, restore, optimize: each does what it says', async () => {
  const table = await create({ schema, clustering: ['symbol'] })
  const row = (symbol: string, eps: number) => ({ symbol, end_date: '2024-03-31', eps, note: null })
  await table.append([row('a', 1), row('b', 2)])
  await table.append([row('c', 3)])
  const three = table.version
  await table.delete("symbol = 'a'")
  expect(await table.query('SELECT symbol FROM delta_table ORDER BY 1')).toEqual([
    { symbol: 'b' },
    { symbol: 'c' },
  ])
  await table.replaceWhere("symbol = 'b'", [row('b', 20), row('b', 21)])
  expect(await table.query('SELECT eps FROM delta_table ORDER BY 1')).toEqual([
    { eps: 3 },
    { eps: 20 },
    { eps: 21 },
  ])
  await expect(table.replaceWhere("symbol = 'b'", [row('z', 1)])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await table.overwrite([row('x', 9)])
  expect(await table.rows()).toHaveLength(1)
  await table.restore(three)
  expect(await table.query('SELECT symbol FROM delta_table ORDER BY 1')).toEqual([
    { symbol: 'a' },
    { symbol: 'b' },
    { symbol: 'c' },
  ])
  const before = await table.rows()
  const outcome = await table.optimize()
  expect(outcome.kind).toBe('committed')
  expect(table.snapshot.files.size).toBe(1)
  expect([...table.snapshot.files.values()][0]!.dataChange).toBe(false)
  expect((await table.rows()).toSorted()).toEqual(before.toSorted())
  const operations = (await table.history()).map((h) => h.operation)
  expect(operations).toEqual([
    'OPTIMIZE',
    'RESTORE',
    'WRITE',
    'WRITE',
    'DELETE',
    'WRITE',
    'WRITE',
    'CREATE TABLE',
  ])
  const old = await DeltaTable.open(table.directory, { version: three })
  open.push(old)
  expect(await old.rows()).toHaveLength(3)
  await expect(old.append([row('q', 1)])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('36, 37: partitions with awkward values are read back exactly', async () => {
  const values = [
    'a/b',
    '100%',
    '%2F',
    'a=b',
    'sp ace',
    '+',
    '?*[',
    '#',
    ':',
    '..',
    '.',
    'é中😀',
    "it's",
    '"q"',
    '__HIVE_DEFAULT_PARTITION__',
    null,
  ]
  const table = await create({ schema, partitionColumns: ['note'] })
  await table.append(
    values.map((note, i) => ({ symbol: `s${i}`, end_date: '2024-03-31', eps: i, note })),
  )
  const found = await table.query('SELECT note FROM delta_table ORDER BY eps')
  expect(found.map((row) => row['note'])).toEqual(values)
  await expect(table.append([{ symbol: 'x', note: '' }])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await table.delete("note = 'a/b'")
  expect(await table.query('SELECT count(*) AS n FROM delta_table')).toEqual([{ n: 15n }])
})

test('partitions by dates, timestamps, decimals and booleans are read back exactly', async () => {
  const typed = schemaOf([
    field('d', 'date'),
    field('t', 'timestamp'),
    field('m', 'decimal(5,2)'),
    field('b', 'boolean'),
    field('x', 'long'),
  ])
  const table = await create({ schema: typed, partitionColumns: ['d', 't', 'm', 'b'] })
  const row = { d: '2024-02-29', t: '2024-01-05T12:30:00.000001Z', m: '2.00', b: true, x: 1n }
  await table.append([row, { x: 2n }])
  expect(await table.query('SELECT * FROM delta_table ORDER BY x')).toEqual([
    row,
    { d: null, t: null, m: null, b: null, x: 2n },
  ])
  const first = [...table.snapshot.files.values()].find((f) => f.partitionValues['d'] !== null)
  expect(first!.partitionValues).toEqual({
    d: '2024-02-29',
    t: '2024-01-05T12:30:00.000000Z'.replace('000000Z', '000001Z'),
    m: '2.00',
    b: 'true',
  })
})

test('columns are added; old rows have NULL in them, and a type never changes', async () => {
  const table = await create(KEYED)
  await table.upsert([{ symbol: 'a', end_date: '2024-03-31', eps: 1 }])
  await table.addColumns([field('roe', 'double')])
  await table.upsert([{ symbol: 'b', end_date: '2024-03-31', roe: 5 }])
  expect(await table.query('SELECT symbol, roe FROM delta_table ORDER BY 1')).toEqual([
    { symbol: 'a', roe: null },
    { symbol: 'b', roe: 5 },
  ])
  await expect(table.addColumns([field('roe', 'string')])).rejects.toMatchObject({
    code: 'TYPE_MISMATCH',
  })
  await expect(
    table.upsert([{ symbol: 'a', end_date: '2024-03-31', nope: 1 }]),
  ).rejects.toMatchObject({
    code: 'COLUMN_NOT_FOUND',
  })
})

test('29: a batch of an application is written once', async () => {
  const table = await create({ schema })
  const batch = [{ symbol: 'a' }]
  await table.append(batch, { txn: { appId: 'job', version: 5 } })
  await table.append(batch, { txn: { appId: 'job', version: 5 } })
  await table.append(batch, { txn: { appId: 'job', version: 4 } })
  expect(await table.rows()).toHaveLength(1)
  await table.append(batch, { txn: { appId: 'job', version: 6 } })
  expect(await table.rows()).toHaveLength(2)
})

test('an append-only table takes rows and gives none away', async () => {
  const table = await create({ ...KEYED, properties: { 'delta.appendOnly': 'true' } })
  await table.append([{ symbol: 'a', end_date: '2024-03-31', eps: 1 }])
  await expect(table.delete('true')).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' })
  await expect(
    table.upsert([{ symbol: 'a', end_date: '2024-03-31', eps: 2 }]),
  ).rejects.toMatchObject({
    details: { feature: 'appendOnly' },
  })
  await table.setProperties({ 'delta.appendOnly': undefined })
  await table.delete('true')
  expect(await table.rows()).toEqual([])
  expect(dataFiles(table)).toHaveLength(1)
})

test('a checkpoint is written by itself, and the log opens from it alone', async () => {
  const table = await create({ schema, properties: { 'delta.checkpointInterval': '3' } })
  for (let i = 0; i < 7; i++) await table.append([{ symbol: `s${i}` }])
  const names = readdirSync(join(table.directory, '_delta_log'))
  expect(names.filter((n) => n.includes('checkpoint.parquet'))).toHaveLength(2)
  for (const name of names.filter((n) => n.endsWith('.json') && n < '00000000000000000006')) {
    rmSync(join(table.directory, '_delta_log', name))
  }
  const again = await DeltaTable.open(table.directory)
  open.push(again)
  expect(await again.query('SELECT count(*) AS n FROM delta_table')).toEqual([{ n: 7n }])
})

test('what stands in the way is named: a table that is there, none, a torn newest commit', async () => {
  const table = await create(KEYED)
  await expect(create(KEYED, table.directory)).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
  await expect(DeltaTable.open(temporaryDirectory())).rejects.toMatchObject({
    code: 'TABLE_NOT_FOUND',
  })
  writeFileSync(join(table.directory, '_delta_log', '00000000000000000001.json'), '')
  await expect(table.append([{ symbol: 'a', end_date: '2024-03-31' }])).rejects.toMatchObject({
    code: 'CORRUPT_LOG',
  })
  expect(dataFiles(table)).toEqual([])
})

test('7: a live file that is missing is an error that names it, never fewer rows', async () => {
  const table = await create(KEYED)
  await table.upsert([{ symbol: 'a', end_date: '2024-03-31', eps: 1 }])
  const [file] = dataFiles(table)
  rmSync(join(table.directory, file!))
  await expect(table.rows()).rejects.toThrow(file)
})

test('writers in several processes lose no commit and leave no hole', async () => {
  const table = await create({ schema: schemaOf([field('w', 'integer'), field('i', 'integer')]) })
  const worker = join(import.meta.dirname, '..', '..', 'workers', 'append.mjs')
  const writers = [1, 2, 3].map(
    (w) =>
      new Promise<number>((resolve, reject) => {
        const child = fork(worker, [table.directory, String(w), '12'])
        child.once('error', reject)
        child.once('exit', (code) => resolve(code ?? -1))
      }),
  )
  expect(await Promise.all(writers)).toEqual([0, 0, 0])
  await table.refresh()
  expect(table.version).toBe(36)
  const found = await table.query(
    'SELECT w, count(DISTINCT i) AS n FROM delta_table GROUP BY 1 ORDER BY 1',
  )
  expect(found).toEqual([1, 2, 3].map((w) => ({ w, n: 12n })))
})
