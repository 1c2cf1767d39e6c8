/** Lake commits: stage on a settled base, test against what happened since, publish one record. */
import { LakeError, messageOf } from '../../model/errors.ts'
import type { Commit } from '../delta/actions.ts'
import { actionsOf } from '../delta/actions.ts'
import type { CommitMode } from '../delta/conflict.ts'
import { clash, freshFiles } from '../delta/conflict.ts'
import { checkAppendOnly, commitInfoOf } from '../delta/commit.ts'
import { mergedMetadata } from '../delta/metadata.ts'
import { filePath } from '../delta/paths.ts'
import type { Snapshot } from '../delta/replay.ts'
import { discardStaged, syncStaged } from '../delta/stage.ts'
import type { Database, Session } from '../parquet/database.ts'
import { publishRecord, readRecord, syncLog } from './lake-log.ts'
import type { Committed, LakeOutcome } from './outcome.ts'
import type { LakeRecord, TableCommit, TableEntry } from './record.ts'
import { rollForward } from './roll-forward.ts'
import { nextRecord, settle } from './settle.ts'
import type { Store } from './store.ts'
import { appIdOf, refreshHead } from './store.ts'
import type { TableWork } from './table-work.ts'
import { changeOf, hasActions, newWork } from './table-work.ts'
import { NeedsSettle, Transaction, restageOperation } from './transaction.ts'
import { tableView } from './view.ts'

/** How a lake commit is made. */
export interface CommitOptions {
  /** The `operation` of the record, for example `WRITE`, `SYNC`, `LOAD`. */
  readonly operation?: string
  readonly note?: string
  /** After this the outcome is `conflict` with reason `busy`. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 30_000
const ATTEMPTS_MAX = 10
const BACKOFF_MS = 20

/** Runs a callback and publishes what it staged, all tables in one record. */
export async function commitLake(
  store: Store,
  database: () => Promise<Database>,
  callback: (tx: Transaction) => Promise<void>,
  options: CommitOptions = {},
): Promise<LakeOutcome> {
  const deadlineMs = store.effects.now() + (options.timeoutMs ?? TIMEOUT_MS)
  const scope = new Set<string>()
  const session = await (await database()).connect()
  try {
    for (let attempt = 1; ; ) {
      const result = await attemptCommit(store, session, callback, options, scope, deadlineMs, attempt)
      if (result.kind === 'rescope') continue
      if (result.kind !== 'again') return result
      if (attempt++ >= ATTEMPTS_MAX) return { kind: 'conflict', reason: result.reason }
      await backOff(store, attempt)
    }
  } finally {
    await session.close()
  }
}

type Again = { readonly kind: 'again'; readonly reason: string }
type Rescope = { readonly kind: 'rescope' }

async function attemptCommit(
  store: Store,
  session: Session,
  callback: (tx: Transaction) => Promise<void>,
  options: CommitOptions,
  scope: Set<string>,
  deadlineMs: number,
  attempt: number,
): Promise<LakeOutcome | Again | Rescope> {
  const base = await settle(store, [...scope])
  const tx = new Transaction(store, session, base, scope)
  try {
    await callback(tx)
  } catch (error) {
    await discardWorks(store, tx.works.values())
    if (!(error instanceof NeedsSettle)) throw error
    scope.add(error.table)
    return { kind: 'rescope' }
  }
  if (!changesAnything(tx)) return unchanged(tx)
  return publishStaged(store, session, tx, options, deadlineMs, attempt)
}

function changesAnything(tx: Transaction): boolean {
  const { settings, tags } = tx.change
  const staged = [...tx.works.values()].some(hasActions)
  return staged || tx.dropped.size > 0 || settings !== undefined || tags !== undefined
}

/** Nothing to write: the version that was compared with stands for the result. */
function unchanged(tx: Transaction): Committed {
  const { version, txnId } = tx.base
  return { kind: 'committed', version, txnId, changed: false, counts: countsOf(tx.works), warnings: [] }
}

function countsOf(works: ReadonlyMap<string, TableWork>): Committed['counts'] {
  return Object.fromEntries([...works].map(([name, work]) => [name, work.counts]))
}

async function backOff(store: Store, attempt: number): Promise<void> {
  await store.effects.sleep(store.effects.random() * BACKOFF_MS * 2 ** Math.min(attempt, 6))
}

/** One in this process at a time: the others would only lose the race for the next version. */
async function publishStaged(
  store: Store,
  session: Session,
  tx: Transaction,
  options: CommitOptions,
  deadlineMs: number,
  attempt: number,
): Promise<LakeOutcome | Again> {
  for (const work of tx.works.values()) await syncStaged(store.files, work.directory, work.adds)
  return exclusively(store, async () => {
    const pending = { works: new Map(tx.works), restaged: attempt }
    try {
      return await publishLoop(store, session, tx, pending, options, deadlineMs)
    } catch (error) {
      await discardWorks(store, pending.works.values())
      throw error
    }
  })
}

async function exclusively<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const before = store.tail
  let release!: () => void
  store.tail = new Promise<void>((resolve) => (release = resolve))
  await before
  try {
    return await work()
  } finally {
    release()
  }
}

