/** Sync of a lake: the sources by their names, with the settings of lake.toml. */
import { messageOf } from '../model/errors.ts'
import { standardTable } from '../model/standard-tables.ts'
import { normalizeSymbol } from '../model/symbol.ts'
import type { Collector } from '../ingestion/collector.ts'
import { sync } from '../ingestion/sync.ts'
import type { SyncOptions, SyncPlan, SyncResult } from '../ingestion/sync-options.ts'
import { planSync } from '../ingestion/sync-plan.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import { tableView } from '../storage/lake/view.ts'
import type { Row } from '../storage/parquet/values.ts'
import type { Lake } from './lake.ts'
import { checkTables, sourceOf } from './sources.ts'

/** What to sync; sources by name, or collectors of your own. */
export interface LakeSyncOptions extends Omit<SyncOptions, 'sources'> {
  /** `eastmoney` (default), `eastmoney_f10`, `tushare`, `sina`, `tencent`, `files`, or collectors of your own. */
  readonly sources?: readonly (string | Collector)[]
}

/** Fetches what is wanted and commits it, batch by batch; readers are never in the way, nor it in theirs. */
export async function syncLake(lake: Lake, options: LakeSyncOptions = {}): Promise<SyncResult> {
  const result = await sync(contextOf(lake), resolved(lake, options))
  const filled = result.outcome === 'failed' ? false : await fillVisibleDates(lake)
  if (result.commits > 0 || filled) {
    await lake
      .publishViews({ keepRoot: true })
      .catch((error: unknown) => lake.warn(`views were not published: ${String(error)}`))
  }
  return result
}

/** What a sync would do. */
export function planLakeSync(lake: Lake, options: LakeSyncOptions = {}): Promise<SyncPlan> {
  return planSync(contextOf(lake), resolved(lake, options))
}

/** What a sync needs of a lake. */
export function contextOf(lake: Lake): Parameters<typeof sync>[0] {
  return {
    store: lake.store,
    write: (note, callback, how) => lake.write(note, callback, how),
    read: (table, sql) => readRows(lake, table, sql),
  }
}

/** Rows of a SELECT over one table of the head, which it calls `rows`. */
async function readRows<T extends Row>(lake: Lake, table: string, sql: string): Promise<T[]> {
  const head = await lake.head()
  if (!head.tables[table]) return []
  const { directory, snapshot } = await tableView(lake.store, head, table)
  const database = await lake.database()
  return database.using((session) =>
    session.rows<T>(`WITH rows AS (${snapshotSql(directory, snapshot)}) ${sql}`),
  )
}

function resolved(lake: Lake, options: LakeSyncOptions): SyncOptions {
  const { sources: wanted = ['eastmoney'], symbols, ...rest } = options
  const sources = wanted.map((source) => sourceOf(lake, source))
  checkTables(lake, sources, options.tables ?? [])
  return { ...rest, ...(symbols && { symbols: symbols.map(normalizeSymbol) }), sources }
}

/** What the batches have stored stands: if this fails, a warning says so, and the next sync makes up for it. */
async function fillVisibleDates(lake: Lake): Promise<boolean> {
  try {
    return await tryToFillVisibleDates(lake)
  } catch (error) {
    lake.warn(`visible dates were not filled: ${messageOf(error)}`)
    return false
  }
}

/** The calendar may have grown since reports were stored; then their visible dates are known now. */
async function tryToFillVisibleDates(lake: Lake): Promise<boolean> {
  const { tables } = await lake.head()
  const vintage = Object.keys(tables).filter((name) => standardTable(name)?.vintage)
  if (vintage.length === 0) return false
  const outcome = await lake.write(
    'visible dates',
    async (tx) => {
      for (const table of vintage) await tx.fillVisibleDates(table)
    },
    { operation: 'SYNC' },
  )
  if (outcome.kind === 'committed') return outcome.changed
  lake.warn(`visible dates were not filled: ${outcome.reason}`)
  return false
}
