/** Import, adoption and export: exact values, reports before anything is written, and the way back. */
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exportDatabase } from '../../src/lake/export-database.ts'
import { adoptFolder } from '../../src/lake/adopt-folder.ts'
import { importDatabase } from '../../src/lake/import-database.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { beginDualWrite, cutOverToLake, verifyOldFile } from '../../src/lake/migration.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { failure } from '../support/failure.ts'
import { newLake, rowsOf } from '../support/lake.ts'
import { inOldFile, oldFile } from '../support/migration.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const BARS = `CREATE TABLE bars AS SELECT printf('6%05d', s % 40) AS code, DATE '2020-01-01' + (s // 40)::INTEGER AS trade_date,
  (s / 7)::DECIMAL(12,3) AS close, s::HUGEINT * 1000000000000000000 AS volume,
  (CASE WHEN s % 3 = 0 THEN 'a' ELSE 'b' END)::ENUM('a', 'b') AS kind, (s % 11)::UBIGINT AS n,
  TIMESTAMP '2020-01-01' + to_microseconds(s) AS seen, TIMESTAMPTZ '2020-01-01 00:00:00+08' + to_seconds(s) AS stored,
  CASE WHEN s % 5 = 0 THEN NULL WHEN s % 5 = 1 THEN 'nan'::DOUBLE ELSE -0.0::DOUBLE END AS factor FROM range(2000) t(s)`

describe('an import', () => {
  test('holds every value as it was, notes where it came from, and goes through to the cut-over', async () => {
    const path = await oldFile(BARS, `CREATE TABLE notes AS SELECT range AS n FROM range(7)`)
    const lake = await newLake()
    const { plan, outcome } = await importDatabase(lake, path)
    expect(outcome?.kind).toBe('committed')
    expect(plan.tables.map(({ old, table, key, rows }) => ({ old, table, key, rows }))).toEqual([
      { old: 'bars', table: 'bars', key: ['code', 'trade_date'], rows: 2000 },
      { old: 'notes', table: 'notes', key: [], rows: 7 },
    ])
    const before = await inOldFile(path, 'SELECT * FROM bars ORDER BY ALL')
    expect(await rowsOf(lake, 'SELECT * FROM old.bars ORDER BY ALL')).toEqual(before)
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
    await beginDualWrite(lake)
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
    expect((await cutOverToLake(lake)).changed).toBe(true)
  })

  test('is one commit, and run again brings the lake to what the file holds then', async () => {
    const path = await oldFile(BARS)
    const lake = await newLake()
    const first = await lake.head()
    await importDatabase(lake, path)
    expect((await lake.head()).version).toBe(first.version + 1)
    await inOldFile(
      path,
      `UPDATE bars SET close = close + 1 WHERE code = '600001'`,
      `DELETE FROM bars WHERE code = '600002'`,
    )
    expect(await verifyOldFile(lake)).toMatchObject({ equal: false })
    await importDatabase(lake, path)
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
    await beginDualWrite(lake)
    expect((await failure(importDatabase(lake, path))).message).toContain('dual-write')
  })

  test('reports all that stands in the way, with examples, before anything is written', async () => {
    const path = await oldFile(
      `CREATE TABLE dirty AS SELECT printf('6%05d', s % 10) AS code, DATE '2020-01-01' + (s // 20)::INTEGER AS trade_date, s AS v FROM range(200) t(s)`,
      `INSERT INTO dirty VALUES (NULL, DATE '2021-01-01', 1)`,
      `CREATE TABLE odd AS SELECT TIME '10:00' AS at, 1 AS n`,
    )
    const lake = await newLake()
    const { version } = await lake.head()
    const error = await failure(importDatabase(lake, path))
    expect(error.message).toContain('600000, 2020-01-01')
    expect(error.message).toContain('TIME')
    expect(error.details['problems']).toMatchObject([
      { table: 'dirty', kind: 'null-key', rows: 1, examples: ['NULL, 2021-01-01'] },
      { table: 'dirty', kind: 'duplicate-key', rows: 200 },
      { table: 'odd', kind: 'type' },
    ])
    expect((await lake.head()).version).toBe(version)
    const planned = await importDatabase(lake, path, { dryRun: true })
    expect(planned.outcome).toBeUndefined()
    const keyless = { tables: ['dirty'], keys: { dirty: [] } }
    await importDatabase(lake, path, keyless)
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
  })

  test('takes the last of equal keys when asked', async () => {
    const path = await oldFile(
      `CREATE TABLE twice AS SELECT '600519' AS code, DATE '2020-01-01' AS trade_date, s AS v FROM range(3) t(s)`,
    )
    const lake = await newLake()
    await importDatabase(lake, path, { onDuplicate: 'last' })
    expect(await rowsOf(lake, 'SELECT v FROM twice')).toEqual([{ v: 2n }])
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
  })

  test('reports become reports of the lake where their columns fit, under the source file', async () => {
    const path = await oldFile(
      `CREATE TABLE fin_balance_sheet AS SELECT '600519' AS code, DATE '2024-03-31' AS report_date, 1e9::DOUBLE AS total_assets, 'x' AS "odd name"`,
    )
    const lake = await newLake()
    const { plan } = await importDatabase(lake, path)
    expect(plan.tables[0]).toMatchObject({
      old: 'fin_balance_sheet',
      table: 'balance',
      source: 'file',
    })
    const sql = 'SELECT symbol, end_date, source, total_assets, odd_name FROM fin_balance_sheet'
    expect(await rowsOf(lake, sql)).toEqual([
      {
        symbol: '600519.SH',
        end_date: '2024-03-31',
        source: 'file',
        total_assets: 1e9,
        odd_name: 'x',
      },
    ])
    expect(await rowsOf(lake, 'SELECT * FROM old.fin_balance_sheet')).toEqual([
      { code: '600519', report_date: '2024-03-31', total_assets: 1e9, 'odd name': 'x' },
    ])
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
  })

  test('other names and keys as told; views and macros are named as left out', async () => {
    const path = await oldFile(
      `CREATE TABLE "my prices" AS SELECT 1 AS a, 2 AS "b,c", 3 AS "B;C"`,
      'CREATE TABLE daily AS SELECT 1 AS a',
      'CREATE VIEW v AS SELECT 1',
      'CREATE MACRO m(x) AS x + 1',
    )
    const lake = await newLake()
    const { plan } = await importDatabase(lake, path, {
      map: { 'my prices': 'prices' },
      keys: { 'my prices': ['a'] },
    })
    expect(plan.left).toEqual(['macro m', 'view v'])
    expect(plan.tables.map(({ table, key, renamed }) => ({ table, key, renamed }))).toEqual([
      { table: 'old_daily', key: [], renamed: [] },
      { table: 'prices', key: ['a'], renamed: ['b,c -> b_c', 'B;C -> B_C_2'] },
    ])
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
    const unknown = await failure(importDatabase(lake, path, { keys: { nowhere: [] } }))
    expect(unknown).toMatchObject({ code: 'TABLE_NOT_FOUND' })
    const clash = { map: { daily: 'prices', 'my prices': 'prices' } }
    expect((await failure(importDatabase(lake, path, clash))).message).toContain('two old tables')
  })

  test('tables of one stock each become one table, and the others go their way', async () => {
    const stocks = Array.from({ length: 30 }, (_, i) => String(600000 + i))
    const path = await oldFile(
      ...stocks.map(
        (code, i) =>
          `CREATE TABLE bar_sh${code} AS SELECT DATE '2024-01-01' + d::INTEGER AS trade_date, d + ${String(i)} AS close FROM range(5) t(d)`,
      ),
      'CREATE TABLE notes AS SELECT 1 AS n',
      'CREATE TABLE bar_600999 AS SELECT 1 AS other',
    )
    const lake = await newLake()
    const { plan } = await importDatabase(lake, path)
    expect(plan.tables.map(({ table, rows, key }) => ({ table, rows, key }))).toEqual([
      { table: 'bar_600999', rows: 1, key: [] },
      { table: 'notes', rows: 1, key: [] },
      { table: 'bar', rows: 150, key: ['symbol', 'trade_date'] },
    ])
    expect(plan.left).toEqual([
      '30 tables of one stock each -> bar (not part of verify and dual writing)',
    ])
    const sql = `SELECT count(*) AS n, count(DISTINCT symbol) AS stocks, sum(close)::INTEGER AS total FROM bar`
    expect(await rowsOf(lake, sql)).toEqual([{ n: 150n, stocks: 30n, total: 5 * 435 + 30 * 10 }])
    expect(await rowsOf(lake, `SELECT close FROM bar WHERE symbol = '600003.SH' LIMIT 1`)).toEqual([
      { close: 3n },
    ])
    expect(await verifyOldFile(lake)).toMatchObject({ equal: true })
    await importDatabase(lake, path)
    expect(await rowsOf(lake, 'SELECT count(*) AS n FROM bar')).toEqual([{ n: 150n }])
  })

  test('groups of one prefix keep names of their own, also beside a table of that name', async () => {
    const stocks = Array.from({ length: 40 }, (_, i) => 600000 + i)
    const path = await oldFile(
      ...stocks.map((code, i) =>
        i % 2 === 0
          ? `CREATE TABLE bar_${code} AS SELECT DATE '2024-01-01' AS trade_date, ${i} AS close`
          : `CREATE TABLE BAR_${code} AS SELECT DATE '2024-01-01' AS trade_date, ${i} AS volume`,
      ),
      'CREATE TABLE bar AS SELECT 1 AS n UNION ALL SELECT 2',
    )
    const lake = await newLake()
    const { plan } = await importDatabase(lake, path)
    const made = plan.tables.map(({ table, rows }) => [table, rows])
    expect(made).toEqual([
      ['bar', 2],
      ['BAR_2', 20],
      ['bar_3', 20],
    ])
    expect(await rowsOf(lake, 'SELECT sum(n)::INTEGER AS n FROM bar')).toEqual([{ n: 3 }])
    const sums = `SELECT (SELECT sum(close) FROM bar_3)::INTEGER AS close, (SELECT sum(volume) FROM BAR_2)::INTEGER AS volume`
    expect(await rowsOf(lake, sums)).toEqual([{ close: 380, volume: 400 }])
    const clash = importDatabase(lake, path, { map: { bar: 'one', bar_3: 'one' } })
    expect((await failure(clash)).message).toContain('two old tables')
  })

  test('a table that was there before is not touched', async () => {
    const path = await oldFile('CREATE TABLE mine AS SELECT 1 AS a')
    const lake = await newLake()
    const fields = [{ name: 'a', type: 'integer', nullable: true, metadata: {} }] as const
    await lake.write('mine', async (tx) => {
      await tx.ensure({ name: 'mine', schema: { type: 'struct', fields }, key: ['a'] })
      await tx.upsert('mine', [{ a: 9 }])
    })
    expect(await failure(importDatabase(lake, path))).toMatchObject({ code: 'TABLE_EXISTS' })
    expect(await rowsOf(lake, 'SELECT a FROM mine')).toEqual([{ a: 9 }])
  })

  test('a write-ahead log that was left over belongs to the file', async () => {
    const path = await oldFile('CREATE TABLE t AS SELECT 1 AS a')
    const copy = join(temporaryDirectory(), 'left.duckdb')
    const database = await Database.open({ threads: 1 })
    await database.using(async (session) => {
      await session.run(`ATTACH '${path}' AS o; SET checkpoint_threshold = '1GB'`)
      await session.run('INSERT INTO o.t VALUES (2)')
      // As a killed program leaves them.
      copyFileSync(path, copy)
      copyFileSync(`${path}.wal`, `${copy}.wal`)
      await session.run('DETACH o')
    })
    await database.close()
    const lake = await newLake()
    await importDatabase(lake, copy)
    expect(await rowsOf(lake, 'SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }])
  })

  test('a file that its writer holds is told with who, and read from a copy', async () => {
    const path = await oldFile('CREATE TABLE t AS SELECT range AS a FROM range(10)')
    const code = `const { DuckDBInstance } = require('@duckdb/node-api')
      DuckDBInstance.create(process.argv[1]).then(async (i) => { const c = await i.connect()
        await c.run('INSERT INTO t VALUES (100)'); console.log('held'); setInterval(() => undefined, 1000) })`
    const holder = spawn(process.execPath, ['-e', code, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((done) => holder.stdout.once('data', done))
    try {
      const lake = await newLake()
      const held = await failure(importDatabase(lake, path))
      expect(held).toMatchObject({ code: 'LAKE_HELD', details: { pid: holder.pid } })
      await importDatabase(lake, path, { copy: true })
      expect(await rowsOf(lake, 'SELECT count(*) AS n, max(a) AS a FROM t')).toEqual([
        { n: 11n, a: 100n },
      ])
    } finally {
      holder.kill('SIGKILL')
    }
  })

  test('a folder that EXPORT DATABASE wrote', async () => {
    const folder = join(temporaryDirectory(), 'exported')
    await inOldFile(await oldFile(BARS), `EXPORT DATABASE '${folder}' (FORMAT parquet)`)
    const lake = await newLake()
    await importDatabase(lake, folder)
    expect(await rowsOf(lake, 'SELECT count(*) AS n FROM bars')).toEqual([{ n: 2000n }])
  })

  test('what is no file of DuckDB, or one it cannot read, is told by name', async () => {
    const lake = await newLake()
    const directory = temporaryDirectory()
    const path = join(directory, 'x.duckdb')
    expect((await failure(importDatabase(lake, join(directory, 'none')))).message).toContain(
      'no such file',
    )
    expect((await failure(importDatabase(lake, directory))).message).toContain('it is no file')
    writeFileSync(path, 'PAR1 and more')
    expect((await failure(importDatabase(lake, path))).message).toContain('no DuckDB file')
    const whole = readFileSync(await oldFile('CREATE TABLE t AS SELECT 1 AS a'))
    whole.writeBigUInt64LE(69n, 12)
    writeFileSync(path, whole)
    const newer = await failure(importDatabase(lake, path))
    expect(newer).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { storageVersion: 69 } })
    expect(newer.next).toContain('EXPORT DATABASE')
    writeFileSync(path, whole.subarray(0, 5000))
    await failure(importDatabase(lake, path))
    const encrypted = join(directory, 'secret.duckdb')
    const database = await Database.open({ threads: 1 })
    const made = await database
      .using((session) =>
        session.run(
          `ATTACH '${encrypted}' AS s (ENCRYPTION_KEY 'k'); CREATE TABLE s.t AS SELECT 1 AS a; DETACH s`,
        ),
      )
      .then(
        () => true,
        () => false,
      )
    await database.close()
    if (made)
      expect((await failure(importDatabase(lake, encrypted))).message).toContain('encrypted')
  })
})

