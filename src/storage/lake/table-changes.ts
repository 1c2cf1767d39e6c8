/** What a record did to each table, in numbers: by our own commits and by those of other engines. */
import type { Commit } from '../delta/actions.ts'
import { commitAt } from '../delta/load.ts'
import { rowsOf } from '../delta/stats.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { tableCommitOf } from './view.ts'

/** One Delta commit of a record. Counts are null where nobody tells them. */
export interface TableChange {
  readonly table: string
  /** The Delta version. */
  readonly version: number
  readonly operation: string
  readonly engine: string
  readonly inserted: number | null
  readonly updated: number | null
  readonly deleted: number | null
  readonly filesAdded: number | null
  readonly filesRemoved: number | null
}

/** The changes of a record; of a stub there are none. */
export async function tableChanges(store: Store, record: LakeRecord): Promise<TableChange[]> {
  const own = record.commits.map((entry) => {
    const commit = entry.actions && tableCommitOf(record, entry)
    const operation = commit?.commitInfo?.['operation']
    const { table, version, mode } = entry
    const name = typeof operation === 'string' ? operation : mode.toUpperCase()
    return { table, version, operation: name, engine: record.engine, ...countsOf(commit) }
  })
  const others = (record.foreign ?? []).map(async ({ undone: _undone, ...entry }) => {
    const path = record.tables[entry.table]?.path
    const directory = path === undefined ? undefined : tableDirectory(store, path)
    // Cleanup, or whoever broke the log, may have taken the commit away: history goes on without its counts.
    const commit =
      directory === undefined
        ? undefined
        : await commitAt(store.files, directory, entry.version).catch(() => undefined)
    return { ...entry, ...countsOf(commit) }
  })
  return [...own, ...(await Promise.all(others))]
}

type Counts = Pick<TableChange, 'deleted' | 'filesAdded' | 'filesRemoved' | 'inserted' | 'updated'>

function countsOf(commit: Commit | undefined): Counts {
  if (!commit) {
    return { inserted: null, updated: null, deleted: null, filesAdded: null, filesRemoved: null }
  }
  const metric = metricsOf(commit)
  const appends = commit.removes.length === 0
  return {
    inserted:
      metric('numTargetRowsInserted') ??
      metric('numAddedRows') ??
      (appends ? rowsAdded(commit) : null),
    updated: metric('numTargetRowsUpdated') ?? metric('numUpdatedRows') ?? (appends ? 0 : null),
    deleted: metric('numTargetRowsDeleted') ?? metric('numDeletedRows') ?? (appends ? 0 : null),
    filesAdded: commit.adds.length,
    filesRemoved: commit.removes.length,
  }
}

/** Spark and we write `numTargetRowsInserted`, delta-rs writes `num_target_rows_inserted`; texts or numbers. */
function metricsOf(commit: Commit): (name: string) => number | null {
  const metrics = commit.commitInfo?.['operationMetrics']
  const entries = typeof metrics === 'object' && metrics !== null ? Object.entries(metrics) : []
  const byName = new Map(entries.map(([name, value]) => [plain(name), Number(value)]))
  return (name) => {
    const value = byName.get(plain(name))
    return value !== undefined && Number.isSafeInteger(value) ? value : null
  }
}

function plain(name: string): string {
  return name.replaceAll('_', '').toLowerCase()
}

function rowsAdded(commit: Commit): number | null {
  return commit.adds.reduce<number | null>((sum, add) => {
    const rows = rowsOf(add)
    return sum === null || rows === undefined ? null : sum + rows
  }, 0)
}
