/** Engines that write take turns with us on one table, bare or in a lake: rows stay right and histories have no hole. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { DeltaTable } from '../../src/storage/delta/table.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { startEngines } from './support/engines.ts'
import type { Columns, EngineName, Engines, PlainRow } from './support/engines.ts'
import { describeResults, expectDocumented } from './support/results.ts'

const SPARK = process.env['MARKETLAKE_SPARK'] === '1'
const WRITERS: readonly EngineName[] = SPARK ? ['Spark'] : ['delta-rs', 'DuckDB']
/** Engines that do more than insert. */
const COMPLETE: readonly EngineName[] = ['delta-rs', 'Spark']
const results = describeResults('writing')

let engines: Engines
beforeAll(() => {
  engines = startEngines(SPARK ? 'spark' : 'python')
})
afterAll(() => engines.close())

const SCHEMA = schemaOf([field('id', 'long'), field('name', 'string'), field('v', 'double')])
const COLUMNS: Columns = [
  ['id', 'long'],
  ['name', 'string'],
  ['v', 'double'],
]
const row = (id: number, v: number): PlainRow => ({ id: String(id), name: `n${String(id)}`, v })
const ours = (id: number, v: number) => ({ id: BigInt(id), name: `n${String(id)}`, v })

/** A table as both sides see it: ids with their values. */
type Model = Map<number, number>

/** What one side may do to a table, with what becomes of the rows. */
interface Table {
  readonly path: string
  append(ids: readonly number[], v: number): Promise<void>
  upsert(ids: readonly number[], v: number): Promise<void>
  delete(where: string): Promise<void>
  optimize(): Promise<void>
  checkpoint(): Promise<void>
  rows(): Promise<Model>
  versions(): Promise<number[]>
}

const modelOf = (rows: readonly Readonly<Record<string, unknown>>[]): Model => {
  const model = new Map(rows.map((r) => [Number(r['id']), r['v'] as number]))
  expect(model.size).toBe(rows.length)
  return model
}

async function bareTable(): Promise<Table> {
  const path = join(temporaryDirectory(), 't')
  const made = await DeltaTable.create(path, { schema: SCHEMA, key: ['id'] }, { threads: 1 })
  opened.push(made)
  return {
    path,
    append: async (ids, v) => void (await made.append(ids.map((id) => ours(id, v)))),
    upsert: async (ids, v) => void (await made.upsert(ids.map((id) => ours(id, v)))),
    delete: async (where) => void (await made.delete(where)),
    optimize: async () => void (await made.optimize()),
    checkpoint: () => made.checkpoint(),
    rows: async () => {
      await made.refresh()
      return modelOf(await made.rows())
    },
    versions: async () => {
      await made.refresh()
      return (await made.history()).map((h) => h.version)
    },
  }
}

const opened: { close(): Promise<void> }[] = []
afterAll(async () => {
  for (const table of opened) await table.close()
})

async function lakeTable(): Promise<Table & { readonly lake: Lake }> {
  const lake = await newLake()
  const write = async (note: string, use: Parameters<Lake['write']>[1]): Promise<void> =>
    void committed(await lake.write(note, use))
  await write(
    'make',
    async (tx) => void (await tx.ensure({ name: 't', schema: SCHEMA, key: ['id'] })),
  )
  return {
    lake,
    path: join(lake.root, 'warehouse/t'),
    append: (ids, v) =>
      write(
        'append',
        async (tx) =>
          void (await tx.append(
            't',
            ids.map((id) => ours(id, v)),
          )),
      ),
    upsert: (ids, v) =>
      write(
        'upsert',
        async (tx) =>
          void (await tx.upsert(
            't',
            ids.map((id) => ours(id, v)),
          )),
      ),
    delete: async (where) => void committed(await lake.delete('t', where)),
    optimize: async () => void (await lake.optimize('t')),
    checkpoint: async () => undefined,
    rows: async () => {
      // Readers see what the lake has adopted; doctor and every writer settle first.
      await lake.doctor({ fix: true })
      return modelOf(await rowsOf(lake, 'SELECT id, v FROM t'))
    },
    versions: async () => {
      const table = await DeltaTable.open(join(lake.root, 'warehouse/t'))
      const versions = (await table.history()).map((h) => h.version)
      await table.close()
      return versions
    },
  }
}

async function theirs(engine: EngineName, path: string): Promise<Model> {
  const { rows } = await engines.read(engine, path)
  return new Map(
    rows.map((r) => [Number(r['id']), Buffer.from(r['v'] as string, 'hex').readDoubleBE()]),
  )
}

/** Operations of another engine, in turns with ours. */
const OPERATIONS: readonly {
  readonly name: string
  /** Engines that can do it; by default those that do everything. */
  readonly only?: readonly EngineName[]
  /** Runs twice, so rounds take other ids where a repetition would break the key. */
  readonly run: (engine: EngineName, table: Table, model: Model, round: number) => Promise<void>
}[] = [
  {
    name: 'append',
    only: ['delta-rs', 'Spark', 'DuckDB'],
    run: async (engine, { path }, model, round) => {
      await engines.append(engine, path, COLUMNS, [row(100 + round, 1), row(110 + round, 1)])
      model.set(100 + round, 1).set(110 + round, 1)
    },
  },
  {
    name: 'merge',
    run: async (engine, { path }, model) => {
      await engines.merge(engine, path, COLUMNS, [row(1, 77), row(200, 77)], ['id'])
      model.set(1, 77).set(200, 77)
    },
  },
  {
    name: 'delete',
    run: async (engine, { path }, model) => {
      await engines.delete(engine, path, 'id = 2')
      model.delete(2)
    },
  },
  { name: 'optimize', run: (engine, { path }) => engines.optimize(engine, path) },
  {
    name: 'checkpoint',
    only: ['delta-rs'],
    run: (engine, { path }) => engines.checkpoint(engine, path),
  },
  {
    name: 'append with a new column',
    run: async (engine, { path }, model, round) => {
      const columns: Columns = [...COLUMNS, ['extra', 'string']]
      await engines.widen(engine, path, columns, [{ ...row(300 + round, 3), extra: 'x' }])
      model.set(300 + round, 3)
    },
  },
]

describe.each([
  ['a table', bareTable],
  ['a table of a lake', lakeTable],
])('%s', (where, make) => {
  describe.each(WRITERS)('%s writes between our commits', (engine) => {
    test.each(OPERATIONS.filter((o) => (o.only ?? COMPLETE).includes(engine)))(
      '$name',
      async (operation) => {
        const table = await make()
        const model: Model = new Map()
        const ids = Array.from({ length: 20 }, (_, i) => i)
        await table.append(ids, 0)
        for (const id of ids) model.set(id, 0)
        await operation.run(engine, table, model, 1)
        await table.upsert([3, 400], 9)
        model.set(3, 9).set(400, 9)
        await operation.run(engine, table, model, 2)
        await table.delete('id = 4')
        model.delete(4)
        await table.optimize()
        await table.checkpoint()

        expect(await table.rows()).toEqual(model)
        expect(await theirs(engine, table.path)).toEqual(model)
        const versions = await table.versions()
        expect(versions).toEqual(versions.map((_, i) => versions[0]! - i))
        if (COMPLETE.includes(engine))
          expect((await engines.history(engine, table.path))[0]![0]).toBe(versions[0])
        const label = `${operation.name}, ${where}`
        results.add(engine, label, 'equal')
        expectDocumented('writing', engine, label, 'equal')
      },
    )
  })
})
