/** Files: those of a lake are believed to stay as they are, those that a statement names are looked at each time. */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import { namesFiles } from '../../src/analysis/outside-files.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import { trustFiles } from '../../src/storage/parquet/file-trust.ts'
import { parseSelects } from '../../src/storage/parquet/statement.ts'
import { newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of open.splice(0)) await item.close()
})

const MODE = "SELECT current_setting('validate_external_file_cache') AS mode"

describe('files that a statement names', () => {
  async function engineAndFile(): Promise<{ engine: AnalysisEngine; path: string }> {
    const engine = await (await newLake()).analysis()
    open.push(engine)
    return { engine, path: join(temporaryDirectory(), 'mine.parquet') }
  }

  /** Puts another file of the same size in the place of the first. */
  async function replace(engine: AnalysisEngine, path: string, value: number): Promise<void> {
    await engine.copyTo(`SELECT ${String(value)} AS v`, `${path}.new`)
    renameSync(`${path}.new`, path)
  }

  for (const from of ["'PATH'", "read_parquet('PATH')", "read_parquet(['PATH'])"]) {
    test(`are read as they are now: ${from}`, async () => {
      const { engine, path } = await engineAndFile()
      const sql = `SELECT v FROM ${from.replace('PATH', path)}`
      for (const value of [1, 2, 3]) {
        await replace(engine, path, value)
        expect(await engine.query(sql)).toEqual([{ v: value }])
        expect(await engine.query('SELECT count(*) AS n FROM daily')).toEqual([{ n: 0n }])
      }
      expect(await engine.query(MODE)).toEqual([{ mode: 'NO_VALIDATION' }])
    })
  }

  test('are read as they are now also by a stream beside other statements', async () => {
    const { engine, path } = await engineAndFile()
    await replace(engine, path, 1)
    const stream = engine.stream(`SELECT v FROM '${path}'`)
    expect((await stream.next()).value?.rows).toEqual([[1]])
    expect(await engine.query(MODE)).toEqual([{ mode: 'VALIDATE_ALL' }])
    await engine.query(`SELECT v FROM '${path}'`)
    expect(await engine.query(MODE)).toEqual([{ mode: 'VALIDATE_ALL' }])
    await stream.return()
    expect(await engine.query(MODE)).toEqual([{ mode: 'NO_VALIDATION' }])
  })

  test('that fail leave no doubt behind', async () => {
    const { engine, path } = await engineAndFile()
    await expect(engine.query(`SELECT * FROM '${path}'`)).rejects.toThrow('No files found')
    await expect(engine.query(`SELECT nothing FROM daily, '${path}'`)).rejects.toThrow(
      'No files found',
    )
    expect(await engine.query(MODE)).toEqual([{ mode: 'NO_VALIDATION' }])
  })
})

test('doubts that overlap end with the last of them', async () => {
  const database = await Database.open({ threads: 1 })
  open.push(database)
  const trust = await trustFiles(database)
  const mode = (): Promise<unknown> => database.using(async (s) => (await s.row(MODE))['mode'])
  expect(await mode()).toBe('NO_VALIDATION')
  const [first, second] = await Promise.all([trust.doubt(), trust.doubt()])
  const [third] = await Promise.all([trust.doubt(), first()])
  await second()
  expect(await mode()).toBe('VALIDATE_ALL')
  await third()
  expect(await mode()).toBe('NO_VALIDATION')
})

describe('a statement names files unless it is certain that it does not', () => {
  const outside = [
    "SELECT * FROM 'x.parquet'",
    'SELECT * FROM bars.parquet',
    "SELECT (SELECT max(v) FROM read_csv('x.csv'))",
    "SELECT * FROM daily WHERE symbol IN (SELECT s FROM read_parquet('x'))",
    "WITH a AS (FROM 'x.csv') SELECT * FROM a",
    "SUMMARIZE 'x.parquet'",
    "DESCRIBE SELECT * FROM 'x.parquet'",
    "FROM (PIVOT 'x.parquet' ON a IN (1, 2) USING sum(b))",
    'SELECT * FROM sqlite_meta.main.t',
    'SELECT * FROM some_function(1)',
  ]
  const inside = [
    'SELECT 1',
    'SELECT d.close * 1.5 FROM main.daily d JOIN fin_indicators_asof(today()) f USING (symbol)',
    'SELECT * FROM meta.tables, range(3), unnest([1, 2])',
    "WITH a AS (SELECT * FROM daily) SELECT * FROM a WHERE symbol = '600519.SH'",
    'SELECT table_name FROM information_schema.tables',
  ]
  const cases = [...outside, ...inside].map((sql) => [sql, outside.includes(sql)] as const)
  test.each(cases)('%s: %s', async (sql, expected) => {
    const database = await Database.open({ threads: 1 })
    open.push(database)
    const [tree] = await database.using((session) => parseSelects(session, sql))
    expect(namesFiles(tree!, new Set(['fin_indicators_asof']))).toBe(expected)
  })
})
