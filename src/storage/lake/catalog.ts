/** What a lake holds: its tables with their sizes, and its history. */
import { rowsOf } from '../delta/stats.ts'
import { readRecord } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { refreshHead } from './store.ts'
import type { TableView } from './view.ts'
import { tableViews } from './view.ts'

/** A table in a listing. */
export interface TableInfo {
  readonly name: string
  readonly path: string
  /** The Delta version. */
  readonly version: number
  /** Null if a file of another engine does not say how many rows it has. */
  readonly rows: number | null
  readonly files: number
  readonly bytes: number
  readonly key: readonly string[]
  readonly layout: string
}

/** The tables at a record, by name. */
export async function listTables(store: Store, record: LakeRecord): Promise<TableInfo[]> {
  const views = await tableViews(store, record)
  return views.map((view) => tableInfo(view, record))
}

/** Sizes of one table. */
export function tableInfo(view: TableView, record: LakeRecord): TableInfo {
  let [rows, bytes] = [0 as number | null, 0]
  for (const file of view.snapshot.files.values()) {
    const count = rowsOf(file)
    rows = rows === null || count === undefined ? null : rows + count
    bytes += file.size
  }
  return {
    name: view.name,
    path: view.path,
    version: record.tables[view.name]?.version ?? view.snapshot.version,
    rows,
    files: view.snapshot.files.size,
    bytes,
    key: view.shape.key,
    layout: view.shape.layout,
  }
}

/** Records from the newest to the oldest kept, at most `limit`; stubs below the horizon included. */
export async function history(
  store: Store,
  options: { readonly table?: string; readonly txnId?: string; readonly limit?: number } = {},
): Promise<LakeRecord[]> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  const found: LakeRecord[] = []
  let record: LakeRecord | undefined = await refreshHead(store)
  while (record && found.length < limit) {
    const before: LakeRecord | undefined =
      record.version > 0 ? await readRecord(store, record.version - 1) : undefined
    if (wanted(record, before, options)) found.push(record)
    if (options.txnId !== undefined && found.length > 0) break
    record = before
  }
  return found
}

function wanted(
  record: LakeRecord,
  before: LakeRecord | undefined,
  options: { readonly table?: string; readonly txnId?: string },
): boolean {
  if (options.txnId !== undefined) return record.txnId === options.txnId
  if (options.table === undefined) return true
  const [now, then] = [record.tables[options.table], before?.tables[options.table]]
  return now?.version !== then?.version || now?.path !== then?.path
}
