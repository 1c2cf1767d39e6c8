/** `analysis.duckdb`: views only, replaced by rename, and the same answers in the oldest DuckDB that reads it. */
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { publishViews } from '../../src/analysis/publish.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import { realEffects } from '../../src/model/effects.ts'
import { Database, Session } from '../../src/storage/parquet/database.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { committed } from '../support/lake.ts'
import { filledLake } from '../support/published.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const run = Reflect.get(Session.prototype, 'run') as Session['run']

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

test('is made without a write-ahead log: DuckDB ends the process when it can neither sync one nor cut it', async () => {
  const lake = await filledLake()
  const seen: string[][] = []
  const spy = vi.spyOn(Session.prototype, 'run').mockImplementation(function (this: Session, sql) {
    if (sql.startsWith('CHECKPOINT')) seen.push(readdirSync(lake.root))
    return run.call(this, sql)
  })
  await lake.publishViews()
  spy.mockRestore()
  expect(seen).toHaveLength(1)
  expect(seen[0]!.filter((name) => name.endsWith('.wal'))).toEqual([])
  expect(seen[0]!.filter((name) => name.endsWith('.tmp'))).toHaveLength(1)
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

  test('after its time an open copy fails by a missing file, never with fewer rows; attached again it answers', async () => {
    const other = await filledLake()
    const file = (await other.publishViews()).path
    const database = await Database.open({ threads: 1 })
    await database.using(async (session) => {
      await session.run(`ATTACH '${file}' AS a (READ_ONLY); USE a`)
      const bar = { symbol: '600519.SH', trade_date: '2025-04-03', source: 'sina' }
      for (const close of [2, 1])
        await other.write(
          'bars',
          async (tx) => void (await tx.replace('daily', [{ ...bar, close }])),
        )
      // Its own lease goes on to the new version.
      await other.head()
      const later = { ...realEffects, now: () => realEffects.now() + 40 * 86_400_000 }
      const vacuuming = await openLake(other.root, { effects: later, maintenance: false })
      await vacuuming.vacuum({ apply: true })
      await vacuuming.close()
      const sum = 'SELECT sum(close) AS s FROM daily'
      await expect(session.rows(sum)).rejects.toThrow(/No files found|Cannot open file/)
      await session.run(`USE memory; DETACH a; ATTACH '${file}' AS a (READ_ONLY); USE a`)
      expect(await session.rows(sum)).toEqual([{ s: 1 }])
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

  test('a lake that follows its commits keeps the root, until views are asked for without one', async () => {
    const other = await filledLake()
    const root = join(temporaryDirectory(), 'lake of the readers')
    const shown = async () => {
      const [rows] = await published(
        join(other.root, 'analysis.duckdb'),
        `SELECT root, sql LIKE '%/lake of the readers/%' AS there FROM meta.lake, duckdb_views()
         WHERE view_name = 'daily' AND schema_name = 'main'`,
      )
      return rows
    }
    await other.publishViews({ root })
    await other.vacuum({ apply: true })
    expect(await shown()).toEqual([{ root, there: true }])
    await other.publishViews()
    await other.vacuum({ apply: true })
    expect(await shown()).toEqual([{ root: null, there: false }])
  })
})
