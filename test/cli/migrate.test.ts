/** The commands of `migrate`: documents, words, and exit codes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { commandIn } from '../support/command.ts'
import { newLake } from '../support/lake.ts'
import { inOldFile, migrated, oldFile } from '../support/migration.ts'
import { temporaryDirectory } from '../support/temporary.ts'

async function world(): Promise<{ lake: Lake; old: string }> {
  const old = await oldFile(
    'CREATE TABLE bars (symbol VARCHAR PRIMARY KEY, close DOUBLE)',
    "INSERT INTO bars VALUES ('a', 1), ('b', 2)",
  )
  const lake = await newLake()
  await migrated(lake, old, { bars: ['symbol'] })
  return { lake, old }
}

const { run, json: documentOf } = commandIn(process.cwd())

const json = (lake: Lake, ...args: string[]): Promise<{ code: number | null; document: unknown }> =>
  documentOf('--lake', lake.root, 'migrate', ...args)

describe('migrate', () => {
  test('documents and exit codes along the road', async () => {
    const { lake, old } = await world()
    expect(await json(lake, 'status')).toMatchObject({
      code: 0,
      document: { phase: 'imported', readSource: 'duckdb', behind: 0, verified: null },
    })
    expect(await json(lake, 'cutover')).toMatchObject({
      code: 12,
      document: { error: { code: 'STALE' } },
    })
    expect(await json(lake, 'dual-write')).toMatchObject({
      code: 0,
      document: { phase: 'dual-write', started: true, batches: 0, behind: 0 },
    })
    await inOldFile(old, "UPDATE bars SET close = 3 WHERE symbol = 'b'")
    const differs = await json(lake, 'verify')
    expect(differs.code).toBe(7)
    expect(differs.document).toMatchObject({
      equal: false,
      tables: [{ name: 'bars', rowsOld: 2, rowsNew: 2, missing: 0, extra: 0, differing: 1 }],
    })
    expect(await json(lake, 'cutover')).toMatchObject({
      code: 7,
      document: { error: { code: 'CHECK_FAILED' } },
    })
    await inOldFile(old, "UPDATE bars SET close = 2 WHERE symbol = 'b'")
    const words = await run('--lake', lake.root, 'migrate', 'verify')
    expect([words.code, words.stdout]).toEqual([0, ''])
    expect(words.stderr).toContain('bars: equal (2 rows')
    expect(await json(lake, 'cutover')).toMatchObject({
      code: 0,
      document: { outcome: 'committed', readSource: 'lake', mount: { sqlite: null } },
    })
    expect(await json(lake, 'cutover')).toMatchObject({ document: { outcome: 'unchanged' } })
    expect(await json(lake, 'dual-write')).toMatchObject({ code: 2 })
    expect(await json(lake, 'rollback')).toMatchObject({
      document: { outcome: 'committed', readSource: 'duckdb', broughtBack: [], left: [] },
    })
    const { stdout } = await run('--lake', lake.root, 'migrate', 'status')
    expect(stdout).toMatch(/phase +dual-write\nread source +duckdb/)
    expect(stdout).toMatch(/next +Run `marketlake migrate/)
  })

  test('a lake without a migration, and a table it does not know', async () => {
    const lake = await newLake()
    expect((await json(lake, 'status')).document).toMatchObject({ phase: 'none', old: null })
    expect(await json(lake, 'verify')).toMatchObject({ code: 2 })
    const other = await world()
    expect(await json(other.lake, 'verify', '--tables', 'nothing')).toMatchObject({
      code: 1,
      document: { error: { code: 'TABLE_NOT_FOUND' } },
    })
  })

  test('an old file held by its writer: who holds it, exit 11; --wait waits', async () => {
    const { lake, old } = await world()
    const hold = `const { DuckDBInstance } = await import('@duckdb/node-api')
      const instance = await DuckDBInstance.create(process.argv[1])
      console.log('held'); process.stdin.once('data', () => { instance.closeSync(); process.exit() })`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', hold, old])
    await once(holder.stdout, 'data')
    expect(await json(lake, 'verify')).toMatchObject({
      code: 11,
      document: { error: { code: 'LAKE_HELD', details: { pid: holder.pid } } },
    })
    expect((await json(lake, 'status')).document).toMatchObject({
      old: { heldBy: `process ${String(holder.pid)}` },
      behind: null,
    })
    const waiting = json(lake, 'verify', '--wait', '30s')
    holder.stdin.write('go')
    expect(await waiting).toMatchObject({ code: 0, document: { equal: true } })
  })
})

describe('a result is a file beside the lake', () => {
  test('and never one of its own', async () => {
    const lake = await newLake()
    const inLake = (...args: string[]) => run('--lake', lake.root, ...args)
    for (const own of [
      'lake.toml',
      '_lake/x.json',
      'warehouse/daily/x.parquet',
      'analysis.duckdb',
    ]) {
      const path = join(lake.root, own)
      const out = await inLake('migrate', 'export', path, '--overwrite')
      expect([out.code, out.stderr]).toEqual([2, expect.stringContaining('belongs to the lake')])
      const query = await inLake('query', 'SELECT 1', '-f', 'csv', '-o', path)
      expect([query.code, query.stderr]).toEqual([
        2,
        expect.stringContaining('belongs to the lake'),
      ])
    }
    expect(
      (await inLake('query', 'SELECT 1', '-f', 'csv', '-o', join(lake.root, 'mine.csv'))).code,
    ).toBe(0)
    const nowhere = await inLake('migrate', 'export', join(lake.root, 'none', 'x.duckdb'))
    expect([nowhere.code, nowhere.stderr]).toEqual([
      1,
      expect.stringContaining('no such directory'),
    ])
  })

  test('whole, also when nobody listens to the words any more', async () => {
    const lake = await newLake()
    const path = join(temporaryDirectory(), 'out.duckdb')
    const args = [resolve('dist/cli/main.js'), '--lake', lake.root, 'migrate', 'export', path]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.destroy()
    const [code] = (await once(child, 'close')) as [number | null]
    expect([code, existsSync(path)]).toEqual([0, true])
  })
})

test('the document of an adoption names the files that were left out', async () => {
  const folder = temporaryDirectory()
  const old = await oldFile('CREATE TABLE t AS SELECT 1 AS k')
  await inOldFile(old, `COPY (SELECT 1 AS k) TO '${join(folder, 'a.parquet')}' (FORMAT parquet)`)
  symlinkSync('/nowhere', join(folder, 'b.parquet'))
  expect(await json(await newLake(), 'adopt', folder)).toMatchObject({
    code: 0,
    document: { outcome: 'committed', files: [join(folder, 'b.parquet')] },
  })
})
