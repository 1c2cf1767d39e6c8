/** Columns called like DuckDB's numbers of rows, and like names of ours. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadFiles } from '../../src/lake/load.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { Schema } from '../../src/model/schema.ts'
import { planFiles } from '../../src/storage/delta/layout.ts'
import type { StageContext } from '../../src/storage/delta/stage.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

test('a column that hides the numbers of rows is refused, where new rows would get lost', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('k', 'long'), field('RowID', 'long')])
  const made = lake.write('t', async (tx) => void (await tx.ensure({ name: 't', schema })))
  await expect(made).rejects.toMatchObject({ code: 'INVALID_NAME' })
  const path = join(temporaryDirectory(), 'a.csv')
  writeFileSync(path, 'k,rowid\n1,1\n')
  await expect(loadFiles(lake, 't', [path], { key: ['k'] })).rejects.toMatchObject({
    code: 'INVALID_NAME',
    details: { name: 'rowid' },
  })
})

test("another engine's table with such a column is not cut by its values", async () => {
  const schema: Schema = schemaOf([field('rowid', 'long'), field('text', 'string')])
  const shape = { key: [], clustering: [], period: undefined, layout: 'clustered', vintage: false }
  const snapshot = { schema, files: new Map(), metadata: { partitionColumns: [] } }
  const context = { table: 't', shape, snapshot } as unknown as StageContext
  expect(await planFiles(context, { name: 'rows', rows: 100_000_000 })).toEqual(['true'])
})

test('versions of a report keep their order whatever its measures are called', async () => {
  const lake = await newLake()
  const measures = ['place', 'round', 'rounds'].map((name) => field(name, 'double'))
  const report = { symbol: '600519.SH', end_date: '2024-03-31', source: 'file' }
  const rows = [3, 2, 1].map((n, i) => ({
    ...report,
    notice_date: `2024-04-0${String(i + 1)}`,
    place: n,
    round: n,
    rounds: n,
  }))
  const outcome = await lake.write('reports', async (tx) => {
    await tx.widen('indicators', measures)
    await tx.upsert('indicators', rows)
  })
  committed(outcome)
  const asked = 'SELECT vintage, place FROM fin_indicators_all ORDER BY vintage'
  expect(await rowsOf(lake, asked)).toEqual([1, 2, 3].map((v) => ({ vintage: v, place: 4 - v })))
})
