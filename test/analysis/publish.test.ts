/** `analysis.duckdb`: views only, replaced by rename, and the same answers in every DuckDB from 1.1 to 2.0. */
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { publishViews } from '../../src/analysis/publish.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { committed, newLake } from '../support/lake.ts'
import { describePython, python } from '../support/python.ts'
import { temporaryDirectory } from '../support/temporary.ts'

async function filledLake(): Promise<Lake> {
  const lake = await newLake()
  const report = { symbol: '600519.SH', end_date: '2024-12-31', source: 'eastmoney' }
  await lake.write('data', async (tx) => {
    await tx.upsert('indicators', [{ ...report, notice_date: '2025-04-03', basic_eps: 68.64 }])
    await tx.upsert('balance', [{ ...report, notice_date: '2025-04-03', total_assets: 3e11 }])
    await tx.upsert('daily', [
      { symbol: '600519.SH', trade_date: '2025-04-03', close: 1550.5, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2025-04-07', close: 775, source: 'sina' },
    ])
    await tx.upsert('adj_factor', [
      { symbol: '600519.SH', trade_date: '2001-08-27', adj_factor: 1, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2025-04-07', adj_factor: 2, source: 'sina' },
    ])
  })
  return lake
}

/** Rows as the engine of this package reads the published file, in memory and attached READ_ONLY. */
async function published(path: string, ...queries: string[]): Promise<Row[][]> {
  const database = await Database.open({ threads: 1 })
  try {
    return await database.using(async (session) => {
      await session.run(`ATTACH '${path}' AS a (READ_ONLY); USE a`)
      const answers: Row[][] = []
      for (const sql of queries) answers.push(await session.rows(sql))
      return answers
    })
  } finally {
    await database.close()
  }
}

test('a lake that never rests is published all the same', async () => {
  const lake = await filledLake()
  const { files } = lake.store
  const busy = {
    ...lake.store,
    files: {
      ...files,
      rename: async (from: string, to: string): Promise<void> => {
        await files.rename(from, to)
        if (to.endsWith('analysis.duckdb')) await lake.tag('busy')
      },
    },
  }
  const { path, version } = await publishViews(busy)
  const [rows] = await published(path, 'SELECT version::INTEGER AS version FROM meta.lake')
  expect(rows).toEqual([{ version }])
})

describe('analysis.duckdb', () => {
  let lake: Lake
  let path: string
  beforeAll(async () => {
    lake = await filledLake()
    path = (await lake.publishViews()).path
  })

  test('holds views and macros, and tables only in meta', async () => {
    const [tables, meta] = await published(
      path,
      `SELECT schema_name AS s, table_name AS t FROM duckdb_tables() WHERE database_name = 'a' AND schema_name <> 'meta'`,
      "SELECT table_name AS t FROM duckdb_tables() WHERE database_name = 'a' ORDER BY 1",
    )
    expect(tables).toEqual([])
    expect(meta!.map((row) => row['t'])).toEqual([
      'columns',
      'freshness',
      'history',
      'lake',
      'relations',
      'sync_runs',
      'tables',
    ])
    expect(statSync(path).size).toBeLessThan(1_000_000)
  })

  test('says which version it shows and how long that is kept', async () => {
    const [rows] = await published(
      path,
      `SELECT version::INTEGER AS version, txn_id, epoch(valid_until - published_at)::INTEGER AS seconds FROM meta.lake`,
    )
    const head = await lake.head()
    expect(rows).toEqual([{ version: head.version, txn_id: head.txnId, seconds: 30 * 86_400 }])
  })

  test('is built beside and renamed in: no traces, and a left-over write-ahead log does no harm', async () => {
    const other = await filledLake()
    writeFileSync(join(other.root, 'analysis.duckdb.wal'), 'left over')
    await other.publishViews()
    const left = readdirSync(other.root).filter((name) => name.includes('analysis'))
    expect(left).toEqual(['analysis.duckdb'])
  })

  test('an open session keeps its answers when a newer file is renamed in, also after a vacuum', async () => {
    const other = await filledLake()
    await other.publishViews()
    const database = await Database.open({ threads: 1 })
    await database.using(async (session) => {
      const file = join(other.root, 'analysis.duckdb')
      await session.run(`ATTACH '${file}' AS a (READ_ONLY); USE a`)
      const count = 'SELECT count(*)::INTEGER AS n FROM daily'
      expect(await session.rows(count)).toEqual([{ n: 2 }])
      committed(
        await other.write('more', (tx) =>
          tx
            .append('daily', [{ symbol: '000001.SZ', trade_date: '2025-04-03', close: 1 }])
            .then(() => undefined),
        ),
      )
      await other.publishViews()
      await other.vacuum({ apply: true })
      expect(await session.rows(count)).toEqual([{ n: 2 }])
      await session.run(`USE memory; DETACH a; ATTACH '${file}' AS a (READ_ONLY); USE a`)
      expect(await session.rows(count)).toEqual([{ n: 3 }])
    })
    await database.close()
  })

  test('with --root names the files where the readers see them', async () => {
    const moved = join(temporaryDirectory(), 'a [lake]', 'env=prod')
    const other = await filledLake()
    // DuckDB looks at the files when a view is made, and this directory is only in the readers' container.
    await other.publishViews({ root: moved })
    expect(existsSync(dirname(moved))).toBe(false)
    mkdirSync(moved, { recursive: true })
    cpSync(other.root, moved, { recursive: true })
    const [rows] = await published(
      join(moved, 'analysis.duckdb'),
      'SELECT close FROM daily ORDER BY 1',
    )
    expect(rows).toEqual([{ close: 775 }, { close: 1550.5 }])
  })

  for (const version of ['1.1.3', '1.5.5', '2.0.0']) {
    describePython(`duckdb==${version}`, (packages) => {
      const program = `
import duckdb, json, sys
con = duckdb.connect()
con.execute(f"ATTACH '{sys.argv[1]}' AS a (READ_ONLY)")
con.execute("USE a")
views = [r[0] for r in con.execute("SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE database_name = 'a' AND NOT internal ORDER BY 1").fetchall()]
for view in views: con.execute(f'SELECT max(hash(t)) FROM {view} t').fetchall()
out = {"views": views}
out["latest"] = con.execute("SELECT symbol, basic_eps FROM fin_indicators").fetchall()
out["before"] = con.execute("SELECT count(*) FROM fin_indicators_asof(DATE '2025-04-03')").fetchall()
out["after"] = con.execute("SELECT count(*) FROM fin_indicators_asof('2025-04-07')").fetchall()
out["qfq"] = con.execute("SELECT close FROM daily_qfq ORDER BY trade_date").fetchall()
out["between"] = con.execute("SELECT close FROM daily_qfq_between('2025-01-01', '2025-04-03')").fetchall()
out["types"] = con.execute("SELECT typeof(balance) FROM (SELECT type AS balance FROM financial_statements)").fetchall()
out["valuation"] = con.execute("SELECT count(*), count(pe_ttm) FROM valuation").fetchall()
out["ttm"] = con.execute("SELECT basic_eps FROM fin_ttm_asof('2025-05-01')").fetchall()
out["sym"] = con.execute("SELECT sym('sh600519')").fetchall()
out["tushare"] = con.execute("SELECT ts_code, vol FROM tushare.daily LIMIT 1").fetchall()
out["label"] = con.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'daily_hfq'").fetchall()
out["version"] = con.execute("SELECT version FROM meta.lake").fetchall()
print(json.dumps(out))
`
      test('answers as our engine does, every view of it', async () => {
        const answer = JSON.parse(await python(packages, program, path)) as Record<string, unknown>
        expect(answer).toMatchObject({
          latest: [['600519.SH', 68.64]],
          before: [[0]],
          after: [[1]],
          qfq: [[775.25], [775]],
          between: [[1550.5]],
          types: [['VARCHAR']],
          valuation: [[2, 0]],
          ttm: [[68.64]],
          sym: [['600519.SH']],
          tushare: [['600519.SH', null]],
          label: [['后复权日线']],
          version: [[(await lake.head()).version]],
        })
        expect((answer['views'] as string[]).length).toBeGreaterThan(35)
      })

      test('reads without an error while a writer commits and publishes', async () => {
        const other = await filledLake()
        await other.publishViews()
        const reader = python(
          packages,
          `
import duckdb, sys
path, last = sys.argv[1], 0
for i in range(60):
    con = duckdb.connect()
    con.execute(f"ATTACH '{path}' AS a (READ_ONLY)")
    con.execute("USE a")
    version = con.execute("SELECT version FROM meta.lake").fetchone()[0]
    rows = con.execute("SELECT count(*), count(DISTINCT close) FROM daily WHERE symbol LIKE 'T%'").fetchone()
    assert rows[0] in (0, 50) and rows[1] in (0, 1), rows
    assert version >= last, (version, last)
    last = version
    con.close()
print("done")
`,
          join(other.root, 'analysis.duckdb'),
        )
        const state = { reading: true }
        const done = reader.finally(() => (state.reading = false))
        for (let i = 0; state.reading && i < 500; i++) {
          const rows = Array.from({ length: 50 }, (_, k) => ({
            symbol: `T${String(k)}`,
            trade_date: '2025-04-03',
            close: i,
          }))
          await other.write(String(i), (tx) => tx.upsert('daily', rows).then(() => undefined))
          await other.publishViews()
        }
        expect(await done).toBe('done\n')
      })
    })
  }
})