describe('an adoption', () => {
  async function folder(write: (session: string) => readonly string[]): Promise<string> {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'indicators'))
    mkdirSync(join(directory, 'financial_statements', 'type=balance'), { recursive: true })
    const database = await Database.open({ threads: 1 })
    await database.using(async (session) => {
      for (const statement of write(directory)) await session.run(statement)
    })
    await database.close()
    return directory
  }

  test('makes reports of one file a stock, and says what it left out', async () => {
    const directory = await folder((d) =>
      ['000001', '600519'].flatMap((code) => [
        `COPY (SELECT DATE '2024-03-31' AS end_date, 1.5::DOUBLE AS roe_waa) TO '${d}/indicators/symbol=${code}.parquet'`,
        `COPY (SELECT '${code}' AS symbol, DATE '2024-03-31' AS end_date, 1e9::DOUBLE AS total_assets) TO '${d}/financial_statements/type=balance/symbol=${code}.parquet'`,
      ]),
    )
    writeFileSync(join(directory, 'indicators', '.tmp_symbol=1.parquet'), 'half')
    symlinkSync('/nowhere.parquet', join(directory, 'indicators', 'symbol=2.parquet'))
    const lake: Lake = await newLake()
    const { files, outcome } = await adoptFolder(lake, directory)
    expect(outcome?.kind).toBe('committed')
    expect(files).toHaveLength(2)
    expect(await rowsOf(lake, 'SELECT symbol, roe_waa FROM fin_indicators ORDER BY 1')).toEqual([
      { symbol: '000001.SZ', roe_waa: 1.5 },
      { symbol: '600519.SH', roe_waa: 1.5 },
    ])
    expect(await rowsOf(lake, 'SELECT count(*) AS n FROM fin_balance_sheet')).toEqual([{ n: 2n }])
  })

  test('refuses the files of the lake itself', async () => {
    const lake = await newLake()
    for (const path of [lake.root, join(lake.root, 'warehouse', 'daily')])
      expect(await failure(adoptFolder(lake, path))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { lake: lake.root },
      })
  })

  test('refuses what does not add up, naming it, and adopts nothing', async () => {
    const lake = await newLake()
    const { version } = await lake.head()
    const wrong = await folder((d) => [
      `COPY (SELECT '600000' AS symbol, 1 AS a) TO '${d}/indicators/symbol=600519.parquet'`,
    ])
    expect((await failure(adoptFolder(lake, wrong))).message).toContain('symbol=600519.parquet')
    const torn = await folder((d) => [`COPY (SELECT 1 AS a) TO '${d}/indicators/symbol=1.parquet'`])
    writeFileSync(join(torn, 'indicators', 'symbol=2.parquet'), 'PAR1')
    expect((await failure(adoptFolder(lake, torn))).message).toContain('symbol=2.parquet')
    for (const other of ['1.5::DOUBLE', `'text'`]) {
      const drifted = await folder((d) => [
        `COPY (SELECT 9007199254740993::BIGINT AS a) TO '${d}/indicators/symbol=600519.parquet'`,
        `COPY (SELECT ${other} AS a) TO '${d}/indicators/symbol=600520.parquet'`,
      ])
      const refused = await failure(adoptFolder(lake, drifted))
      expect(refused.code).toBe('TYPE_MISMATCH')
      expect(refused.message).toContain('symbol=600519.parquet')
    }
    expect((await failure(adoptFolder(lake, temporaryDirectory()))).message).toContain('no Parquet')
    expect((await lake.head()).version).toBe(version)
  })
})