interface Pending {
  works: Map<string, TableWork>
  restaged: number
}

async function publishLoop(
  store: Store,
  session: Session,
  tx: Transaction,
  pending: Pending,
  options: CommitOptions,
  deadlineMs: number,
): Promise<LakeOutcome | Again> {
  const scope = [...new Set([...pending.works.keys(), ...tx.reads.keys()])]
  for (;;) {
    const head = await settle(store, scope)
    const verdict = await testHead(store, tx, pending, head)
    if (verdict.kind === 'callback') {
      await discardWorks(store, pending.works.values())
      return { kind: 'again', reason: verdict.reason }
    }
    if (verdict.kind === 'restage') {
      if (pending.restaged++ >= ATTEMPTS_MAX) return conflict(store, pending, verdict.reason, verdict.table)
      await backOff(store, pending.restaged)
      await restage(store, session, pending, head, verdict.table)
      continue
    }
    if (store.effects.now() > deadlineMs) return conflict(store, pending, 'busy')
    const outcome = await publishOnce(store, tx, pending, head, options)
    if (outcome) return outcome
  }
}

async function conflict(
  store: Store,
  pending: Pending,
  reason: string,
  table?: string,
): Promise<LakeOutcome> {
  await discardWorks(store, pending.works.values())
  return { kind: 'conflict', reason, ...(table !== undefined && { table }) }
}

type Verdict =
  | { readonly kind: 'free' }
  | { readonly kind: 'restage'; readonly table: string; readonly reason: string }
  | { readonly kind: 'callback'; readonly reason: string }

/** Tests everything written and read against a head that may have moved since the base. */
async function testHead(
  store: Store,
  tx: Transaction,
  pending: Pending,
  head: LakeRecord,
): Promise<Verdict> {
  for (const [table, entry] of tx.reads) {
    const reason = await readClash(store, tx.base, head, table, entry)
    if (reason !== undefined) return { kind: 'callback', reason }
  }
  for (const table of tx.dropped) {
    if (!head.tables[table]) return { kind: 'callback', reason: `table ${table} was dropped by another commit` }
  }
  for (const [table, work] of pending.works) {
    const reason = await writeClash(store, head, work)
    if (reason === undefined) continue
    return tx.reads.size > 0 ? { kind: 'callback', reason } : { kind: 'restage', table, reason }
  }
  return { kind: 'free' }
}

async function writeClash(
  store: Store,
  head: LakeRecord,
  work: TableWork,
): Promise<string | undefined> {
  const entry = head.tables[work.name]
  if (work.definition) return entry ? `table ${work.name} was created by another commit` : undefined
  if (!entry || entry.path !== work.path) return `table ${work.name} was dropped by another commit`
  if (!hasActions(work)) return undefined
  const { snapshot } = await tableView(store, head, work.name)
  const moved = snapshot.version !== work.base.version || entry.over !== undefined
  const reason = moved
    ? await clash(changeOf(work), work.base, snapshot, store.data.rowTest(work.directory))
    : undefined
  return reason ?? missingFiles(store, work)
}

/** A vacuum may have taken files of a transaction that slept for a day. */
async function missingFiles(store: Store, work: TableWork): Promise<string | undefined> {
  for (const add of work.adds) {
    const stat = await store.files.stat(filePath(work.directory, add.path))
    if (stat?.sizeBytes !== add.size) return `staged file ${add.path} is gone`
  }
  return undefined
}

/** A table that was read must not have changed in its rows; a compaction changes none. */
async function readClash(
  store: Store,
  base: LakeRecord,
  head: LakeRecord,
  table: string,
  entry: TableEntry,
): Promise<string | undefined> {
  const now = head.tables[table]
  if (now?.version === entry.version && now.path === entry.path) return undefined
  if (now?.path !== entry.path) return `table ${table}, which was read, was dropped`
  const before = (await tableView(store, base, table)).snapshot
  const after = (await tableView(store, head, table)).snapshot
  return rowsChanged(before, after) ? `table ${table}, which was read, changed` : undefined
}

