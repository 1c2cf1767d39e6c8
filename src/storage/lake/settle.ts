/** Settle: makes the head a base to build on. Durable, its Delta commits in place, foreign commits adopted. */
import { join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import { VERSION } from '../../model/version.ts'
import type { Commit } from '../delta/actions.ts'
import { commitAt } from '../delta/load.ts'
import { LOG_DIRECTORY } from '../delta/names.ts'
import { listLog } from '../delta/segment.ts'
import { describeForeign, inspectForeign } from './foreign.ts'
import { publishRecord, syncLog } from './lake-log.ts'
import type { ForeignCommit, LakeRecord, TableEntry } from './record.ts'
import { rollForward } from './roll-forward.ts'
import type { RolledForward } from './roll-forward.ts'
import type { Store } from './store.ts'
import { appIdOf, deltaAt, refreshHead, rememberSnapshot, tableDirectory } from './store.ts'

/** Rounds of losing the head to other writers before a settle gives up. */
const ROUNDS_MAX = 1000

/**
 * Brings lake and tables together and returns the head. Foreign commits are looked for once, and only in
 * `tables`: a busy foreign writer must not keep it from ending.
 */
export async function settle(store: Store, tables: readonly string[]): Promise<LakeRecord> {
  let looked = false
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const head = await refreshHead(store)
    let state = await finishHead(store, head)
    if (!looked) state = await foreignTail(store, head, state, tables)
    looked = true
    const newest = await refreshHead(store)
    if (newest.version !== head.version) continue
    if (sameMapping(state.tables, head.tables)) {
      store.settled = head.version
      return head
    }
    await publishRecord(store, adoptRecord(store, head, state))
  }
  throw new LakeError('WRITE_CONFLICT', `the lake moved ${ROUNDS_MAX} times while it was settled`)
}

/** Seen is not durable: nothing may follow from a record before its name is on disk. */
async function finishHead(store: Store, head: LakeRecord): Promise<RolledForward> {
  if (store.settled === head.version) return { tables: head.tables, foreign: [] }
  await syncLog(store)
  return rollForward(store, head)
}

/** Foreign commits beyond the mapped versions, made durable before a record may name them. */
async function foreignTail(
  store: Store,
  head: LakeRecord,
  state: RolledForward,
  names: readonly string[],
): Promise<RolledForward> {
  const tables: Record<string, TableEntry> = { ...state.tables }
  const foreign: ForeignCommit[] = [...state.foreign]
  for (const name of names) {
    const entry = tables[name]
    if (!entry || entry.over !== undefined) continue
    const found = await tailOf(store, head, name, entry)
    if (found.length === 0) continue
    await store.files.sync(join(tableDirectory(store, entry.path), LOG_DIRECTORY))
    tables[name] = { ...entry, version: entry.version + found.length }
    foreign.push(...found)
  }
  return { tables, foreign }
}

async function tailOf(
  store: Store,
  head: LakeRecord,
  name: string,
  entry: TableEntry,
): Promise<ForeignCommit[]> {
  const directory = tableDirectory(store, entry.path)
  await lookForHole(store, directory, entry)
  const found: ForeignCommit[] = []
  for (const [i, commit] of (await readTail(store, directory, entry)).entries()) {
    const version = entry.version + 1 + i
    if (isLakeCommit(store, commit)) {
      await checkHeadMoved(store, head, name, version)
      break
    }
    if (!(await adopt(store, directory, entry, version, commit))) break
    found.push(describeForeign(name, version, commit))
  }
  return found
}

/** What is there now, read before any of it is judged: a busy writer would else always have one more. */
async function readTail(store: Store, directory: string, entry: TableEntry): Promise<Commit[]> {
  const tail: Commit[] = []
  for (;;) {
    const commit = await readForeign(store, directory, entry, entry.version + 1 + tail.length)
    if (!commit) return tail
    tail.push(commit)
  }
}

/** A commit that cannot even be parsed freezes its table; one that is gone again, and a hole that is filled, do not. */
async function readForeign(
  store: Store,
  directory: string,
  entry: TableEntry,
  version: number,
): Promise<Commit | undefined> {
  try {
    const commit = await commitAt(store.files, directory, version)
    const frozen = store.frozen.get(entry.path)
    const filled = commit !== undefined && frozen?.hole === true
    const gone = commit === undefined && frozen?.hole !== true
    if ((filled || gone) && frozen?.version === version) store.frozen.delete(entry.path)
    return commit
  } catch (error) {
    if (!(error instanceof LakeError) || error.code !== 'CORRUPT_LOG') throw error
    store.frozen.set(entry.path, { version, reason: error.message })
    return undefined
  }
}