describe('an export', () => {
  async function ask(path: string, sql: string): Promise<Row[]> {
    const database = await Database.open({ threads: 1 })
    try {
      return await database.using(async (session) => {
        await session.run(`ATTACH '${path}' AS exported (READ_ONLY); USE exported`)
        const rows = await session.rows(sql)
        await session.run('USE memory')
        return rows
      })
    } finally {
      await database.close()
    }
  }

  test('has the tables, the views over them and the old names, of any version', async () => {
    const old = await oldFile(BARS)
    const lake = await newLake()
    await importDatabase(lake, old)
    const { version } = await lake.head()
    await lake.write('gone', async (tx) => void (await tx.delete('bars', `code = '600001'`)))
    const directory = temporaryDirectory()
    const [newest, before] = [join(directory, 'newest.duckdb'), join(directory, 'before.duckdb')]
    const result = await exportDatabase(lake, newest)
    expect(result.tables.find(({ name }) => name === 'bars')).toEqual({ name: 'bars', rows: 1950 })
    await exportDatabase(lake, before, { at: version })
    expect(await ask(newest, 'SELECT count(*) AS n FROM bars')).toEqual([{ n: 1950n }])
    expect(await ask(before, 'SELECT * FROM old.bars ORDER BY ALL')).toEqual(
      await inOldFile(old, 'SELECT * FROM bars ORDER BY ALL'),
    )
    expect(await ask(newest, 'SELECT count(*) AS n FROM fin_indicators')).toEqual([{ n: 0n }])
    expect((await failure(exportDatabase(lake, newest))).message).toContain('a file already')
    await exportDatabase(lake, newest, { at: version, overwrite: true })
    expect(await ask(newest, 'SELECT count(*) AS n FROM bars')).toEqual([{ n: 2000n }])
  })
})
