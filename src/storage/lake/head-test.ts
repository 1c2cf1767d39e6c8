/** Tests a staged transaction against a head that moved since its base. */
import { clash } from '../delta/conflict.ts'
import { commitAt } from '../delta/load.ts'
import { filePath } from '../delta/paths.ts'
import type { LakeRecord, TableEntry } from './record.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { checkNotFrozen } from './tables.ts'
import type { TableWork } from './table-work.ts'
import { changeOf, hasActions } from './table-work.ts'
import type { Transaction } from './transaction.ts'
import { tableView } from './view.ts'

/** What the head says to a transaction. */
export type Verdict =
  | { readonly kind: 'free' }
  | { readonly kind: 'restage'; readonly table: string; readonly reason: string }
  | { readonly kind: 'callback'; readonly reason: string }

/** Tests everything written and read against a head that may have moved since the base. */
export async function testHead(
  store: Store,
  tx: Transaction,
  works: ReadonlyMap<string, TableWork>,
  head: LakeRecord,
): Promise<Verdict> {
  for (const [table, entry] of tx.reads) {
    const reason = await readClash(store, head, table, entry)
    if (reason !== undefined) return { kind: 'callback', reason }
  }
  for (const table of tx.dropped) {
    if (head.tables[table]?.path !== tx.base.tables[table]?.path)
      return { kind: 'callback', reason: `table ${table} was dropped by another commit` }
  }
  if (tx.change.allTables) {
    const made = Object.keys(head.tables).find((table) => !tx.base.tables[table])
    if (made !== undefined)
      return { kind: 'callback', reason: `table ${made} was created by another commit` }
  }
  for (const [table, work] of works) {
    const reason = await writeClash(store, tx, head, work)
    if (reason === undefined) continue
    // Who made a table must see that there is one of that name, and what it is like.
    const again = tx.reads.size > 0 || (work.definition !== undefined && head.tables[table])
    return again ? { kind: 'callback', reason } : { kind: 'restage', table, reason }
  }
  return { kind: 'free' }
}

async function writeClash(
  store: Store,
  tx: Transaction,
  head: LakeRecord,
  work: TableWork,
): Promise<string | undefined> {
  const entry = head.tables[work.name]
  if (work.revived) {
    // A table of the same name that the restore replaces was tested among the dropped ones.
    return entry && !tx.dropped.has(work.name) ? `table ${work.name} exists again` : undefined
  }
  if (work.definition) return entry ? `table ${work.name} was created by another commit` : undefined
  if (!entry || entry.path !== work.path) return `table ${work.name} was dropped by another commit`
  if (!hasActions(work)) return undefined
  checkNotFrozen(store, head, work)
  const { snapshot } = await tableView(store, head, work.name)
  const reason =
    snapshot.version !== work.base.version
      ? await clash(changeOf(work), work.base, snapshot, store.data.rowTest(work.directory))
      : undefined
  return reason ?? lostFiles(store, work, head.stagedBefore ?? 0)
}

/**
 * A vacuum may have taken files of a transaction that slept for a day, or be about to: it announces the age from
 * which it deletes before it does, so a file older than that is never published.
 */
async function lostFiles(
  store: Store,
  work: TableWork,
  stagedBeforeMs: number,
): Promise<string | undefined> {
  for (const add of work.adds) {
    const stat = await store.files.stat(filePath(work.directory, add.path))
    if (stat?.sizeBytes !== add.size) return `staged file ${add.path} is gone`
    if (work.written.has(add.path) && stat.modifiedMs < stagedBeforeMs)
      return `staged file ${add.path} is too old`
  }
  return undefined
}

/** A table that was read must not have changed in its rows; a compaction changes none. */
async function readClash(
  store: Store,
  head: LakeRecord,
  table: string,
  entry: TableEntry,
): Promise<string | undefined> {
  const now = head.tables[table]
  if (now?.version === entry.version && now.path === entry.path) return undefined
  if (now?.path !== entry.path) return `table ${table}, which was read, was dropped`
  if (now.version < entry.version || now.over !== undefined)
    return `table ${table}, which was read, changed`
  const changed = await rowsChanged(store, entry, now.version)
  return changed ? `table ${table}, which was read, changed` : undefined
}

/** Looks at every commit between: a compaction may have folded a file that came after the base. */
async function rowsChanged(store: Store, entry: TableEntry, to: number): Promise<boolean> {
  const directory = tableDirectory(store, entry.path)
  for (let version = entry.version + 1; version <= to; version++) {
    const commit = await commitAt(store.files, directory, version)
    if (!commit || [...commit.adds, ...commit.removes].some((file) => file.dataChange)) return true
  }
  return false
}