async function adopt(
  store: Store,
  directory: string,
  entry: TableEntry,
  version: number,
  commit: Commit,
): Promise<boolean> {
  if (store.frozen.get(entry.path)?.version === version) return false
  const before = await deltaAt(store, entry.path, version - 1)
  if (!before) return false
  const inspection = await inspectForeign(store, directory, before, version, commit)
  if (inspection.kind === 'adoptable') {
    rememberSnapshot(store, entry.path, inspection.snapshot)
    return true
  }
  store.frozen.set(entry.path, { version, reason: inspection.reason })
  return false
}

/** Listing shows holes that probing the next version would take for the end of the log. */
async function lookForHole(store: Store, directory: string, entry: TableEntry): Promise<void> {
  if (store.looked.has(entry.path)) return
  const listing = await listLog(store.files, directory)
  const beyond = (listing?.commits ?? []).filter((version) => version > entry.version)
  const hole = beyond.find((version, i) => version !== entry.version + 1 + i)
  if (hole !== undefined) {
    const missing = beyond.indexOf(hole) + entry.version + 1
    store.frozen.set(entry.path, {
      version: missing,
      hole: true,
      reason: `version ${missing} is missing from its log`,
    })
  }
  store.looked.add(entry.path)
}

/**
 * True if something stands behind the mapped version of a table, so that the lake must be settled before one builds
 * on it. Asked of the head that this process has settled, "nothing" says what a settle of this table would say.
 */
export async function hasTail(store: Store, head: LakeRecord, name: string): Promise<boolean> {
  const entry = head.tables[name]
  if (!entry || entry.over !== undefined) return false
  const directory = tableDirectory(store, entry.path)
  await lookForHole(store, directory, entry)
  return (await readForeign(store, directory, entry, entry.version + 1)) !== undefined
}

function isLakeCommit(store: Store, commit: Commit): boolean {
  return commit.txns.some((txn) => txn.appId === appIdOf(store.lakeId))
}

/** A Delta commit of this lake beyond the head belongs to a newer record, or to a copy of the lake. */
async function checkHeadMoved(
  store: Store,
  head: LakeRecord,
  table: string,
  version: number,
): Promise<void> {
  if ((await refreshHead(store)).version !== head.version) return
  throw new LakeError(
    'LAKE_DIVERGED',
    `version ${version} of ${table} was written by a copy of this lake, or by records that are gone`,
    {
      details: { table, version, lakeVersion: head.version },
      next: 'Stop writing, find the other copy of the lake, then run `marketlake doctor --fix` on the one to keep.',
    },
  )
}

function sameMapping(
  a: Readonly<Record<string, TableEntry>>,
  b: Readonly<Record<string, TableEntry>>,
): boolean {
  return Object.entries(a).every(([name, entry]) => {
    const other = b[name]
    return (
      other?.version === entry.version && other.over === entry.over && other.path === entry.path
    )
  })
}

function adoptRecord(store: Store, head: LakeRecord, state: RolledForward): LakeRecord {
  const { foreign } = state
  const names = [...new Set(foreign.map((f) => f.table))]
  return {
    ...nextRecord(store, head, 'ADOPT'),
    tables: state.tables,
    ...(foreign.length > 0 && { foreign, note: `commits of other engines: ${names.join(', ')}` }),
  }
}

/** A record that carries the state of the head on, without commits. */
export function nextRecord(store: Store, head: LakeRecord, operation: string): LakeRecord {
  return {
    marketlake: head.marketlake,
    requires: head.requires,
    lakeId: head.lakeId,
    version: head.version + 1,
    txnId: store.effects.uuid(),
    timestamp: Math.max(Math.floor(store.effects.now()), head.timestamp + 1),
    operation,
    tables: head.tables,
    tags: head.tags,
    horizon: head.horizon,
    ...(head.stagedBefore !== undefined && { stagedBefore: head.stagedBefore }),
    settings: head.settings,
    engine: `marketlake/${VERSION}`,
    units: [],
    commits: [],
  }
}
