/** Tables that we write for others to read: every type, awkward partitions, evolution, and what maintenance leaves. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createLake, openLake } from '../../../src/lake/lake.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import { DeltaTable } from '../../../src/storage/delta/table.ts'
import type { NewTable } from '../../../src/storage/delta/new-table.ts'
import { cleanLog } from '../../../src/storage/delta/cleanup.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { DataType, Schema } from '../../../src/model/schema.ts'
import { commitFile } from '../../support/log-table.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** A row as it is written, and as it must come back. */
export type InputRow = Readonly<Record<string, never>> | Readonly<Record<string, unknown>>

/** A table on disk with what must be read from it. */
export interface WrittenTable {
  readonly path: string
  readonly schema: Schema
  readonly rows: readonly InputRow[]
}

/** A table that the suite writes; the name is a row of `docs/interop.md`. */
export interface TableCase {
  readonly name: string
  readonly write: () => Promise<WrittenTable>
}

const columns = (types: Readonly<Record<string, DataType>>): Schema =>
  schemaOf(Object.entries(types).map(([name, type]) => field(name, type)))

const ALL = columns({
  id: 'integer',
  s: 'string',
  l: 'long',
  i: 'integer',
  h: 'short',
  b: 'byte',
  f: 'float',
  d: 'double',
  t: 'boolean',
  x: 'binary',
  day: 'date',
  at: 'timestamp',
  small: 'decimal(9,2)',
  large: 'decimal(38,10)',
})

const allRows: readonly InputRow[] = [
  {
    id: 1,
    s: '贵州茅台 "quoted", 💹',
    l: 9_223_372_036_854_775_807n,
    i: -2_147_483_648,
    h: 32_767,
    b: -128,
    f: 0.5,
    d: 0.1,
    t: true,
    x: Uint8Array.of(0, 1, 255),
    day: '1990-12-19',
    at: '2025-09-30T23:59:59.999999Z',
    small: '-1234567.89',
    large: '1234567890123456789012345678.0123456789',
  },
  { id: 2 },
  {
    id: 3,
    s: '',
    l: -9_223_372_036_854_775_808n,
    i: 2_147_483_647,
    h: -32_768,
    b: 127,
    f: Number.NEGATIVE_INFINITY,
    d: Number.NaN,
    t: false,
    x: new Uint8Array(),
    day: '0001-01-01',
    at: '1969-12-31T23:59:59.000001Z',
    small: '0.01',
    large: '-0.0000000001',
  },
  {
    id: 4,
    d: -0,
    f: 1.5,
    l: 9_007_199_254_740_993n,
    day: '9999-12-31',
    at: '2262-04-12T00:00:00Z',
  },
]

async function table(definition: NewTable): Promise<DeltaTable> {
  return DeltaTable.create(join(temporaryDirectory(), 't'), definition, { threads: 1 })
}

async function finished(
  made: DeltaTable,
  schema: Schema,
  rows: readonly InputRow[],
): Promise<WrittenTable> {
  await made.close()
  return { path: made.directory, schema, rows }
}

const PLAIN = columns({ id: 'long', name: 'string', v: 'double' })
const plain = (id: number, v = id / 4): InputRow => ({ id: BigInt(id), name: `n${String(id)}`, v })
const range = (from: number, to: number): InputRow[] =>
  Array.from({ length: to - from }, (_, i) => plain(from + i))

