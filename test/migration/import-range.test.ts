/** Values of an old file that no type of the lake holds are told before anything is written. */
import { expect, test } from 'vitest'
import { importDatabase } from '../../src/lake/import-database.ts'
import { newLake, rowsOf } from '../support/lake.ts'
import { oldFile } from '../support/migration.ts'

const MOST = 10n ** 38n - 1n

function sums(...values: readonly bigint[]): Promise<string> {
  const rows = values.map((value, i) => `(${i}, ${value}::HUGEINT)`).join(', ')
  return oldFile(`CREATE TABLE sums AS SELECT * FROM (VALUES ${rows}, (99, NULL)) t(id, total)`)
}

test('55: a HUGEINT of 39 digits is told by table, column and value, and nothing is written', async () => {
  const [path, lake] = [await sums(1n, MOST + 1n, -MOST - 1n), await newLake()]
  const { version } = await lake.head()
  const dry = await importDatabase(lake, path, { dryRun: true })
  expect(dry.plan.tables[0]!.problems).toMatchObject([
    { kind: 'type', rows: 2, examples: [String(MOST + 1n), String(-MOST - 1n)] },
  ])
  const error: unknown = await importDatabase(lake, path).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
  expect(String(error)).toMatch(/sums: column total .* in 2 rows/)
  expect((await lake.head()).version).toBe(version)
})

test('55: a HUGEINT of 38 digits comes in as it is', async () => {
  const lake = await newLake()
  await importDatabase(lake, await sums(MOST, -MOST))
  expect(
    await rowsOf(lake, 'SELECT total::VARCHAR AS t FROM sums WHERE id < 2 ORDER BY id'),
  ).toEqual([{ t: String(MOST) }, { t: String(-MOST) }])
})
