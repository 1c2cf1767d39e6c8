/** The read-only gate: a list of attacks, each refused, and the queries people really write, each let through. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { LakeError } from '../../src/model/errors.ts'
import { newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let lake: Lake
let engine: AnalysisEngine
beforeAll(async () => {
  lake = await newLake()
  engine = await lake.analysis()
})
afterAll(() => engine.close())

async function failure(sql: string): Promise<LakeError> {
  const error: unknown = await engine.query(sql).catch((caught: unknown) => caught)
  if (error instanceof LakeError) return error
  throw new Error(`not refused: ${sql}`)
}

const outside = temporaryDirectory()
const target = join(outside, 'written')

/** Several statements in one. */
const SEVERAL = [
  'SELECT 1; DROP VIEW daily',
  `SELECT 1; COPY (SELECT 1) TO '${target}.csv'`,
  `SELECT 1 /* ; */; COPY (SELECT 1) TO '${target}.csv'`,
]

/** What is no SELECT. */
const NO_SELECT = [
  'CREATE TABLE t (a INTEGER)',
  'CREATE OR REPLACE VIEW fin_indicators AS SELECT 1',
  'CREATE MACRO sym(x) AS x',
  'DROP VIEW fin_indicators',
  'ALTER VIEW fin_indicators RENAME TO gone',
  'INSERT INTO daily VALUES (1)',
  'DELETE FROM daily',
  'UPDATE daily SET close = 1',
  'TRUNCATE daily',
  `COPY (SELECT 1) TO '${target}.csv'`,
  `EXPLAIN COPY (SELECT 1) TO '${target}.csv'`,
  `EXPLAIN ANALYZE COPY (SELECT 1) TO '${target}.csv'`,
  `explain (format json) COPY (SELECT 1) TO '${target}.csv'`,
  `EXPORT DATABASE '${target}'`,
  `IMPORT DATABASE '${target}'`,
  `ATTACH '${target}.duckdb' AS stolen`,
  'DETACH memory',
  'USE memory',
  `WITH x AS (COPY (SELECT 1) TO '${target}.csv') SELECT 1`,
  'WITH x AS (INSERT INTO daily VALUES (1) RETURNING *) SELECT * FROM x',
  'PRAGMA database_list',
  'PRAGMA disable_optimizer',
  'CALL pragma_version()',
  'SET threads = 1',
  "SET VARIABLE x = 'y'",
  'RESET threads',
  'BEGIN',
  'CHECKPOINT',
  'VACUUM',
  'INSTALL httpfs',
  'LOAD httpfs',
  'PREPARE p AS SELECT 1',
  'EXECUTE p',
  '',
  '-- nothing',
  ' ; ',
]

/** What does more than select. */
const EFFECTS = [
  `SELECT * FROM enable_profiling(format = 'json', save_location = '${target}.json')`,
  `SELECT * FROM enable_logging(storage = 'file', storage_path = '${outside}')`,
  'FROM checkpoint()',
  'FROM force_checkpoint()',
  `SELECT * FROM query('SELECT 1')`,
  `SELECT * FROM query_table('daily')`,
  `SELECT * FROM (SELECT * FROM "query"('COPY (SELECT 1) TO ''${target}.csv'''))`,
  `SELECT 1 WHERE EXISTS (FROM enable_profiling(save_location = '${target}.json'))`,
  'SELECT * FROM duckdb_secrets()',
  'SELECT setseed(0.5)',
  `SELECT nextval('s')`,
  `SELECT json_execute_serialized_sql('{}')`,
  `SELECT write_log('x')`,
]

