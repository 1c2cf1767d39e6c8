/** Tables in memory under the names of their views: whatever happens to a table, they answer as its files do. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import {
  ATTACH_RESIDENT,
  residentMove,
  residentSql,
  tableOfRepeatedKeys,
} from '../../src/analysis/resident.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { TableView } from '../../src/storage/lake/view.ts'
import { tableView } from '../../src/storage/lake/view.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { newLake } from '../support/lake.ts'
import { moveBeforeStart } from '../support/stage.ts'

const engines: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})

async function residentEngine(lake: Lake, ...resident: string[]): Promise<AnalysisEngine> {
  const engine = await lake.analysis({ resident, follow: true, threads: 1 })
  engines.push(engine)
  return engine
}

/** The same rows, columns and types, in any order of the rows. */
async function expectSame(lake: Lake, engine: AnalysisEngine, names: string[]): Promise<void> {
  const files = await lake.analysis({ threads: 1 })
  try {
    for (const name of names) {
      const sql = `SELECT * FROM ${name} ORDER BY ALL`
      expect(await engine.table(sql), name).toEqual(await files.table(sql))
    }
  } finally {
    await files.close()
  }
}

const SCHEMA = schemaOf([field('id', 'long'), field('at', 'date'), field('value', 'double')])

async function tableOf(lake: Lake, name: string, key: readonly string[]): Promise<void> {
  await lake.write('make', (tx) => tx.ensure({ name, schema: SCHEMA, key }).then(() => undefined))
}

const row = (id: number, value: number): Row => ({ id: BigInt(id), at: '2024-01-02', value })

async function upsert(lake: Lake, name: string, ...rows: Row[]): Promise<void> {
  await lake.write('rows', (tx) => tx.upsert(name, rows).then(() => undefined))
}

async function append(lake: Lake, name: string, ...rows: Row[]): Promise<void> {
  await lake.write('rows', (tx) => tx.append(name, rows).then(() => undefined))
}

/** True if a name stands for a table in memory and not for a view. */
async function isTable(engine: AnalysisEngine, name: string): Promise<boolean> {
  const sql = `SELECT count(*)::INTEGER AS n FROM duckdb_tables()
    WHERE database_name = 'resident' AND schema_name = 'main' AND table_name = ?`
  return (await engine.query(sql, [name]))[0]!['n'] === 1
}

test('stand under the name of the view, with its columns alone', async () => {
  const lake = await newLake()
  await tableOf(lake, 'mine', ['id'])
  await upsert(lake, 'mine', row(1, 1))
  const engine = await residentEngine(lake, 'mine', 'fin_indicators')
  expect(await isTable(engine, 'mine')).toBe(true)
  expect(await isTable(engine, 'fin_indicators')).toBe(true)
  expect(await isTable(engine, 'daily')).toBe(false)
  expect(await engine.query('SELECT main.mine.value FROM mine')).toEqual([{ value: 1 }])
  await expectSame(lake, engine, ['mine', 'main.mine', '(DESCRIBE mine)', '(SUMMARIZE mine)'])
})

test('without a key stay behind a view, and answer alike', async () => {
  const lake = await newLake()
  await tableOf(lake, 'mine', [])
  const engine = await residentEngine(lake, 'mine')
  for (let i = 0; i < 3; i++) {
    await append(lake, 'mine', row(1, 1), row(i, 2))
    await expectSame(lake, engine, ['mine'])
  }
  await lake.delete('mine', 'id = 1')
  await expectSame(lake, engine, ['mine'])
  expect(await isTable(engine, 'mine')).toBe(false)
})

test('whose name is that of another view hide nothing', async () => {
  const lake = await newLake()
  await tableOf(lake, 'fin_ttm', ['id'])
  await upsert(lake, 'fin_ttm', row(1, 1))
  const engine = await residentEngine(lake, 'fin_ttm')
  await expectSame(lake, engine, ['fin_ttm', 'daily', 'fin_indicators'])
  expect(await isTable(engine, 'fin_ttm')).toBe(false)
})

describe('follow', () => {
  test('a column that comes, and one that is asked for later', async () => {
    const lake = await newLake()
    await tableOf(lake, 'mine', ['id'])
    await upsert(lake, 'mine', row(1, 1))
    const engine = await residentEngine(lake, 'mine')
    await expectSame(lake, engine, ['mine'])
    await lake.write('wider', async (tx) => {
      await tx.widen('mine', [field('more', 'string')])
      await tx.upsert('mine', [{ ...row(2, 2), more: 'x' }])
    })
    await expectSame(lake, engine, ['mine'])
    expect(await isTable(engine, 'mine')).toBe(true)
  })

  test('a second source of reports that comes and goes', async () => {
    const lake = await newLake()
    const offer = (source: string, symbol: string, basic_eps: number): Promise<unknown> =>
      lake.write(source, async (tx) => {
        const report = { symbol, end_date: '2023-12-31', notice_date: '2024-03-28' }
        await tx.upsert('indicators', [{ ...report, basic_eps, source }], { dated: true })
      })
    const engine = await residentEngine(lake, 'indicators')
    const views = ['fin_indicators', 'fin_indicators_all', "fin_indicators_asof('2024-04-01')"]
    await offer('eastmoney', 'A', 1)
    await expectSame(lake, engine, views)
    expect(await isTable(engine, 'fin_indicators')).toBe(true)
    await offer('tushare', 'A', 2)
    await expectSame(lake, engine, views)
    expect(await isTable(engine, 'fin_indicators')).toBe(false)
    await lake.delete('indicators', "source = 'tushare'")
    await expectSame(lake, engine, views)
    expect(await isTable(engine, 'fin_indicators')).toBe(true)
    const dated = await engine.asOf('2024-04-01')
    engines.unshift(dated)
    expect(await dated.query('SELECT basic_eps FROM fin_indicators')).toEqual([{ basic_eps: 1 }])
  })
})