/** Every table of the suite. */
export const TABLES: readonly TableCase[] = [
  {
    name: 'all types, NULLs, extremes',
    write: async () => {
      const made = await table({ schema: ALL })
      await made.append(allRows as never)
      return finished(made, ALL, allRows)
    },
  },
  {
    name: 'timestamps without zone (3/7)',
    write: async () => {
      const schema = columns({ id: 'integer', at: 'timestamp_ntz' })
      const made = await table({ schema })
      const rows = [{ id: 1, at: '2024-02-29T09:30:00.123456' }, { id: 2 }]
      await made.append(rows)
      return finished(made, schema, rows)
    },
  },
  {
    name: 'lists, structs, maps',
    write: async () => {
      const list: DataType = { type: 'array', elementType: 'double', containsNull: true }
      const inner: DataType = columns({ a: 'integer', b: 'string' })
      const map: DataType = {
        type: 'map',
        keyType: 'string',
        valueType: 'long',
        valueContainsNull: true,
      }
      const schema = columns({ id: 'integer', list, inner, map })
      const made = await table({ schema })
      const rows = [
        { id: 1, list: [1, null, 2.5], inner: { a: 1, b: 'x' }, map: [{ key: 'k', value: 7n }] },
        { id: 2 },
        { id: 3, list: [], inner: { a: null, b: null }, map: [] },
      ]
      await made.append(rows as never)
      return finished(made, schema, rows)
    },
  },
  {
    name: 'partitions with awkward values',
    write: async () => {
      const schema = columns({ p: 'string', id: 'integer' })
      const made = await table({ schema, partitionColumns: ['p'] })
      const values = ['a b', 'x=y', '100%', 'a/b', '茅台', "it's", '#?&+', 'null', '.', null]
      const rows = values.map((p, id) => ({ p, id }))
      await made.append(rows)
      return finished(made, schema, rows)
    },
  },
  {
    name: 'partitions of numbers and dates',
    write: async () => {
      const schema = columns({ day: 'date', n: 'integer', v: 'double' })
      const made = await table({ schema, partitionColumns: ['day', 'n'] })
      const rows = [
        { day: '2024-03-31', n: 1, v: 1 },
        { day: '1999-12-31', n: -5, v: 2 },
        { day: null, n: null, v: 3 },
      ]
      await made.append(rows)
      return finished(made, schema, rows)
    },
  },
  {
    name: 'columns added later',
    write: async () => {
      const made = await table({ schema: PLAIN, key: ['id'] })
      await made.append([plain(1), plain(2)] as never)
      await made.addColumns([field('later', 'date')])
      await made.append([{ ...plain(3), later: '2025-01-02' }] as never)
      const schema = schemaOf([...PLAIN.fields, field('later', 'date')])
      return finished(made, schema, [plain(1), plain(2), { ...plain(3), later: '2025-01-02' }])
    },
  },
  {
    name: 'upserts and deletes',
    write: async () => {
      const made = await table({ schema: PLAIN, key: ['id'] })
      await made.append(range(0, 50) as never)
      await made.upsert([plain(7, 700), plain(60)] as never)
      await made.delete('id < 5')
      const kept = range(5, 50).map((row) => (row['id'] === 7n ? plain(7, 700) : row))
      return finished(made, PLAIN, [...kept, plain(60)])
    },
  },
  {
    name: 'after a checkpoint, the log before it cleaned',
    write: async () => {
      const made = await table({ schema: PLAIN, key: ['id'] })
      for (let i = 0; i < 25; i++) await made.append([plain(i)] as never)
      await made.checkpoint()
      await cleanLog(localFiles, made.directory, made.version)
      await made.append([plain(100)] as never)
      return finished(made, PLAIN, [...range(0, 25), plain(100)])
    },
  },
  {
    name: 'after optimize',
    write: async () => {
      const made = await table({ schema: PLAIN, key: ['id'] })
      for (let i = 0; i < 12; i++) await made.append([plain(i)] as never)
      await made.optimize()
      return finished(made, PLAIN, range(0, 12))
    },
  },
  {
    name: 'after restore',
    write: async () => {
      const made = await table({ schema: PLAIN, key: ['id'] })
      await made.append(range(0, 10) as never)
      const { version } = made
      await made.overwrite([plain(99)] as never)
      await made.restore(version)
      return finished(made, PLAIN, range(0, 10))
    },
  },
  {
    name: 'a table of a lake, its last commit finished by the next writer',
    write: async () => {
      const lake = await createLake(temporaryDirectory(), { maintenance: false })
      const write = (use: Parameters<Lake['write']>[1]) => lake.write('write', use)
      await write(async (tx) => {
        await tx.ensure({ name: 'a', schema: PLAIN, key: ['id'] })
        await tx.upsert('a', range(0, 20) as never)
      })
      await write(async (tx) => void (await tx.upsert('a', [plain(3, 33), plain(50)] as never)))
      // What a kill between the record and the Delta commit leaves.
      rmSync(join(lake.root, 'warehouse/a/_delta_log', commitFile(1)))
      await lake.close()
      const next = await openLake(lake.root, { maintenance: false })
      await next.write('next', async (tx) => void (await tx.upsert('a', [plain(51)] as never)))
      await next.close()
      const rows = range(0, 20).map((row) => (row['id'] === 3n ? plain(3, 33) : row))
      const path = join(lake.root, 'warehouse/a')
      return { path, schema: PLAIN, rows: [...rows, plain(50), plain(51)] }
    },
  },
  {
    name: 'no rows',
    write: async () => finished(await table({ schema: ALL }), ALL, []),
  },
]