describe('the gate', () => {
  const refuses = async (sql: string): Promise<void> => {
    const error = await failure(sql)
    expect(['QUERY_NOT_READ_ONLY', 'SQL_ERROR']).toContain(error.code)
    if (error.code === 'SQL_ERROR') expect(error.details['type']).toBe('Parser')
  }
  test.each(SEVERAL)('72: refuses %s', refuses)
  test.each(NO_SELECT)('73: refuses %s', refuses)
  test.each(EFFECTS)('74: refuses %s', refuses)

  test('after all attacks nothing was written and every view still answers', async () => {
    expect(readdirSync(outside)).toEqual([])
    expect(existsSync(`${target}.csv`)).toBe(false)
    expect(await engine.query('SELECT count(*) AS n FROM fin_indicators')).toEqual([{ n: 0n }])
    expect(await engine.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  test.each([
    'FROM daily',
    'TABLE daily',
    'VALUES (1), (2)',
    'SHOW TABLES',
    'DESCRIBE fin_indicators',
    'SUMMARIZE daily',
    'EXPLAIN SELECT * FROM daily',
    'EXPLAIN ANALYZE SELECT count(*) FROM daily',
    'EXPLAIN (FORMAT json) SELECT count(*) FROM daily',
    'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t',
    'SELECT * FROM range(3)',
    'SELECT unnest([1, 2])',
    `SELECT * FROM fin_indicators_asof('2024-05-01')`,
    `SELECT * FROM daily_qfq_between('2024-01-01', '2024-12-31')`,
    'SELECT * FROM meta.columns',
    `SELECT ';' AS "; DROP VIEW daily"`,
    'SELECT 1;',
  ])('lets %s through', async (sql) => {
    await expect(engine.table(sql)).resolves.toBeDefined()
  })

  test('75: files beside the lake may be read, because a query runs with the rights of who asks', async () => {
    const path = join(temporaryDirectory(), 'mine.csv')
    writeFileSync(path, 'symbol,score\n600519.SH,1\n')
    expect(await engine.query(`SELECT * FROM read_csv('${path}')`)).toEqual([
      { symbol: '600519.SH', score: 1n },
    ])
    expect(await engine.query(`SELECT score FROM '${path}'`)).toEqual([{ score: 1n }])
  })

  test('what was refused is refused again, and what passed answers again from the newest rows', async () => {
    const attack = `SELECT * FROM query('CREATE TABLE t (a INTEGER)')`
    for (let i = 0; i < 3; i++) expect((await failure(attack)).code).toBe('QUERY_NOT_READ_ONLY')
    const fields = [{ name: 'id', type: 'long', nullable: true, metadata: {} }] as const
    await lake.write('passed', async (tx) => {
      await tx.ensure({ name: 'passed', schema: { type: 'struct', fields }, key: ['id'] })
    })
    const follower = await lake.analysis({ follow: true, resident: ['passed'] })
    try {
      for (let id = 1n; id <= 3n; id++) {
        await lake.write('passed', async (tx) => void (await tx.upsert('passed', [{ id }])))
        const sql = 'SELECT count(*) AS n, max(id) AS newest FROM passed WHERE id > 0'
        expect(await follower.query(sql)).toEqual([{ n: id, newest: id }])
        expect(await follower.query(sql)).toEqual([{ n: id, newest: id }])
      }
    } finally {
      await follower.close()
    }
  })

  test('more statements than are remembered', async () => {
    for (let i = 0; i < 600; i++)
      expect(await engine.query(`SELECT ${String(i % 300)} AS n`)).toEqual([{ n: i % 300 }])
  })

  test('a statement longer than a megabyte is refused before it is parsed', async () => {
    expect((await failure(`SELECT '${'x'.repeat(1 << 20)}'`)).code).toBe('QUERY_NOT_READ_ONLY')
  })
})

describe('errors', () => {
  test('of syntax tell the position, also behind EXPLAIN', async () => {
    expect((await failure('SELEC 1')).details).toMatchObject({ type: 'Parser', position: 0 })
    const sql = 'EXPLAIN SELECT 1 FRM daily d'
    expect((await failure(sql)).details['position']).toBe(sql.indexOf('daily'))
  })

  test('of a column tell the position and the columns there are', async () => {
    const error = await failure('SELECT rooe FROM fin_indicators')
    expect(error.details).toMatchObject({ position: 7 })
    expect(error.details['candidates']).toContain('roe_waa')
    expect(error.next).toContain('roe_waa')
  })

  test('of a table name relations of the lake, never those of the engine', async () => {
    const near = await failure('SELECT * FROM fin_indicatrs')
    expect(near.details['candidates']).toContain('fin_indicators')
    expect(near.details['position']).toBe(14)
    const far = await failure('SELECT * FROM quotes')
    expect(JSON.stringify([far.details['candidates'], far.next, far.message])).not.toContain('pg_')
    expect(far.next).toContain('daily')
  })

  test('of a file that the user named are about that file, not about the lake', async () => {
    const error = await failure(`SELECT * FROM '${join(outside, 'no.csv')}'`)
    expect(error.code).not.toBe('VERSION_VACUUMED')
    expect(error.message).toContain('no.csv')
  })
})
