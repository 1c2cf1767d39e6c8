/** An open lake: its identity, its log, and what this process already knows of them. */
import { join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { AddFile } from '../delta/actions.ts'
import type { RowTest } from '../delta/conflict.ts'
import { loadSnapshot, updateSnapshot } from '../delta/load.ts'
import type { Snapshot } from '../delta/replay.ts'
import type { Files } from '../files/files.ts'
import { findHead, nextRecords, noLake, readRecord, recordPath } from './lake-log.ts'
import type { LogContext } from './lake-log.ts'
import type { LakeRecord } from './record.ts'

/** Questions about rows that the protocol must ask; DuckDB answers them, or a double in model tests. */
export interface LakeData {
  /** Row tests over the table in a directory. */
  rowTest(directory: string): RowTest
  /** True if a key stands twice in the files, or is NULL. */
  repeatsKey(
    directory: string,
    snapshot: Snapshot,
    files: readonly AddFile[],
    key: readonly string[],
  ): Promise<boolean>
  /** Why files that others wrote do not fit the columns of the table; undefined if they do. */
  misfit(
    directory: string,
    snapshot: Snapshot,
    files: readonly AddFile[],
  ): Promise<string | undefined>
}

/** Durations by which history is kept, in milliseconds. */
export interface Retention {
  readonly versionsMs: number
  readonly filesMs: number
  readonly stagedMs: number
}

/** What a store is opened with. */
export interface StoreOptions {
  readonly root: string
  readonly files: Files
  readonly effects: Effects
  readonly data: LakeData
  readonly retention: Retention
}

/** A table that this process found frozen, and why. */
export interface Frozen {
  /** The Delta version of the commit that cannot be adopted. */
  readonly version: number
  /** That version is missing, and a later one is there. */
  readonly hole?: boolean
  readonly reason: string
}

/** Runs after an acknowledged commit. Its failure never fails the commit. */
export type CommitHook = (record: LakeRecord) => Promise<void>

/** Everything this process remembers of an open lake. Only caches: losing it loses nothing. */
export interface Store extends LogContext, StoreOptions {
  readonly lakeId: string
  /** The newest record seen. */
  head: LakeRecord
  /** The file of the head as it stood when it was read, to notice that a lake was replaced. */
  headFile: { readonly sizeBytes: number; readonly modifiedMs: number } | undefined
  /** The newest record that this process has settled: durable, and its Delta commits in place. */
  settled: number
  /** Newest snapshots by table path; a few older ones by `path@version`. */
  readonly snapshots: Map<string, Snapshot>
  /** Table paths whose log this process has listed, looking for holes. */
  readonly looked: Set<string>
  /** Tables that cannot be written, by path. */
  readonly frozen: Map<string, Frozen>
  /** Commits of this process go one after the other. */
  tail: Promise<unknown>
  /** What runs after a commit is acknowledged; a failure becomes a warning of the commit. */
  readonly hooks: CommitHook[]
}

/** Opens the lake in a directory. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const head = await findHead(options)
  if (!head) throw noLake(options.root)
  const store: Store = {
    ...options,
    lakeId: head.lakeId,
    head,
    headFile: undefined,
    settled: -1,
    snapshots: new Map(),
    looked: new Set(),
    frozen: new Map(),
    tail: Promise.resolve(),
    hooks: [],
  }
  await rememberHeadFile(store)
  return store
}

/** The application id by which Delta commits of a lake are recognised. */
export function appIdOf(lakeId: string): string {
  return `marketlake/${lakeId}`
}

/** The newest record. A few file-system calls when nothing changed. */
export async function refreshHead(store: Store): Promise<LakeRecord> {
  await checkNotReplaced(store)
  const head = await nextRecords(store, store.head)
  // Another look that began later may have seen more meanwhile: nobody goes back.
  if (head.version > store.head.version) {
    store.head = head
    await rememberHeadFile(store)
  }
  return store.head
}

async function rememberHeadFile(store: Store): Promise<void> {
  const { head } = store
  const stat = await store.files.stat(recordPath(store.root, head.version))
  if (store.head === head) store.headFile = stat
}

/** A lake that was restored from a backup has another record, or none, where ours was. */
async function checkNotReplaced(store: Store): Promise<void> {
  const { head, headFile } = store
  const now = await store.files.stat(recordPath(store.root, head.version))
  if (
    now &&
    headFile &&
    now.sizeBytes === headFile.sizeBytes &&
    now.modifiedMs === headFile.modifiedMs
  ) {
    return
  }
  const record = await readRecord(store, head.version)
  if (record?.txnId !== head.txnId) throw wentBack(store.root, head)
  if (store.head === head) store.headFile = now
}

function wentBack(root: string, head: LakeRecord): LakeError {
  return new LakeError(
    'LAKE_WENT_BACK',
    `version ${head.version} of the lake is no longer what it was`,
    {
      details: { directory: root, version: head.version, txnId: head.txnId },
      next: 'The lake was restored from a backup or replaced: open it again, and do not mix results.',
    },
  )
}

/** The record of a version that may be opened; an error that says why it may not. */
export async function openableRecord(store: Store, version: number): Promise<LakeRecord> {
  const head = await refreshHead(store)
  if (version === head.version) return head
  const record =
    version >= 0 && version < head.version ? await readRecord(store, version) : undefined
  if (!record) {
    throw new LakeError('VERSION_NOT_FOUND', `the lake has no version ${version}`, {
      details: { version, newest: head.version },
      next: `The newest version is ${head.version}, the oldest that can be opened ${head.horizon}.`,
    })
  }
  const tagged = Object.values(head.tags).some((tag) => tag.version === version)
  if (record.stub || (version < head.horizon && !tagged)) throw vacuumed(version, head)
  return record
}

/** The error for a version below the horizon. */
export function vacuumed(version: number, head: LakeRecord): LakeError {
  return new LakeError('VERSION_VACUUMED', `version ${version} of the lake is vacuumed`, {
    details: { version, horizon: head.horizon },
    next: `The oldest version kept is ${head.horizon}. A tag, a lease or a longer [retention] versions keeps one.`,
  })
}

/** The directory of a table. */
export function tableDirectory(store: Pick<Store, 'root'>, path: string): string {
  return join(store.root, ...path.split('/'))
}

/** Snapshots kept besides the newest of each table. */
const OLD_SNAPSHOTS_MAX = 64

/** A Delta version of a table, from memory or its log; undefined if the log does not reach it. */
export async function deltaAt(
  store: Store,
  path: string,
  version: number,
): Promise<Snapshot | undefined> {
  const known = knownSnapshot(store, path, version)
  if (known) return known
  const newest = store.snapshots.get(path)
  const directory = tableDirectory(store, path)
  const snapshot =
    newest && newest.version < version && version - newest.version < 50
      ? await updateSnapshot(store.files, directory, newest, version)
      : await loadOrUndefined(store, directory, version)
  if (snapshot?.version !== version) return undefined
  rememberSnapshot(store, path, snapshot)
  return snapshot
}

async function loadOrUndefined(
  store: Store,
  directory: string,
  version: number,
): Promise<Snapshot | undefined> {
  try {
    return await loadSnapshot(store.files, directory, version)
  } catch (error) {
    if (error instanceof LakeError && error.code === 'VERSION_NOT_FOUND') return undefined
    throw error
  }
}

/** A snapshot from memory. */
export function knownSnapshot(store: Store, path: string, version: number): Snapshot | undefined {
  const newest = store.snapshots.get(path)
  return newest?.version === version ? newest : store.snapshots.get(`${path}@${version}`)
}

/** Keeps a snapshot in memory, as the newest of its table or among the few older ones. */
export function rememberSnapshot(store: Store, path: string, snapshot: Snapshot): void {
  const newest = store.snapshots.get(path)
  if (!newest || newest.version <= snapshot.version) {
    store.snapshots.set(path, snapshot)
    return
  }
  const old = [...store.snapshots.keys()].filter((key) => key.includes('@'))
  if (old.length >= OLD_SNAPSHOTS_MAX) store.snapshots.delete(old[0]!)
  store.snapshots.set(`${path}@${snapshot.version}`, snapshot)
}