function rowsChanged(before: Snapshot, after: Snapshot): boolean {
  if (freshFiles(before, after).some((file) => file.dataChange)) return true
  return [...before.files.keys()].some(
    (key) => !after.files.has(key) && after.tombstones.get(key)?.dataChange !== false,
  )
}

/** Stages the operations of one table again, on the head. */
async function restage(
  store: Store,
  session: Session,
  pending: Pending,
  head: LakeRecord,
  table: string,
): Promise<void> {
  const old = pending.works.get(table)!
  await discardWorks(store, [old])
  if (!head.tables[table]) {
    throw new LakeError('WRITE_CONFLICT', `table ${table} was dropped while it was written`, {
      details: { table },
    })
  }
  const view = await tableView(store, head, table)
  let work = newWork({ ...view, base: view.snapshot })
  for (const operation of old.operations) work = await restageOperation(store, session, work, operation)
  await syncStaged(store.files, work.directory, work.adds)
  pending.works.set(table, work)
}

/** Best effort: what is left behind is an orphan that no log names. */
async function discardWorks(store: Store, works: Iterable<TableWork>): Promise<void> {
  for (const work of works) {
    await discardStaged(store.files, work.directory, work.adds)
    if (work.definition) await store.files.remove(work.directory).catch(() => false)
  }
}

/** One try for head + 1: undefined if somebody else was first. After the link nothing throws. */
async function publishOnce(
  store: Store,
  tx: Transaction,
  pending: Pending,
  head: LakeRecord,
  options: CommitOptions,
): Promise<LakeOutcome | undefined> {
  if (![...pending.works.values()].some(hasActions) && !changesLake(tx)) {
    return { ...unchanged(tx), version: head.version, txnId: head.txnId, counts: countsOf(pending.works) }
  }
  const record = await buildRecord(store, tx, pending.works, head, options)
  if ((await publishRecord(store, record)) === 'exists') return undefined
  try {
    await syncLog(store)
  } catch (error) {
    const { version, txnId } = record
    return { kind: 'unknown', version, txnId, reason: messageOf(error) }
  }
  const warnings = [...(await follow(store, record)), ...(await runHooks(store, record))]
  const { version, txnId } = record
  return { kind: 'committed', version, txnId, changed: true, counts: countsOf(pending.works), warnings }
}

function changesLake(tx: Transaction): boolean {
  return tx.dropped.size > 0 || tx.change.settings !== undefined || tx.change.tags !== undefined
}

/** The record is committed; from here on a failure is only a delay for Delta readers. */
async function follow(store: Store, record: LakeRecord): Promise<string[]> {
  try {
    const { tables } = await rollForward(store, record)
    await refreshHead(store)
    const inPlace = Object.entries(tables).every(
      ([name, entry]) => record.tables[name]?.version === entry.version && entry.over === undefined,
    )
    if (inPlace) store.settled = record.version
    return []
  } catch (error) {
    return [`the Delta logs are behind until the next commit: ${messageOf(error)}`]
  }
}

async function runHooks(store: Store, record: LakeRecord): Promise<string[]> {
  const warnings: string[] = []
  for (const hook of store.hooks) {
    try {
      await hook(record)
    } catch (error) {
      warnings.push(messageOf(error))
    }
  }
  return warnings
}

async function buildRecord(
  store: Store,
  tx: Transaction,
  works: ReadonlyMap<string, TableWork>,
  head: LakeRecord,
  options: CommitOptions,
): Promise<LakeRecord> {
  const next = nextRecord(store, head, options.operation ?? 'WRITE')
  const tables: Record<string, TableEntry> = { ...head.tables }
  for (const table of tx.dropped) delete tables[table]
  const commits: TableCommit[] = []
  for (const work of works.values()) {
    if (!hasActions(work)) continue
    const commit = await buildCommit(store, head, next, work)
    commits.push(commit)
    tables[work.name] = { path: work.path, version: commit.version }
  }
  const { units, settings, tags } = tx.change
  return {
    ...next,
    ...(options.note !== undefined && { note: options.note }),
    tables,
    tags: tags ? mergeTags(head.tags, tags) : head.tags,
    settings: settings ? { ...head.settings, ...settings } : head.settings,
    units: units ?? [],
    commits,
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
  const now = work.definition ? work.base : (await tableView(store, head, work.name)).snapshot
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

/** The record in which a transaction id stands, looking back from the head; undefined if it is in none kept. */
export async function findTransaction(store: Store, txnId: string): Promise<LakeRecord | undefined> {
  let record: LakeRecord | undefined = await refreshHead(store)
  while (record && record.txnId !== txnId) {
    record = record.version > 0 ? await readRecord(store, record.version - 1) : undefined
  }
  return record
}
