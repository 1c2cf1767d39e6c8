/** The road from a `.duckdb` file to the lake and back, step by step, in one process. */
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import { openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import {
  beginDualWrite,
  cutOverToLake,
  endDualWrite,
  recordImport,
  rollBackToOldFile,
  statusOfMigration,
  verifyOldFile,
} from '../../src/lake/migration.ts'
import { StorageManager } from '../../src/lake/storage-manager.ts'
import { startDualWrite } from '../../src/migration/switch.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { newLake, rowsOf } from '../support/lake.ts'
import { barsAndLogs, inOldFile, oldFile } from '../support/migration.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const QUERY = `SELECT symbol, count(*) AS n, sum(volume) AS volume, max(kind) AS kind, avg(close) AS close
  FROM bars GROUP BY symbol ORDER BY symbol`
const bar = (symbol: string, day: string, close: number) => ({
  symbol,
  trade_date: day,
  close,
  volume: 7n,
  kind: 'a',
})

let lake: Lake
let old: string

beforeEach(async () => {
  ;({ lake, old } = await barsAndLogs())
})

const writer = (options: { strict?: boolean } = {}): Promise<DualWriter> =>
  DualWriter.open({ lake: lake.root, old, threads: 1, ...options })

describe('the road', () => {
  test('there, back, and there again, with the same SQL all along', async () => {
    const manager = await StorageManager.open({ lake: lake.root })
    const ask = async (): Promise<unknown> => {
      const connection = await manager.connection()
      try {
        const { columns, rows } = await connection.table(QUERY)
        return { columns, rows }
      } finally {
        await connection.close()
      }
    }
    expect(manager.readSource).toBe('duckdb')
    const before = await ask()
    expect((await statusOfMigration(lake)).next).toContain('migrate verify')
    expect((await beginDualWrite(lake)).started).toBe(true)
    const report = await verifyOldFile(lake)
    expect(report.equal).toBe(true)
    expect(report.tables.map((t) => [t.name, t.rowsOld, t.rowsNew])).toEqual([
      ['bars', 100, 100],
      ['logs', 3, 3],
    ])
    expect((await statusOfMigration(lake)).next).toContain('migrate cutover')
    const cut = await cutOverToLake(lake)
    expect(cut.changed).toBe(true)
    expect(existsSync(cut.mount.views)).toBe(true)
    expect((await cutOverToLake(lake)).changed).toBe(false)
    const after = await ask()
    expect(manager.readSource).toBe('lake')
    expect(after).toEqual(before)

    const w = await writer()
    const outcome = await w.write({
      bars: [
        bar('000009', '2024-02-01', 1.5),
        { symbol: '000000', trade_date: '2024-01-01', close: 8 },
      ],
    })
    expect(outcome).toMatchObject({ old: { kind: 'stopped' }, lake: { kind: 'committed' } })
    const withMore = await ask()
    const back = await rollBackToOldFile(lake)
    expect(back.broughtBack).toEqual([{ table: 'bars', written: 2, deleted: 1 }])
    expect(await ask()).toEqual(withMore)
    expect(manager.readSource).toBe('duckdb')
    expect((await rollBackToOldFile(lake)).changed).toBe(false)

    expect(await w.write({ bars: [bar('000009', '2024-02-02', 2)] })).toMatchObject({
      old: { kind: 'written' },
      lake: { kind: 'committed' },
    })
    await w.close()
    await expect(cutOverToLake(lake)).rejects.toMatchObject({ code: 'STALE' })
    expect((await verifyOldFile(lake)).equal).toBe(true)
    expect((await cutOverToLake(lake)).changed).toBe(true)
    expect(Object.keys((await lake.head()).tags).toSorted()).toHaveLength(3)
    await manager.close()
  })

  test('lake.toml overrides the source on one machine, and status says so', async () => {
    writeFileSync(join(lake.root, 'lake.toml'), '[read]\nsource = "lake"\n')
    const here = await openLake(lake.root)
    const status = await statusOfMigration(here)
    expect(status.readSource).toBe('duckdb')
    expect(status.here).toEqual({ readSource: 'lake', overridden: true })
    await here.close()
    writeFileSync(join(lake.root, 'lake.toml'), '[read]\nsource = "lakee"\n')
    await expect(openLake(lake.root)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })
})

test('older rows of equal keys stay in the old file when the last ones come back', async () => {
  const dirty = await oldFile(
    'CREATE TABLE t (k INTEGER, v INTEGER)',
    'INSERT INTO t VALUES (1, 1), (2, 2), (1, 3), (3, 4), (3, 5)',
  )
  const into = await newLake()
  await into.write('make', async (tx) => {
    const fields = [field('k', 'integer'), field('v', 'integer')]
    await tx.ensure({ name: 't', schema: schemaOf(fields), key: ['k'] })
    const rows = [
      [1, 3],
      [2, 2],
      [3, 5],
    ]
    await tx.append(
      't',
      rows.map(([k, v]) => ({ k, v })),
    )
  })
  const table = { old: 't', table: 't', key: ['k'], columns: ['k', 'v'] }
  await recordImport(into, dirty, [{ ...table, onDuplicate: 'last' }])
  expect((await verifyOldFile(into)).equal).toBe(true)
  await cutOverToLake(into)
  await into.write('later', async (tx) => {
    await tx.upsert('t', [{ k: 1, v: 9 }])
    await tx.delete('t', 'k = 3')
  })
  const { broughtBack } = await rollBackToOldFile(into)
  expect(broughtBack).toEqual([{ table: 't', written: 1, deleted: 3 }])
  expect(await inOldFile(dirty, 'SELECT k, v FROM t ORDER BY k, v')).toEqual([
    { k: 1, v: 1 },
    { k: 1, v: 9 },
    { k: 2, v: 2 },
  ])
  expect((await verifyOldFile(into)).equal).toBe(true)
})

test('the door opens over a lake without a migration', async () => {
  const plain = await newLake()
  const manager = await StorageManager.open({ lake: plain.root })
  expect(manager.readSource).toBe('lake')
  const connection = await manager.connection()
  expect(await connection.query('SELECT count(*) > 0 AS any FROM trade_cal')).toEqual([
    { any: true },
  ])
  await manager.close()
})

describe('dual writing', () => {
  test('writes both: new rows, changed rows, columns left out', async () => {
    await beginDualWrite(lake)
    const w = await writer()
    await w.write({
      bars: [
        { symbol: '000000', trade_date: '2024-01-01', close: -1 },
        bar('000009', '2024-03-01', 3),
      ],
      logs: [{ n: 3, words: 'y' }],
    })
    await w.write({
      bars: {
        columns: { symbol: ['000001'], trade_date: ['2024-01-01'], close: new Float64Array([9]) },
      },
    })
    await w.close()
    const sql =
      'SELECT symbol, CAST(trade_date AS VARCHAR) AS d, close, volume, kind FROM bars WHERE close IN (-1, 3, 9) ORDER BY symbol'
    expect(await inOldFile(old, sql)).toEqual(await rowsOf(lake, sql.replace('bars', 'old.bars')))
    expect(await rowsOf(lake, 'SELECT count(*) AS n FROM logs')).toEqual([{ n: 4n }])
    expect((await verifyOldFile(lake)).equal).toBe(true)
  })

  test('a lake that is down does not stop the old path; what waits comes in later, once', async () => {
    await beginDualWrite(lake)
    const w = await writer()
    renameSync(lake.root, `${lake.root}.away`)
    const down = await w.write({ logs: [{ n: 9, words: 'down' }] })
    expect(down).toMatchObject({ old: { kind: 'written', batch: 1 }, lake: { kind: 'behind' } })
    renameSync(`${lake.root}.away`, lake.root)
    expect((await statusOfMigration(lake)).behind).toBe(1)
    const report = await verifyOldFile(lake)
    expect([report.equal, report.behind]).toEqual([false, 1])
    expect(await w.write({ logs: [{ n: 10, words: 'up' }] })).toMatchObject({
      lake: { kind: 'committed' },
    })
    await w.close()
    expect((await beginDualWrite(lake)).batches).toBe(0)
    expect(await rowsOf(lake, 'SELECT n FROM logs WHERE n > 8 ORDER BY n')).toEqual([
      { n: 9 },
      { n: 10 },
    ])
    expect((await verifyOldFile(lake)).equal).toBe(true)
  })

  test('strict: the caller is told that the old file has the rows and the lake has not', async () => {
    await beginDualWrite(lake)
    const w = await writer({ strict: true })
    renameSync(lake.root, `${lake.root}.away`)
    await expect(w.write({ logs: [{ n: 9, words: 'down' }] })).rejects.toMatchObject({
      details: { old: 'written', batch: 1 },
    })
    renameSync(`${lake.root}.away`, lake.root)
    await w.close()
  })

  test('a batch leaves the outbox only when the record that holds it is durable', async () => {
    await beginDualWrite(lake)
    const w = await writer()
    await w.write({ logs: [{ n: 4, words: '' }] })
    await w.close()
    // As after a kill right behind the link: the record is seen, and nobody has synced it.
    await inOldFile(
      old,
      "INSERT INTO marketlake.parts VALUES (1, 'logs', 'append', ['n'], 1, now())",
    )
    const parts = () => inOldFile(old, 'SELECT count(*) AS n FROM marketlake.parts')
    const database = await lake.database()
    const files = { ...lake.store.files, sync: () => Promise.reject(new Error('no sync')) }
    const store = { ...lake.store, files, settled: -1 }
    await expect(startDualWrite(store, database)).rejects.toThrow('no sync')
    expect(await parts()).toEqual([{ n: 1n }])
    expect((await beginDualWrite(lake)).batches).toBe(0)
    expect(await parts()).toEqual([{ n: 0n }])
  })

  test('stopped: batches wait; started again they come in', async () => {
    await beginDualWrite(lake)
    await endDualWrite(lake)
    const w = await writer()
    expect(await w.write({ logs: [{ n: 5, words: 'later' }] })).toMatchObject({
      lake: { kind: 'behind' },
    })
    await w.close()
    expect(await beginDualWrite(lake)).toMatchObject({ started: true, batches: 1, behind: 0 })
    expect((await verifyOldFile(lake)).equal).toBe(true)
  })

  test('a column that the old table got since becomes a column of the lake', async () => {
    await beginDualWrite(lake)
    await inOldFile(
      old,
      'ALTER TABLE logs ADD COLUMN level TINYINT',
      'ALTER TABLE logs ADD COLUMN id UUID',
    )
    const w = await writer()
    const id = '5b0d1a52-6a0e-4b3e-9f0a-000000000001'
    expect(await w.write({ logs: [{ n: 5, words: 'w', level: 3, id }] })).toMatchObject({
      lake: { kind: 'committed' },
    })
    await w.close()
    expect((await verifyOldFile(lake)).equal).toBe(true)
    const sql = 'SELECT n, level, id FROM old.logs WHERE level = 3'
    expect(await rowsOf(lake, sql)).toEqual(await inOldFile(old, sql.replace('old.', '')))
  })

  test('an old file that is gone is named, and none is made in its place', async () => {
    await beginDualWrite(lake)
    const w = await writer()
    renameSync(old, `${old}.away`)
    await expect(w.write({ logs: [{ n: 1, words: '' }] })).rejects.toThrow('not there')
    await expect(cutOverToLake(lake)).rejects.toThrow('not there')
    expect(existsSync(old)).toBe(false)
    expect((await statusOfMigration(lake)).old).toMatchObject({ exists: false })
    await w.close()
  })

  test('neither side is written when the rows are refused', async () => {
    await beginDualWrite(lake)
    const w = await writer()
    const twice = [bar('1', '2024-01-01', 1), bar('1', '2024-01-01', 2)]
    await expect(w.write({ logs: [{ n: 7, words: '' }], bars: twice })).rejects.toMatchObject({
      code: 'DUPLICATE_KEY',
    })
    const nameless = { ...bar('1', '2024-01-01', 1), symbol: null }
    await expect(w.write({ logs: [{ n: 7, words: '' }], bars: [nameless] })).rejects.toMatchObject({
      code: 'NULL_KEY',
    })
    await expect(w.write({ nothing: [] })).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    await expect(w.write({ logs: [{ n: 1, word: 'x' }] })).rejects.toMatchObject({
      code: 'COLUMN_NOT_FOUND',
    })
    await w.close()
    expect((await verifyOldFile(lake)).equal).toBe(true)
  })
})

describe('reports, renamed columns, and symbols in another form', () => {
  test('old names, types and symbols come back; a changed report is a new version', async () => {
    const file = await oldFile(
      'CREATE TABLE fin_indicator (code VARCHAR, report_date DATE, roe DOUBLE, PRIMARY KEY (code, report_date))',
      "INSERT INTO fin_indicator VALUES ('600519', '2024-12-31', 30.5), ('000001', '2024-12-31', 10)",
    )
    const reports = await newLake()
    await reports.write('import', async (tx) => {
      await tx.upsert('indicators', [
        { symbol: '600519.SH', end_date: '2024-12-31', roe_waa: 30.5, source: 'file' },
        { symbol: '000001.SZ', end_date: '2024-12-31', roe_waa: 10, source: 'file' },
      ])
    })
    await recordImport(reports, file, [
      {
        old: 'fin_indicator',
        table: 'indicators',
        key: ['symbol', 'end_date'],
        columns: [
          { old: 'code', new: 'symbol', symbols: 'code' },
          { old: 'report_date', new: 'end_date' },
          { old: 'roe', new: 'roe_waa' },
        ],
      },
    ])
    await beginDualWrite(reports)
    const w = await DualWriter.open({ lake: reports.root, threads: 1 })
    await w.write({ fin_indicator: [{ code: '600519', report_date: '2024-12-31', roe: 31 }] })
    const stranger = { code: 'ABC', report_date: '2024-12-31', roe: 1 }
    await expect(w.write({ fin_indicator: [stranger] })).rejects.toThrow('no stock symbol')
    expect((await verifyOldFile(reports)).equal).toBe(true)
    await cutOverToLake(reports)
    await w.write({ fin_indicator: [{ code: '000001', report_date: '2024-12-31', roe: 11 }] })
    await w.close()
    const manager = await StorageManager.open({ lake: reports.root })
    const ask = async () =>
      (await manager.connection()).table(
        'SELECT * FROM fin_indicator WHERE code IN (?, ?) ORDER BY code',
        ['000001', '600519'],
      )
    const inLake = await ask()
    await rollBackToOldFile(reports)
    expect(await ask()).toEqual(inLake)
    expect(inLake.rows).toEqual([
      ['000001', '2024-12-31', 11],
      ['600519', '2024-12-31', 31],
    ])
    await manager.close()
    expect(await rowsOf(reports, 'SELECT count(*) AS n FROM fin_indicators_all')).toEqual([
      { n: 4n },
    ])
  })
})

test('a folder of the request: the symbol stands in the name of the file', async () => {
  const folder = temporaryDirectory()
  const into = await newLake()
  const fields = [field('symbol', 'string'), field('end_date', 'date'), field('roe', 'double')]
  await into.write('make', async (tx) => {
    await tx.ensure({ name: 'my_table', schema: schemaOf(fields), key: ['symbol', 'end_date'] })
    for (const symbol of ['000001', '600519'])
      await tx.session.run(
        `COPY (SELECT DATE '2024-12-31' AS end_date, 1.5::DOUBLE AS roe) TO '${folder}/symbol=${symbol}.parquet'`,
      )
    const files = `read_parquet('${folder}/*.parquet', filename = true)`
    const symbol = "regexp_extract(filename, 'symbol=([^/]+)\\.parquet$', 1)"
    await tx.append('my_table', {
      sql: `SELECT ${symbol} AS symbol, * EXCLUDE (filename) FROM ${files}`,
    })
  })
  expect(await rowsOf(into, 'SELECT symbol, roe FROM my_table ORDER BY symbol')).toEqual([
    { symbol: '000001', roe: 1.5 },
    { symbol: '600519', roe: 1.5 },
  ])
})

describe('the metadata mount', () => {
  test('without the sqlite extension the cut-over is done and says what is missing', async () => {
    await verifyOldFile(lake)
    const { mount, changed } = await cutOverToLake(lake, { sqlite: '/nowhere/meta.sqlite' })
    expect(changed).toBe(true)
    expect(mount.sqlite).toMatchObject({ attached: false })
    expect(mount.sqlite?.reason).toBeTruthy()
    const warnings: string[] = []
    const listen = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', listen)
    const manager = await StorageManager.open({ lake: lake.root })
    const connection = await manager.connection()
    expect(await connection.query('SELECT count(*) AS n FROM meta.tables')).toHaveLength(1)
    await new Promise((done) => setImmediate(done))
    process.off('warning', listen)
    expect(warnings.join()).toContain('/nowhere/meta.sqlite is not attached')
    await manager.close()
  })
})
