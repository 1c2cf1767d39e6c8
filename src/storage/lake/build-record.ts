/** Builds the record of a transaction: the Delta commits of its tables and the new state of the lake. */
import type { Commit } from '../delta/actions.ts'
import { actionsOf } from '../delta/actions.ts'
import { checkAppendOnly, commitInfoOf } from '../delta/commit.ts'
import type { CommitMode } from '../delta/conflict.ts'
import { mergedMetadata } from '../delta/metadata.ts'
import type { LakeRecord, TableCommit, TableEntry } from './record.ts'
import { nextRecord } from './settle.ts'
import type { Store } from './store.ts'
import { appIdOf, vacuumed } from './store.ts'
import type { TableWork } from './table-work.ts'
import { changeOf, hasActions } from './table-work.ts'
import type { Transaction } from './transaction.ts'
import { tableView } from './view.ts'

/** The record that publishes a transaction right after `head`. */
export async function buildRecord(
  store: Store,
  tx: Transaction,
  works: ReadonlyMap<string, TableWork>,
  head: LakeRecord,
  options: { readonly operation?: string; readonly note?: string },
): Promise<LakeRecord> {
  const next = nextRecord(store, head, options.operation ?? 'WRITE')
  const tables: Record<string, TableEntry> = { ...head.tables }
  for (const table of tx.dropped) delete tables[table]
  const commits: TableCommit[] = []
  for (const work of works.values()) {
    if (work.revived) tables[work.name] = { path: work.path, version: work.base.version }
    if (!hasActions(work)) continue
    const commit = await buildCommit(store, head, next, work)
    commits.push(commit)
    tables[work.name] = { path: work.path, version: commit.version }
  }
  tx.change.follows?.(head)
  checkKept(tx, head)
  const { units, settings, tags } = tx.change
  return {
    ...next,
    ...(options.note !== undefined && { note: options.note }),
    tables,
    tags: tags ? mergeTags(head.tags, tags) : head.tags,
    settings: { ...head.settings, ...(typeof settings === 'function' ? settings(head) : settings) },
    units: units ?? [],
    commits,
  }
}

/** A version that a tag or a restore names must still be there at the moment of the commit. */
function checkKept(tx: Transaction, head: LakeRecord): void {
  const named = Object.values(tx.change.tags ?? {}).flatMap((tag) => tag?.version ?? [])
  const tagged = new Set(Object.values(head.tags).map((tag) => tag.version))
  for (const version of [...named, ...(tx.change.keeps === undefined ? [] : [tx.change.keeps])]) {
    if (version < head.horizon && !tagged.has(version)) throw vacuumed(version, head)
  }
}

function mergeTags(
  tags: LakeRecord['tags'],
  change: NonNullable<Transaction['change']['tags']>,
): LakeRecord['tags'] {
  const merged = Object.entries({ ...tags, ...change }).filter(([, tag]) => tag !== undefined)
  return Object.fromEntries(merged) as LakeRecord['tags']
}

const OPERATION_NAMES: Readonly<Record<CommitMode, string>> = {
  append: 'WRITE',
  create: 'CREATE TABLE AS SELECT',
  delete: 'DELETE',
  metadata: 'ADD COLUMNS',
  optimize: 'OPTIMIZE',
  replace: 'WRITE',
  replaceWhere: 'WRITE',
  restore: 'RESTORE',
  upsert: 'MERGE',
}

async function buildCommit(
  store: Store,
  head: LakeRecord,
  next: LakeRecord,
  work: TableWork,
): Promise<TableCommit> {
  const change = changeOf(work)
  const isNew = work.definition !== undefined || work.revived === true
  const now = isNew ? work.base : (await tableView(store, head, work.name)).snapshot
  checkAppendOnly(change, now, work.name)
  const version = now.version + 1
  const metadata = change.metadata && mergedMetadata(change.metadata, work.base, now)
  const commit: Commit = {
    commitInfo: commitInfoOf(
      { ...change, operation: { name: OPERATION_NAMES[change.mode], metrics: metricsOf(work) } },
      { timestamp: next.timestamp, txnId: next.txnId, readVersion: now.version },
    ),
    ...(change.protocol && { protocol: change.protocol }),
    ...(metadata && { metadata }),
    txns: [{ appId: appIdOf(store.lakeId), version: next.version, lastUpdated: next.timestamp }],
    domains: [],
    removes: change.removes,
    adds: change.adds,
  }
  return {
    table: work.name,
    version,
    mode: change.mode,
    readVersion: now.version,
    ...(change.key.length > 0 && { key: change.key }),
    ...(change.predicate !== undefined && { predicate: change.predicate }),
    actions: actionsOf(commit),
  }
}

function metricsOf(work: TableWork): Record<string, string> {
  const { inserted, updated, deleted } = work.counts
  return {
    numOutputRows: String(inserted + updated),
    numTargetRowsInserted: String(inserted),
    numTargetRowsUpdated: String(updated),
    numTargetRowsDeleted: String(deleted),
    numAddedFiles: String(work.adds.length),
    numRemovedFiles: String(work.removes.length),
  }
}
