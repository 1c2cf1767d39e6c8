/** A process of the demo: one that writes or one that reads, told what to do by the process that started it. */
import { join } from 'node:path'
import { VIEWS_FILE } from '../../analysis/publish.ts'
import { openLake } from '../../lake/lake.ts'
import { syncLake } from '../../lake/sync.ts'
import { messageOf } from '../../model/errors.ts'
import { Database } from '../../storage/parquet/database.ts'
import type { Session } from '../../storage/parquet/database.ts'
import { literal } from '../../storage/parquet/sql.ts'
import type { Row } from '../../storage/parquet/values.ts'
import { replaceForever, writeMonolith } from './others.ts'
import type { Tally } from './tally.ts'

/** What a worker is started for. */
export interface Task {
  readonly role:
    | 'sync'
    | 'reader'
    | 'views-reader'
    | 'monolith-writer'
    | 'monolith-reader'
    | 'replace-writer'
    | 'replace-reader'
  /** The lake, the `.duckdb` file or the folder of files. */
  readonly path: string
  readonly since?: string
  readonly until?: string
}

/** What a worker tells. */
export type Report =
  | { readonly type: 'ready' }
  | { readonly type: 'tally'; readonly tally: Tally }
  | { readonly type: 'commit'; readonly rows: number; readonly version: number }
  | { readonly type: 'synced' }

const stop = new AbortController()
const stopped = (): boolean => stop.signal.aborted

function tell(report: Report): void {
  if (process.connected) process.send?.(report)
}

