/** Any Delta table by its directory: queried, shown and told about, beside a lake or without one. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { attachTable } from '../../src/analysis/attached.ts'
import { attachOption } from '../../src/cli/attach.ts'
import { DeltaTable, field, schemaOf } from '../../src/storage/delta/index.ts'
import { tableChanges } from '../../src/storage/lake/table-changes.ts'
import { settle } from '../../src/storage/lake/settle.ts'
import { commandIn } from '../support/command.ts'
import { committed, newLake } from '../support/lake.ts'
import { addAction, commitFile } from '../support/log-table.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'

const directory = join(temporaryDirectory(), 'a@b')
const schema = schemaOf([field('id', 'long'), field('name', 'string')])

beforeAll(async () => {
  const table = await DeltaTable.create(directory, { schema, key: ['id'] })
  await table.append([{ id: 1n, name: 'one' }])
  await table.append([{ id: 2n, name: 'two' }])
  await table.close()
})

/** The first `add` of a commit. */
function actionAdded(text: string): { readonly path: string; readonly stats: string } {
  const line = text.split('\n').find((one) => one.includes('"add"'))!
  return (JSON.parse(line) as { add: { path: string; stats: string } }).add
}

test('the version is what stands behind the last @ that digits follow', () => {
  const parsed = (text: string): unknown => attachOption(text).at(-1)
  expect(parsed('x=/a@b')).toEqual({ name: 'x', directory: '/a@b' })
  expect(parsed('x=/a@1@2')).toEqual({ name: 'x', directory: '/a@1', version: 2 })
  expect(parsed('x=a=b@7')).toEqual({ name: 'x', directory: 'a=b', version: 7 })
  expect(attachOption('y=b', attachOption('x=a'))).toHaveLength(2)
  for (const text of ['x', 'x=', '=a', '']) expect(() => attachOption(text)).toThrow('name=DIR')
})

test('without a lake a table is queried at any version, read only', async () => {
  const { json } = commandIn(temporaryDirectory())
  const sql = 'SELECT count(*) AS n FROM x'
  const all = await json('query', sql, '--attach', `x=${directory}`)
  expect(all).toMatchObject({ code: 0, document: { rows: [['2']], lakeVersion: null } })
  const both = await json(
    'query',
    'SELECT (SELECT count(*) FROM old) AS o, max(name) AS m FROM x WHERE id = 2',
    '--attach',
    `x=${directory}@2`,
    '--attach',
    `old=${directory}@1`,
  )
  expect(both.document.rows).toEqual([['1', 'two']])
  const refused = await json('query', 'DELETE FROM x', '--attach', `x=${directory}`)
  expect(refused.document.error.code).toBe('QUERY_NOT_READ_ONLY')
  const at = await json('query', sql, '--at', '3', '--attach', `x=${directory}`)
  expect([at.code, at.document.error.code]).toEqual([10, 'NO_LAKE'])
})

test('show and history tell of it what they tell of a table of the lake', async () => {
  const { json } = commandIn(temporaryDirectory())
  const shown = await json('show', '--attach', `x=${directory}@1`)
  expect(shown.document).toMatchObject({ name: 'x', version: 1, rows: 1, key: ['id'], reader: 1 })
  const told = await json('history', 'x', '--attach', `x=${directory}`, '--limit', '2')
  expect(told.document).toMatchObject([
    { version: 2, operation: 'WRITE', rowsAdded: 1, filesAdded: 1 },
    { version: 1, engine: expect.stringContaining('marketlake') as string },
  ])
})

test('beside a lake: joined with its tables, never in place of one', async () => {
  const lake = await newLake()
  const attached = await attachTable('mine', directory, 1)
  const engine = await lake.analysis({ attach: [attached] })
  const [row] = await engine.query(
    'SELECT (SELECT count(*) FROM mine WHERE id = 2) AS a, count(*) > 0 AS b FROM trade_cal',
  )
  expect(row).toEqual({ a: 0n, b: true })
  await engine.close()
  const clash = await lake.analysis({ attach: [await attachTable('Daily', directory)] })
  await expect(clash.query('SELECT 1')).rejects.toMatchObject({ code: 'INVALID_NAME' })
  await clash.close()
  await expect(attachTable('x', temporaryDirectory())).rejects.toMatchObject({
    code: 'TABLE_NOT_FOUND',
  })
  await expect(attachTable('x', directory, 9)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
})

test('history counts rows and files of each commit and names the engine of a foreign one', async () => {
  const lake = await newLake()
  const write = async (rows: Record<string, bigint>[]): Promise<void> => {
    const outcome = await lake.write('rows', async (tx) => {
      await tx.ensure({
        name: 't',
        schema: schemaOf([field('id', 'long'), field('v', 'long')]),
        key: ['id'],
      })
      await tx.upsert('t', rows)
    })
    committed(outcome)
  }
  await write([{ id: 1n, v: 1n }])
  await write([
    { id: 1n, v: 2n },
    { id: 2n, v: 2n },
  ])
  const { tables } = await lake.head()
  const root = join(lake.root, tables['t']!.path)
  const log = join(root, '_delta_log')
  const version = tables['t']!.version
  // Another engine writes a file again under another name.
  const last = readFileSync(join(log, commitFile(version)), 'utf8')
  const added = actionAdded(last)
  const copy = 'foreign.parquet'
  copyFileSync(join(root, added.path), join(root, copy))
  const stats = JSON.stringify({
    numRecords: (JSON.parse(added.stats) as { numRecords: number }).numRecords,
  })
  const actions = [
    {
      commitInfo: {
        operation: 'OPTIMIZE',
        engineInfo: 'other/1.0',
        operationMetrics: { num_target_rows_inserted: 0 },
      },
    },
    { remove: { path: added.path, dataChange: false, deletionTimestamp: 1 } },
    addAction(copy, { stats, size: statSync(join(root, copy)).size, dataChange: false }),
  ]
  writeFileSync(
    join(log, commitFile(version + 1)),
    actions.map((a) => `${JSON.stringify(a)}\n`).join(''),
  )
  await settle(lake.store, ['t'])
  const [adopted, updated] = await lake.history({ table: 't' })
  expect(await tableChanges(lake.store, adopted!)).toEqual([
    {
      table: 't',
      version: version + 1,
      operation: 'OPTIMIZE',
      engine: 'other/1.0',
      inserted: 0,
      updated: null,
      deleted: null,
      filesAdded: 1,
      filesRemoved: 1,
    },
  ])
  expect(await tableChanges(lake.store, updated!)).toMatchObject([
    { operation: 'MERGE', inserted: 1, updated: 1, deleted: 0 },
  ])
})
