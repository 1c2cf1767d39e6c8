/** Which files of which tables the kept versions of a lake need. */
import { hasCode } from '../../model/errors.ts'
import type { AddFile, Commit } from '../delta/actions.ts'
import { commitAt } from '../delta/load.ts'
import { fileKey } from '../delta/replay.ts'
import type { Snapshot } from '../delta/replay.ts'
import { readRecord } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { appIdOf, deltaAt, tableDirectory } from './store.ts'
import { tableView } from './view.ts'

/** What must not be deleted in one table directory. */
export interface NeededTable {
  readonly path: string
  /** Data files by key (decoded paths below the table). */
  readonly files: Map<string, AddFile>
  /** Keys of those that come after what the kept versions show: commits that the lake has not adopted. */
  readonly later: Set<string>
  /** The lowest Delta version that a kept lake version is built from. */
  oldestVersion: number
  /** The newest state, with the tombstones. Undefined for a table that the head has not. */
  snapshot: Snapshot | undefined
  /** Other engines committed since the oldest kept version. */
  foreign: boolean
  /** Nothing in the directory may be touched. */
  frozen: boolean
}

/** Delta versions of one table that some kept lake version shows. */
interface Span {
  readonly path: string
  first: number
  last: number
  over: boolean
}

/** What must not be deleted in a lake. */
export interface Needed {
  /** By table path. */
  readonly tables: ReadonlyMap<string, NeededTable>
  /** Lake versions whose records must stay whole. */
  readonly versions: ReadonlySet<number>
  /** Names of files below `_lake/actions`. */
  readonly actionFiles: ReadonlySet<string>
}

/** What the given lake versions need. The store must be settled. */
export async function neededBy(
  store: Store,
  head: LakeRecord,
  kept: readonly number[],
): Promise<Needed> {
  const spans = new Map<string, Span>()
  const versions = new Set(kept)
  const actionFiles = new Set<string>()
  const look = async (version: number): Promise<LakeRecord | undefined> => {
    const record = version === head.version ? head : await readRecord(store, version)
    if (record?.actionsFile) actionFiles.add(record.actionsFile.name)
    return record?.stub ? undefined : record
  }
  for (const version of kept) {
    const record = await look(version)
    if (record) widenSpans(spans, record)
    for (const { over } of Object.values(record?.tables ?? {})) {
      // A version that is kept may show the actions of one that is not.
      if (over === undefined || versions.has(over)) continue
      versions.add(over)
      await look(over)
    }
  }
  return { tables: await neededTables(store, head, spans), versions, actionFiles }
}

async function neededTables(
  store: Store,
  head: LakeRecord,
  spans: ReadonlyMap<string, Span>,
): Promise<Map<string, NeededTable>> {
  const needed = new Map<string, NeededTable>()
  for (const span of spans.values()) needed.set(span.path, await neededTable(store, span))
  for (const name of Object.keys(head.tables)) {
    const table = needed.get(head.tables[name]!.path)!
    table.snapshot = (await tableView(store, head, name)).snapshot
    for (const [key, file] of table.snapshot.files) table.files.set(key, file)
  }
  return needed
}

function widenSpans(spans: Map<string, Span>, record: LakeRecord): void {
  for (const { path, version, over } of Object.values(record.tables)) {
    const span = spans.get(path) ?? { path, first: version, last: version, over: false }
    span.first = Math.min(span.first, version)
    span.last = Math.max(span.last, version)
    span.over ||= over !== undefined
    spans.set(path, span)
  }
}

/**
 * Files live at any version of a span: those live just before its first one (a record may lay its own actions
 * over that), and everything added since, up to commits of others that the lake has not adopted yet.
 */
async function neededTable(store: Store, span: Span): Promise<NeededTable> {
  const start = await startOf(store, span)
  const table: NeededTable = {
    path: span.path,
    files: new Map(start?.files),
    later: new Set(),
    oldestVersion: Math.max(0, span.first - 1),
    snapshot: undefined,
    foreign: false,
    frozen: span.over || store.frozen.has(span.path) || (span.last >= 0 && !start),
  }
  try {
    for (let version = (start?.version ?? -1) + 1; ; version++) {
      const commit = await commitAt(store.files, tableDirectory(store, span.path), version)
      if (!commit) break
      for (const add of commit.adds) {
        if (version > span.last && !table.files.has(fileKey(add))) table.later.add(fileKey(add))
        table.files.set(fileKey(add), add)
      }
      table.foreign ||= isForeign(store, commit)
    }
  } catch (error) {
    if (!hasCode(error, 'CORRUPT_LOG')) throw error
    table.frozen = true
  }
  return table
}

async function startOf(store: Store, span: Span): Promise<Snapshot | undefined> {
  const before = span.first > 0 ? await deltaAt(store, span.path, span.first - 1) : undefined
  return before ?? deltaAt(store, span.path, span.first)
}

function isForeign(store: Store, commit: Commit): boolean {
  return !commit.txns.some((txn) => txn.appId === appIdOf(store.lakeId))
}