process.on('message', (message: Task | 'stop' | 'again') => {
  if (message === 'stop') {
    stop.abort()
  } else if (typeof message === 'object') {
    run(message).then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${message.role}: ${messageOf(error)}\n`)
        process.exit(1)
      },
    )
  }
})
process.on('disconnect', () => process.exit(0))
// Ctrl-C reaches every process of the group; the one that started us decides when to end.
process.on('SIGINT', () => undefined)

async function run(task: Task): Promise<void> {
  switch (task.role) {
    case 'sync':
      return syncForever(task)
    case 'reader':
      return readLake(task.path)
    case 'views-reader':
      return readViews(join(task.path, VIEWS_FILE))
    case 'monolith-writer':
      return writeMonolith(task.path, stopped, (rows) => tell({ type: 'commit', rows, version: 0 }))
    case 'monolith-reader':
      return readMonolith(task.path)
    case 'replace-writer':
      return replaceForever(task.path, stopped, (rows) =>
        tell({ type: 'commit', rows, version: 0 }),
      )
    case 'replace-reader':
      return readReplaced(task.path)
  }
}

/** Syncs all periods, and then again and again: later rounds find restatements as the days go on. */
async function syncForever(task: Task): Promise<void> {
  const lake = await openLake(task.path, { lease: false })
  try {
    while (!stopped()) {
      await syncLake(lake, {
        ...(task.since !== undefined && { since: task.since }),
        ...(task.until !== undefined && { until: task.until }),
        restart: true,
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === 'committed') {
            tell({ type: 'commit', rows: event.inserted + event.updated, version: event.version })
          }
        },
      })
      tell({ type: 'synced' })
    }
  } finally {
    await lake.close()
  }
}

/** Reports of one period move together: in no answer may a period have more rows in one table than in another. */
const TORN = `
  SELECT count(*) FILTER (i.n IS DISTINCT FROM b.n OR b.n IS DISTINCT FROM s.n OR s.n IS DISTINCT FROM c.n) AS torn,
         coalesce(sum(i.n), 0) AS reports
  FROM (SELECT end_date, count(*) AS n FROM fin_indicators GROUP BY 1) i
  FULL JOIN (SELECT end_date, count(*) AS n FROM fin_balance_sheet GROUP BY 1) b USING (end_date)
  FULL JOIN (SELECT end_date, count(*) AS n FROM fin_income_statement GROUP BY 1) s USING (end_date)
  FULL JOIN (SELECT end_date, count(*) AS n FROM fin_cash_flow GROUP BY 1) c USING (end_date)`
const SCREEN = `
  SELECT i.symbol, i.roe_waa, b.total_assets FROM fin_indicators i
  JOIN fin_balance_sheet b USING (symbol, end_date)
  WHERE i.end_date = (SELECT max(end_date) FROM fin_indicators) ORDER BY i.roe_waa DESC LIMIT 20`
const ONE_STOCK = `
  SELECT end_date, total_revenue, n_income_attr_p FROM fin_income_statement
  WHERE symbol = '600019.SH' ORDER BY end_date`

async function readLake(path: string): Promise<void> {
  const lake = await openLake(path)
  const engine = await lake.analysis({ follow: true, threads: 1 })
  try {
    await engine.initViews()
    await readForever((sql) => engine.query(sql))
  } finally {
    await engine.close()
    await lake.close()
  }
}

/** As a notebook does it: attach the published file, query, and attach again to see newer data. */
async function readViews(path: string): Promise<void> {
  const database = await Database.open({ threads: 1 })
  const session = await database.connect()
  const attach = (): Promise<number> =>
    session.run(`ATTACH ${literal(path)} AS published (READ_ONLY); USE published`)
  try {
    await attach()
    let queries = 0
    await readForever(async (sql) => {
      if (++queries % 10 === 0) {
        await session.run('USE memory; DETACH published')
        await attach()
      }
      return session.rows(sql)
    })
  } finally {
    await database.close()
  }
}

const REPORT_MS = 250

async function readForever(query: (sql: string) => Promise<Row[]>): Promise<void> {
  tell({ type: 'ready' })
  let tally = { queries: 0, errors: 0, torn: 0, latenciesMs: [] as number[] }
  let lastError: string | undefined
  let reportedMs = performance.now()
  for (let i = 0; !stopped(); i++) {
    const startMs = performance.now()
    try {
      const rows = await query([TORN, SCREEN, ONE_STOCK][i % 3]!)
      tally.queries++
      if (i % 3 === 0) tally.torn += Number(rows[0]!['torn'])
    } catch (error) {
      tally.errors++
      lastError = messageOf(error)
    }
    tally.latenciesMs.push(performance.now() - startMs)
    if (performance.now() - reportedMs < REPORT_MS) continue
    tell({ type: 'tally', tally: { ...tally, ...(lastError !== undefined && { lastError }) } })
    tally = { queries: 0, errors: 0, torn: 0, latenciesMs: [] }
    reportedMs = performance.now()
  }
  tell({ type: 'tally', tally: { ...tally, ...(lastError !== undefined && { lastError }) } })
}

/** Every query opens the file as a notebook would, because nobody can keep it open beside the writer. */
async function readMonolith(path: string): Promise<void> {
  const sql = 'SELECT end_date, count(*), avg(roe) FROM db.reports GROUP BY 1'
  await readForever(() =>
    withDatabase(async (session) => {
      await session.run(`ATTACH ${literal(path)} AS db (READ_ONLY)`)
      return session.rows(sql)
    }),
  )
}

async function readReplaced(folder: string): Promise<void> {
  const files = `read_parquet(${literal(join(folder, '*.parquet'))}, hive_partitioning=1, union_by_name=true)`
  await readForever(() =>
    withDatabase((session) =>
      session.rows(`SELECT end_date, count(*) AS n, avg(roe) AS roe FROM ${files} GROUP BY 1`),
    ),
  )
}

async function withDatabase(use: (session: Session) => Promise<Row[]>): Promise<Row[]> {
  const database = await Database.open({ threads: 1 })
  try {
    const rows = await database.using(use)
    return rows.length === 0 ? [{ torn: 0 }] : [{ torn: 0 }, ...rows]
  } finally {
    await database.close()
  }
}