test('a key that comes twice fails the move, and without the name of the view no row is missed', async () => {
  const lake = await newLake()
  await tableOf(lake, 'mine', [])
  await append(lake, 'mine', row(1, 1), row(2, 2))
  await append(lake, 'mine', row(1, 7))
  const keyed = async (): Promise<TableView> => {
    const view = await tableView(lake.store, await lake.head(), 'mine')
    return { ...view, shape: { ...view.shape, key: ['id'] } }
  }
  const database = await Database.open({ threads: 1 })
  engines.push(database)
  const run = (statements: readonly string[]): Promise<unknown> =>
    database.using((session) => session.run(['BEGIN', ...statements, 'COMMIT'].join('; ')))
  await database.using((session) => session.run(ATTACH_RESIDENT))
  const before = residentMove(new Map(), [await keyed()], () => true)
  await run(before.statements)
  await lake.delete('mine', 'value = 2')
  const view = await keyed()
  const failed = run(residentMove(before.state, [view], () => true).statements)
  await expect(failed).rejects.toThrow('keys come twice')
  expect(tableOfRepeatedKeys(await failed.catch((error: unknown) => error))).toBe('mine')
  const after = residentMove(before.state, [view], () => false)
  await run([...after.statements])
  const rows = residentSql(view, after.state.get('mine')!)
  const values = await database.using((s) => s.rows(`SELECT value FROM (${rows}) ORDER BY 1`))
  expect(values).toEqual([{ value: 1 }, { value: 7 }])
})

type Step =
  | { readonly kind: 'upsert'; readonly ids: readonly number[]; readonly value: number }
  | { readonly kind: 'delete'; readonly from: number; readonly to: number }
  | { readonly kind: 'optimize' }

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('upsert' as const), ids, value: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      from: fc.nat(12),
      to: fc.nat(12),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'optimize' as const }) },
)

async function take(lake: Lake, name: string, step: Step): Promise<void> {
  switch (step.kind) {
    case 'upsert':
      return upsert(lake, name, ...step.ids.map((id) => row(id, step.value)))
    case 'delete':
      await lake.delete(name, `id BETWEEN ${String(step.from)} AND ${String(step.to)}`)
      return
    case 'optimize':
      await lake.optimize()
  }
}

test('answer as files do after any row of changes', async () => {
  const lake = await newLake()
  let tables = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
      const name = `mine${String(tables++)}`
      await tableOf(lake, name, ['id'])
      const engine = await residentEngine(lake, name)
      for (const step of steps) {
        await take(lake, name, step)
        await expectSame(lake, engine, [name])
      }
      await engine.close()
    }),
    { numRuns: 5 },
  )
})

const BOTH = `SELECT (SELECT value FROM mine) AS memory, (SELECT value FROM others) AS files`

/** A lake whose two tables hold the same value, and how to change it. */
async function twins(): Promise<{ lake: Lake; put: (value: number) => Promise<void> }> {
  const lake = await newLake()
  await tableOf(lake, 'mine', ['id'])
  await tableOf(lake, 'others', ['id'])
  const put = async (value: number): Promise<void> => {
    await lake.write('both', async (tx) => {
      for (const name of ['mine', 'others']) await tx.upsert(name, [row(1, value)])
    })
  }
  await put(1)
  return { lake, put }
}

async function stillEngine(lake: Lake): Promise<AnalysisEngine> {
  const engine = await lake.analysis({ resident: ['mine'], threads: 1 })
  engines.push(engine)
  await engine.initViews()
  return engine
}

describe('beside tables that stand in files', () => {
  test('one statement sees one version when memory moves on before it starts', async () => {
    const { lake, put } = await twins()
    const engine = await stillEngine(lake)
    await put(2)
    moveBeforeStart()
    expect(await engine.query(BOTH)).toEqual([{ memory: 1, files: 1 }])
    await put(3)
    moveBeforeStart()
    const streamed = await engine.stream(BOTH).next()
    expect(streamed.value!.rows).toEqual([[2, 2]])
    expect(await engine.query(BOTH)).toEqual([{ memory: 3, files: 3 }])
  })

  test('an error of such a stream keeps its words', async () => {
    const { lake } = await twins()
    const engine = await stillEngine(lake)
    const sql = `SELECT CASE WHEN range > 50000 THEN error('too far') END AS e
      FROM range(100000), mine, others`
    const read = async (): Promise<void> => {
      for await (const part of engine.stream(sql)) expect(part.columns).toHaveLength(1)
    }
    await expect(read()).rejects.toThrow('too far')
  })

  test('an engine of a date stays at its version when its parent moves on', async () => {
    const { lake, put } = await twins()
    const engine = await stillEngine(lake)
    const dated = await engine.asOf('2024-01-03', { include: ['mine', 'others'] })
    expect(await dated.query(BOTH)).toEqual([{ memory: 1, files: 1 }])
    const other = await engine.asOf('2024-01-03', { include: ['mine', 'others'] })
    await other.initViews()
    await put(2)
    moveBeforeStart(() => engine.refresh())
    expect(await dated.query(BOTH)).toEqual([{ memory: 1, files: 1 }])
    expect(await engine.query(BOTH)).toEqual([{ memory: 2, files: 2 }])
    expect(await dated.query(BOTH)).toEqual([{ memory: 1, files: 1 }])
    await dated.close()
    const streamed = await other.stream(BOTH).next()
    expect(streamed.value!.rows).toEqual([[1, 1]])
    await other.close()
  })
})
