/** Commands as a user types them: documents, formats, exit codes, and errors that say what to do next. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { commandIn, marketlake, processIn } from '../support/command.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const directory = temporaryDirectory()
const { run, json } = commandIn(directory)
const process = processIn(directory)
const path = (name: string): string => join(directory, name)

beforeAll(async () => {
  await process.run('init')
  writeFileSync(path('a.csv'), 'symbol,day,price\n000001,2024-01-02,1.5\n600519,2024-01-02,1700\n')
  const loaded = await process.run('load', 'prices', 'a.csv', '--key', 'symbol,day')
  if (loaded.code !== 0) throw new Error(loaded.stderr)
  await process.run('tag', 'first')
  writeFileSync(path('b.csv'), 'symbol,day,price\n000001,2024-01-03,1.6\n')
  await process.run('load', 'prices', 'b.csv')
})

describe('a lake', () => {
  test('is made once, in an empty directory', async () => {
    expect(await json('init')).toMatchObject({
      code: 1,
      document: { error: { code: 'LAKE_EXISTS' } },
    })
    mkdirSync(path('full'))
    writeFileSync(path('full/file'), 'x')
    const { document } = await json('--lake', 'full', 'init')
    expect(document.error.next).toContain('migrate adopt')
    expect(readFileSync(path('full/file'), 'utf8')).toBe('x')
  })

  test('is missed with exit code 10, whatever the command', async () => {
    for (const command of [['tables'], ['query', 'select 1'], ['history'], ['sync'], ['verify']]) {
      const { code, document } = await process.json('--lake', 'nowhere', ...command)
      expect([command, code, document.error.code]).toEqual([command, 10, 'NO_LAKE'])
    }
    expect(existsSync(path('nowhere'))).toBe(false)
  })

  test('is found by the environment too', async () => {
    const env = { MARKETLAKE_DIR: path('data') }
    const { code, stdout } = await marketlake(['tables', '--json'], { env })
    expect(code).toBe(0)
    expect(stdout).toContain('"prices"')
  })
})

describe('query', () => {
  const sql = 'SELECT symbol, price FROM prices ORDER BY ALL'

  test('prints a document with types, version and token', async () => {
    const { document } = await json('query', sql)
    expect(document).toMatchObject({
      columns: [
        { name: 'symbol', type: 'VARCHAR' },
        { name: 'price', type: 'DOUBLE' },
      ],
      rows: [
        ['000001', 1.5],
        ['000001', 1.6],
        ['600519', 1700],
      ],
      rowCount: 3,
      lakeVersion: 4,
    })
    expect(document.txnId).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each([
    ['csv', 'symbol,price\n000001,1.5\n000001,1.6\n600519,1700\n'],
    [
      'jsonl',
      '{"symbol":"000001","price":1.5}\n{"symbol":"000001","price":1.6}\n{"symbol":"600519","price":1700}\n',
    ],
    ['markdown', '| symbol | price |'],
    ['json', '"symbol"'],
    ['table', '000001'],
  ])('as %s', async (format, expected) => {
    const { code, stdout } = await run('query', sql, '-f', format)
    expect(code).toBe(0)
    expect(stdout).toContain(expected)
  })

  test('into a file; Parquet only into a file', async () => {
    expect((await run('query', sql, '-f', 'csv', '-o', 'out.csv')).stdout).toBe('')
    expect(readFileSync(path('out.csv'), 'utf8')).toContain('600519,1700')
    expect((await run('query', sql, '-f', 'parquet', '-o', 'out.parquet')).code).toBe(0)
    expect(readFileSync(path('out.parquet')).subarray(0, 4).toString()).toBe('PAR1')
    for (const name of ['out.csv', 'out.parquet'])
      expect(statSync(path(name)).mode & 0o200, name).toBe(0o200)
    expect((await run('query', sql, '-f', 'parquet')).code).toBe(2)
  })

  test.skipIf(platform() === 'win32')('never over a device or a pipe', async () => {
    execFileSync('mkfifo', [path('pipe')])
    symlinkSync('pipe', path('linked'))
    for (const name of ['pipe', 'linked'])
      expect(await run('query', sql, '-f', 'csv', '-o', name)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('no regular file') as unknown,
      })
    expect(statSync(path('pipe')).isFIFO()).toBe(true)
  })

  test('from standard input', async () => {
    const { stdout } = await marketlake(['query', '-', '-f', 'csv'], {
      cwd: directory,
      input: 'SELECT 1 AS one',
    })
    expect(stdout).toBe('one\n1\n')
  })

  test('at a version, a tag, a time', async () => {
    const count = async (at: string): Promise<unknown> =>
      (await json('query', 'SELECT count(*) FROM prices', '--at', at)).document.rows?.[0]?.[0]
    expect([await count('2'), await count('first'), await count('4')]).toEqual(['2', '2', '3'])
    expect(await count('2099-01-01')).toBe('3')
    expect((await json('query', 'SELECT 1', '--at', '99')).document.error).toMatchObject({
      code: 'VERSION_NOT_FOUND',
    })
    expect((await json('query', 'SELECT 1', '--at', '2001-01-01')).code).toBe(1)
    expect((await json('query', 'SELECT 1', '--at', 'nosuchtag')).code).toBe(1)
  })

  test.each([
    'CREATE TABLE x AS SELECT 1',
    'DROP TABLE prices',
    'INSERT INTO prices VALUES (1)',
    "COPY (SELECT 1) TO 'x.csv'",
    "ATTACH 'x.duckdb'",
    'SELECT 1; SELECT 2',
    'SET threads = 1',
    'PRAGMA database_list',
    'INSTALL delta',
  ])('only reads: %s', async (statement) => {
    const { code, document } = await json('query', statement)
    expect([code, document.error.code]).toEqual([1, 'QUERY_NOT_READ_ONLY'])
    expect(existsSync(path('x.csv')) || existsSync(path('x.duckdb'))).toBe(false)
  })

  test('an error has its place in the statement and what was meant', async () => {
    const { document } = await json('query', "SELECT '价格', pric FROM prices")
    expect(document.error).toMatchObject({ code: 'SQL_ERROR', details: { position: 13 } })
    expect(document.error.next).toContain('price')
    const { code, stdout, stderr } = await run('query', 'SELECT\n1 FRM prices x')
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/ {2}line 2: 1 FRM prices x\n +\^/)
    const table = await json('query', 'SELECT * FROM price')
    expect(table.document.error.next).toContain('prices')
  })

  test('values keep their exactness', async () => {
    const { document } = await json(
      'query',
      `SELECT 9007199254740993::BIGINT, 1.10::DECIMAL(5,2), 'NaN'::DOUBLE, '-Infinity'::DOUBLE,
       DATE '2024-02-29', TIMESTAMPTZ '2024-02-29 08:00:00+08', 'ab'::BLOB, 7::INTEGER, NULL`,
    )
    expect(document.rows).toEqual([
      [
        '9007199254740993',
        '1.10',
        'NaN',
        '-Infinity',
        '2024-02-29',
        '2024-02-29T00:00:00Z',
        'YWI=',
        7,
        null,
      ],
    ])
  })
})

describe('what is there', () => {
  test('tables and show', async () => {
    const { document } = await json('tables')
    expect(document.find((t: { name: string }) => t.name === 'prices')).toMatchObject({
      path: 'warehouse/prices',
      rows: 3,
      key: ['symbol', 'day'],
      layout: 'clustered',
    })
    const shown = await json('show', 'prices')
    expect(shown.document.columns.map((c: { name: string }) => c.name)).toEqual([
      'symbol',
      'day',
      'price',
    ])
    const missing = await json('show', 'price')
    expect(missing.document.error).toMatchObject({ code: 'TABLE_NOT_FOUND' })
  })

  test('history, newest first, and one transaction', async () => {
    const { document } = await json('history')
    expect(document.map((r: { version: number }) => r.version)).toEqual([4, 3, 2, 1, 0])
    const { txnId } = document[0]
    expect((await json('history', '--txn', txnId)).document).toHaveLength(1)
    expect((await json('history', '--txn', 'none')).document).toEqual([])
    expect((await json('history', 'price')).document.error).toEqual(
      (await json('show', 'price')).document.error,
    )
    expect(
      (await json('history', 'prices')).document.map((r: { version: number }) => r.version),
    ).toEqual([4, 2])
  })

  test('config: where each setting comes from; unknown keys are errors', async () => {
    const env = { TUSHARE_TOKEN: 'secret' }
    const { stdout } = await marketlake(['config', 'show', '--origin'], { cwd: directory, env })
    expect(stdout).toMatch(/sources.tushare.token +\*\*\* +environment/)
    expect(stdout).not.toContain('secret')
    writeFileSync(path('data/lake.toml'), '[retention]\nversion = "1 day"\n')
    const { code, document } = await json('tables')
    expect(code).toBe(2)
    expect(document.error.message).toContain('retention.version')
    writeFileSync(path('data/lake.toml'), '')
  })

  test('verify, doctor, vacuum, du, diff', async () => {
    expect((await process.json('verify', '--deep')).document).toEqual({ ok: true, problems: [] })
    expect((await process.run('doctor')).code).toBe(0)
    expect((await process.json('vacuum')).document).toMatchObject({
      dryRun: true,
      files: 0,
      bytes: 0,
    })
    expect((await process.run('du')).stdout).toContain('prices')
    const { document } = await process.json('diff', '2', '4', 'prices')
    expect(JSON.stringify(document)).toContain('"inserted":1')
  })
})

describe('usage', () => {
  test.each([
    [['tables', '--bogus']],
    [['nosuch']],
    [['load', 'x']],
    [['restore']],
    [['vacuum', 'x']],
    [['demo', '--seconds', 'soon']],
    [['history', '--limit', '-1']],
  ])('%j is a usage error', async (args) => {
    const { code, stdout } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
  })

  test('an error under --json is a document for these too', async () => {
    const { code, document } = await process.json('tables', '--bogus')
    expect(code).toBe(2)
    expect(document.error.message).toContain('--bogus')
  })

  test('help and version', async () => {
    expect((await process.run('--help')).stdout).toContain('sync')
    expect((await process.run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+/)
    expect((await process.run('query', '--help')).code).toBe(0)
  })
})
