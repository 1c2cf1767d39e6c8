/** Queries that want everything (rows 76 to 78 of docs/bad-input.md): each ends, says why, and the engine goes on. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { untilFailed } from '../../src/analysis/limits.ts'
import type { AnalysisEngine, Lake } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { newLake } from '../support/lake.ts'

let lake: Lake
let engine: AnalysisEngine
beforeAll(async () => {
  lake = await newLake()
  engine = await lake.analysis({ memoryLimit: '200MB', threads: 1 })
})
afterAll(() => engine.close())
/** The engine goes on after whatever it refused. */
async function isUsable(): Promise<boolean> {
  const rows = await engine.query('SELECT count(*)::INTEGER AS n FROM daily')
  return rows.length === 1 && rows[0]!['n'] === 0
}

async function streamed(sql: string, timeoutMs?: number): Promise<number> {
  let rows = 0
  const limits = timeoutMs === undefined ? {} : { timeoutMs }
  for await (const part of engine.stream(sql, undefined, limits)) rows += part.rows.length
  return rows
}

describe('settings and paths', () => {
  test.each([
    `SELECT getenv('HOME')`,
    `SELECT set_config('threads', '8', false)`,
    `FROM read_parquet('https://127.0.0.1:1/x.parquet')`,
    `FROM 's3://bucket/x.parquet'`,
    `FROM which_secret('s3://bucket', 's3')`,
    `FROM duckdb_secrets()`,
    `FROM duckdb_external_file_cache()`,
  ])('76: %s is refused', async (sql) => {
    expect(['SQL_ERROR', 'QUERY_NOT_READ_ONLY', 'IO_ERROR']).toContain(
      (await failure(engine.query(sql))).code,
    )
  })

  test('76: what an engine tells of itself is where its lake is, and no secret', async () => {
    process.env['TUSHARE_TOKEN'] = 'never-to-be-seen'
    try {
      for (const sql of ['FROM duckdb_settings()', 'FROM duckdb_views()', 'FROM meta.relations']) {
        const text = JSON.stringify(await engine.query(sql), (_, v: unknown) =>
          typeof v === 'bigint' ? String(v) : v,
        )
        expect(text).not.toContain('never-to-be-seen')
      }
    } finally {
      delete process.env['TUSHARE_TOKEN']
    }
  })
})

describe('bombs', () => {
  test.each([
    'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t',
    'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7',
    `SELECT max(length(repeat('x', 1000000))) FROM range(10000000) WHERE random() > 2`,
    'SELECT max(range) FROM range(1000000000000)',
  ])('77: out of time: %s', async (sql) => {
    const limits = { timeoutMs: 200 }
    expect(await failure(engine.query(sql, undefined, limits))).toMatchObject({
      code: 'TIMEOUT',
      details: limits,
    })
    expect(await isUsable()).toBe(true)
  })

  test.each([
    `SELECT length(string_agg(repeat('x', 1000), '')) FROM range(10000000)`,
    'SELECT len(list(range)) FROM range(100000000)',
  ])('77: out of memory: %s', async (sql) => {
    expect((await failure(engine.query(sql))).code).toBe('OUT_OF_MEMORY')
    expect(await isUsable()).toBe(true)
  })

  test.each([
    ['brackets', `SELECT ${'('.repeat(2e5)}1${')'.repeat(2e5)}`],
    ['sums', `SELECT 1${'+1'.repeat(1e5)}`],
    ['NOT', `SELECT ${'NOT '.repeat(1e5)}true`],
    ['sub-queries', `FROM ${'(FROM '.repeat(1e4)}range(1)${')'.repeat(1e4)}`],
    ['lists', `SELECT ${'['.repeat(5e4)}1${']'.repeat(5e4)}`],
  ])('77: deep %s', async (_name, sql) => {
    expect((await failure(engine.query(sql))).code).toBe('SQL_ERROR')
    expect(await isUsable()).toBe(true)
  })

  test('77: an engine that hangs is not waited for', async () => {
    async function* hanging(): AsyncGenerator<number, void, undefined> {
      yield 1
      await new Promise(() => undefined)
    }
    const seen: number[] = []
    const failed = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error('late')), 20),
    )
    const read = async (): Promise<void> => {
      for await (const part of untilFailed(hanging(), failed)) seen.push(part)
    }
    await expect(read()).rejects.toThrow('late')
    expect(seen).toEqual([1])
  })
})

describe('results without end', () => {
  test('78: a stream ends with its time, and says so', async () => {
    expect((await failure(streamed('FROM range(1000000000000)', 200))).code).toBe('TIMEOUT')
    expect(await isUsable()).toBe(true)
  })

  test('78: a stream that fails on its way throws; it never ends as if it were whole', async () => {
    const sql = `SELECT CASE WHEN range = 300000 THEN error('broken here') ELSE 'a' END FROM range(1000000)`
    const error = await failure(streamed(sql))
    expect(error).toMatchObject({ code: 'SQL_ERROR', message: 'broken here' })
    const cast = `SELECT CAST(if(range = 300000, 'x', '1') AS INTEGER) FROM range(1000000)`
    expect((await failure(streamed(cast))).details).toMatchObject({ sql: cast, position: 7 })
    expect(await streamed(`SELECT * FROM range(300000) WHERE range % 2 = 0`)).toBe(150_000)
  })

  test('78: who leaves a stream early leaves the engine as it was', async () => {
    for await (const part of engine.stream('FROM range(1000000000)')) {
      expect(part.rows.length).toBeGreaterThan(0)
      break
    }
    expect(await streamed('FROM range(10)')).toBe(10)
  })

  test.skipIf(process.platform === 'win32')('78: a reader that went away is no error', () => {
    const query = `node ${resolve('dist/cli/main.js')} --lake ${lake.root} query -f csv 'FROM range(100000000)'`
    const script = `{ ${query}; echo "code $?" >&2; } | head -n 2`
    const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    expect([stdout, stderr]).toEqual(['range\n0\n', 'code 0\n'])
  })

  test('78: `query --timeout` ends what takes too long', () => {
    const args = ['--lake', lake.root, '--json', 'query', '--timeout', '300ms']
    const { stdout, status } = spawnSync(
      process.execPath,
      [resolve('dist/cli/main.js'), ...args, 'SELECT max(range) FROM range(1000000000000)'],
      { encoding: 'utf8' },
    )
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'TIMEOUT' } })
    expect(status).toBe(1)
  })
})
