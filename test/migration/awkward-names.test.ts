/** Old tables whose columns have the short names that statements of ours might use. */
import { expect, test } from 'vitest'
import { importDatabase } from '../../src/lake/import-database.ts'
import { beginDualWrite, verifyOldFile } from '../../src/lake/migration.ts'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import { newLake } from '../support/lake.ts'
import { inOldFile, oldFile } from '../support/migration.ts'

const COLUMNS = [
  'here',
  'here_a',
  'n',
  'c',
  'k',
  'g',
  'h',
  's',
  'x',
  'a',
  'b',
  'i',
  't',
  'm',
  'v',
  'a0',
  'b0',
  'unique',
  'twice',
]

test('import, verify, dual writing and diff count rows and not the columns of that name', async () => {
  const fields = COLUMNS.map((name) => `"${name}" INTEGER`).join(', ')
  const values = COLUMNS.map(() => '0').join(', ')
  const old = await oldFile(
    `CREATE TABLE odd (symbol VARCHAR, trade_date DATE, ${fields})`,
    `INSERT INTO odd SELECT 's' || r, DATE '2024-01-01', ${values} FROM range(4) t(r)`,
  )
  const lake = await newLake()
  await importDatabase(lake, old, { keys: { odd: ['symbol', 'n', 'k', 'c', 'here'] } })
  expect((await verifyOldFile(lake)).equal).toBe(true)
  await inOldFile(old, "UPDATE odd SET v = 7 WHERE symbol = 's1'")
  await inOldFile(old, "DELETE FROM odd WHERE symbol = 's2'")
  await inOldFile(old, `INSERT INTO odd VALUES ('s9', '2024-01-01', ${values})`)
  expect((await verifyOldFile(lake)).tables[0]).toMatchObject({
    missing: 1,
    extra: 1,
    differing: 1,
    columns: { v: 1 },
  })
  await beginDualWrite(lake)
  const before = await lake.head()
  const w = await DualWriter.open({ lake: lake.root, threads: 1 })
  const key = { n: 0, k: 0, c: 0, here: 0 }
  await w.write({
    odd: [
      { symbol: 's1', ...key, v: 8 },
      { symbol: 's5', ...key, v: 1 },
    ],
  })
  await w.close()
  const [difference] = await lake.diff(before.version, (await lake.head()).version, 'odd')
  expect(difference).toMatchObject({ inserted: 1, updated: 1, deleted: 0 })
})

test('equal keys are found and named whatever the columns are called', async () => {
  const old = await oldFile(
    'CREATE TABLE odd (n INTEGER, k INTEGER, c INTEGER)',
    'INSERT INTO odd VALUES (1, 1, 1), (1, 1, 2), (2, NULL, 3)',
  )
  const { plan } = await importDatabase(await newLake(), old, {
    keys: { odd: ['n', 'k'] },
    dryRun: true,
  })
  expect(plan.tables[0]!.problems.map(({ kind, rows }) => [kind, rows])).toEqual([
    ['null-key', 1],
    ['duplicate-key', 2],
  ])
})
