/** What a reader sees: the tables of one lake version, also where their Delta logs are behind. */
import { LakeError } from '../../model/errors.ts'
import type { TableShape } from '../../model/table.ts'
import { shapeOf } from '../../model/table.ts'
import type { Commit } from '../delta/actions.ts'
import { commitOf } from '../delta/parse.ts'
import type { Snapshot } from '../delta/replay.ts'
import { apply, emptyReplay, finish, replayFrom } from '../delta/replay.ts'
import { readRecord } from './lake-log.ts'
import type { LakeRecord, TableCommit, TableEntry } from './record.ts'
import { corruptRecord } from './record.ts'
import type { Store } from './store.ts'
import { appIdOf, deltaAt, knownSnapshot, tableDirectory } from './store.ts'

/** A table at one lake version. */
export interface TableView {
  readonly name: string
  readonly path: string
  /** An absolute path. */
  readonly directory: string
  readonly snapshot: Snapshot
  readonly shape: TableShape
}

/** The table of a name at a record; an error that lists the tables there are. */
export async function tableView(
  store: Store,
  record: LakeRecord,
  name: string,
): Promise<TableView> {
  const entry = record.tables[name]
  if (!entry) throw noTable(record, name)
  const snapshot = await snapshotAt(store, record, name, entry)
  return {
    name,
    path: entry.path,
    directory: tableDirectory(store, entry.path),
    snapshot,
    shape: shapeOf(snapshot.metadata.configuration),
  }
}

/** All tables at a record, by name. */
export async function tableViews(store: Store, record: LakeRecord): Promise<TableView[]> {
  const names = Object.keys(record.tables).toSorted()
  return Promise.all(names.map((name) => tableView(store, record, name)))
}

/** The error for a table that a lake version has not. */
export function noTable(record: Pick<LakeRecord, 'tables' | 'version'>, name: string): LakeError {
  const tables = Object.keys(record.tables).toSorted()
  return new LakeError(
    'TABLE_NOT_FOUND',
    `the lake has no table ${name} at version ${record.version}`,
    {
      details: { table: name, tables, version: record.version },
      next: tables.length > 0 ? `Its tables are: ${tables.join(', ')}.` : 'It has no tables yet.',
    },
  )
}

/**
 * The snapshot that a record shows of a table. Its own commit of the table is laid over the version before
 * unless the Delta log has it in place: readers never wait for a roll-forward, at the head or years later.
 */
async function snapshotAt(
  store: Store,
  record: LakeRecord,
  name: string,
  entry: TableEntry,
): Promise<Snapshot> {
  if (entry.over !== undefined) return overFrozen(store, name, entry, entry.over)
  const commit = record.commits.find((c) => c.table === name && c.version === entry.version)
  if (!commit) return inPlace(store, record, name, entry)
  const before = knownSnapshot(store, entry.path, entry.version - 1)
  if (!before) {
    const there = await deltaAt(store, entry.path, entry.version)
    if (there?.txns.get(appIdOf(store.lakeId))?.version === record.version) return there
  }
  return overlay(store, record, entry.path, commit)
}

async function inPlace(
  store: Store,
  record: LakeRecord,
  name: string,
  entry: TableEntry,
): Promise<Snapshot> {
  const snapshot = await deltaAt(store, entry.path, entry.version)
  if (snapshot) return snapshot
  throw corruptRecord(
    tableDirectory(store, entry.path),
    `lake version ${record.version} shows version ${entry.version} of ${name}, which its Delta log has not`,
  )
}

/** A frozen table shows for ever what the lake committed, not what a foreign commit put in its place. */
async function overFrozen(
  store: Store,
  name: string,
  entry: TableEntry,
  over: number,
): Promise<Snapshot> {
  const record = await readRecord(store, over)
  const commit = record?.commits.find((c) => c.table === name)
  if (!record || !commit) {
    throw corruptRecord(
      tableDirectory(store, entry.path),
      `lake version ${over} no longer tells the commit of ${name}`,
    )
  }
  return overlay(store, record, entry.path, commit)
}

/** The actions of a record's commit on top of the version before it. */
async function overlay(
  store: Store,
  record: LakeRecord,
  path: string,
  commit: TableCommit,
): Promise<Snapshot> {
  const directory = tableDirectory(store, path)
  const before = commit.version === 0 ? undefined : await deltaAt(store, path, commit.version - 1)
  if (commit.version > 0 && !before) {
    throw corruptRecord(
      directory,
      `version ${commit.version - 1} is missing under lake version ${record.version}`,
    )
  }
  const replay = before ? replayFrom(before) : emptyReplay()
  apply(replay, commit.version, tableCommitOf(record, commit))
  return finish(replay, directory, before)
}

/** The Delta commit that a record carries for a table. */
export function tableCommitOf(record: LakeRecord, commit: TableCommit): Commit {
  return commitOf(commit.actions ?? [], `lake version ${record.version}, table ${commit.table}`)
}
