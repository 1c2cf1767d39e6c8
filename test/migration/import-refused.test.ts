/** Imports that would keep something wrong, refused before anything is written. */
import { describe, expect, test } from 'vitest'
import { importDatabase } from '../../src/lake/import-database.ts'
import { failure } from '../support/failure.ts'
import { newLake } from '../support/lake.ts'
import { oldFile } from '../support/migration.ts'

describe('an import', () => {
  test('refuses before anything is written what it would keep wrong', async () => {
    const lake = await newLake()
    const { version } = await lake.head()
    const cased = await oldFile(
      'CREATE TABLE "A b" AS SELECT 1 AS a',
      'CREATE TABLE a_b AS SELECT 2 AS a',
    )
    expect((await failure(importDatabase(lake, cased))).message).toContain('two old tables')
    const hidden = await oldFile(
      `CREATE TABLE r AS SELECT '600519' AS code, DATE '2020-01-01' AS trade_date, 10 - s AS rowid FROM range(3) t(s)`,
    )
    const last = importDatabase(lake, hidden, { onDuplicate: 'last' })
    expect((await failure(last)).message).toContain('column rowid')
    expect((await lake.head()).version).toBe(version)
  })

  test('refuses a file whose tables stand in other schemas: nothing would compare as equal', async () => {
    const path = await oldFile('CREATE SCHEMA data', 'CREATE TABLE data.bars AS SELECT 1 AS n')
    const lake = await newLake()
    expect(await failure(importDatabase(lake, path))).toMatchObject({
      code: 'TABLE_NOT_FOUND',
      next: 'Copy those of its other schemas into main first: table data.bars.',
    })
  })

  test('tables of one stock each that cannot be taken keep the others out as well', async () => {
    const path = await oldFile(
      ...Array.from(
        { length: 20 },
        (_, i) =>
          `CREATE TABLE bar_sh${String(600000 + i)} AS SELECT DATE '2024-01-01' AS trade_date, 1 AS close FROM range(2)`,
      ),
      'CREATE TABLE notes AS SELECT 1 AS n',
    )
    const lake = await newLake()
    const { version } = await lake.head()
    expect(await failure(importDatabase(lake, path))).toMatchObject({ code: 'DUPLICATE_KEY' })
    expect((await lake.head()).version).toBe(version)
  })
})
