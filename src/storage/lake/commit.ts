/** Lake commits: stage on a settled base, test against what happened since, publish one record. */
import { LakeError, hasCode, messageOf } from '../../model/errors.ts'
import { discardWritten, syncStaged } from '../delta/stage.ts'
import type { Database, Session } from '../parquet/database.ts'
import { buildRecord } from './build-record.ts'
import { testHead } from './head-test.ts'
import { publishRecord, readRecord, syncLog } from './lake-log.ts'
import type { Committed, LakeOutcome, Unknown } from './outcome.ts'
import type { LakeRecord } from './record.ts'
import { rollForward } from './roll-forward.ts'
import { settle } from './settle.ts'
import type { Store } from './store.ts'
import { refreshHead } from './store.ts'
import type { TableWork } from './table-work.ts'
import { changesTable, newWork } from './table-work.ts'
import { NeedsSettle, Transaction, restageOperation } from './transaction.ts'
import { tableView } from './view.ts'

/** How a lake commit is made. */
export interface CommitOptions {
  /** The `operation` of the record, for example `WRITE`, `SYNC`, `LOAD`. */
  readonly operation?: string
  readonly note?: string
  /** Losing the race for the next version for longer than this is a `conflict` with reason `busy`; staging does not count. */
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
  const scope = new Set<string>()
  const session = await (await database()).connect()
  try {
    for (let attempt = 1; ;) {
      const result = await attemptCommit(store, session, callback, options, scope, attempt).catch(
        busyConflict,
      )
      if (result.kind === 'rescope') continue
      if (result.kind !== 'again') return result
      if (attempt++ >= ATTEMPTS_MAX) return { kind: 'conflict', reason: result.reason }
      await backOff(store, attempt)
    }
  } finally {
    await session.close()
  }
}

/** Who never gets a turn beside a busy writer, in the lake or in a Delta log, has changed nothing. */
function busyConflict(error: unknown): LakeOutcome {
  if (!hasCode(error, 'WRITE_CONFLICT')) throw error
  return { kind: 'conflict', reason: error.message }
}

type Again = { readonly kind: 'again'; readonly reason: string }
type Rescope = { readonly kind: 'rescope' }

async function attemptCommit(
  store: Store,
  session: Session,
  callback: (tx: Transaction) => Promise<void>,
  options: CommitOptions,
  scope: Set<string>,
  attempt: number,
): Promise<LakeOutcome | Again | Rescope> {
  const base = await settle(store, [...scope])
  const tx = new Transaction(store, session, base, scope)
  try {
    await callback(tx)
  } catch (error) {
    await discardWorks(store, tx.works.values())
    if (isStagedLost(error)) return { kind: 'again', reason: error.message }
    if (!(error instanceof NeedsSettle)) throw error
    scope.add(error.table)
    return { kind: 'rescope' }
  }
  if (!changesAnything(tx)) return unchanged(tx)
  return publishStaged(store, session, tx, options, attempt)
}

function changesAnything(tx: Transaction): boolean {
  const { settings, tags } = tx.change
  const staged = [...tx.works.values()].some(changesTable)
  return staged || tx.dropped.size > 0 || settings !== undefined || tags !== undefined
}

/** Nothing to write: the version that was compared with stands for the result. */
function unchanged(tx: Transaction): Committed {
  const { version, txnId } = tx.base
  return {
    kind: 'committed',
    version,
    txnId,
    changed: false,
    counts: countsOf(tx.works),
    warnings: [],
  }
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
  attempt: number,
): Promise<LakeOutcome | Again> {
  return exclusively(store, async () => {
    const pending = { works: new Map(tx.works), restaged: attempt }
    try {
      // Tables beside each other: what follows names all of them, and begins when all of them are durable.
      const works = [...tx.works.values()]
      await Promise.all(
        works.map(({ directory, adds }) => syncStaged(store.files, directory, adds)),
      )
      return await publishLoop(store, session, tx, pending, options)
    } catch (error) {
      if (error instanceof UnknownOutcome) return error.outcome
      await discardWorks(store, pending.works.values())
      if (isStagedLost(error)) return { kind: 'again', reason: error.message }
      throw error
    }
  })
}

/** A vacuum took a staged file while this process slept: nothing is published yet, so all of it is done again. */
function isStagedLost(error: unknown): error is LakeError {
  return hasCode(error, 'WRITE_CONFLICT') && error.details['staged'] === true
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
): Promise<LakeOutcome | Again> {
  const scope = [...new Set([...pending.works.keys(), ...tx.reads.keys()])]
  const { timeoutMs = TIMEOUT_MS } = options
  let deadlineMs = store.effects.now() + timeoutMs
  for (;;) {
    const head = await settle(store, scope)
    const verdict = await testHead(store, tx, pending.works, head)
    if (verdict.kind === 'callback') {
      await discardWorks(store, pending.works.values())
      return { kind: 'again', reason: verdict.reason }
    }
    if (verdict.kind === 'restage') {
      if (pending.restaged++ >= ATTEMPTS_MAX)
        return conflict(store, pending, verdict.reason, verdict.table)
      await backOff(store, pending.restaged)
      await restage(store, session, pending, head, verdict.table)
      deadlineMs = store.effects.now() + timeoutMs
      continue
    }
    const outcome = await publishOnce(store, tx, pending, head, options)
    if (outcome) return outcome
    if (store.effects.now() > deadlineMs) return conflict(store, pending, 'busy')
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
  for (const operation of old.operations)
    work = await restageOperation(store, session, work, operation)
  await syncStaged(store.files, work.directory, work.adds)
  pending.works.set(table, work)
}

/** Best effort: what is left behind is an orphan that no log names. */
async function discardWorks(store: Store, works: Iterable<TableWork>): Promise<void> {
  for (const work of works) {
    await discardWritten(store.files, work.directory, work.written)
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
  if (![...pending.works.values()].some(changesTable) && !changesLake(tx)) {
    return {
      ...unchanged(tx),
      version: head.version,
      txnId: head.txnId,
      counts: countsOf(pending.works),
    }
  }
  const record = await buildRecord(store, tx, pending.works, head, options)
  try {
    if ((await publishRecord(store, record)) === 'exists') return undefined
  } catch (error) {
    if (!(await isPublished(store, record, error))) throw error
  }
  try {
    await syncLog(store)
  } catch (error) {
    return unknown(record, error)
  }
  const warnings = [...(await follow(store, record)), ...(await runHooks(store, record))]
  const { version, txnId } = record
  return {
    kind: 'committed',
    version,
    txnId,
    changed: true,
    counts: countsOf(pending.works),
    warnings,
  }
}

/** An error of the publication itself: only the log can tell whether the record is there. */
async function isPublished(store: Store, record: LakeRecord, error: unknown): Promise<boolean> {
  try {
    return (await readRecord(store, record.version))?.txnId === record.txnId
  } catch {
    throw new UnknownOutcome(unknown(record, error))
  }
}

function unknown(record: LakeRecord, error: unknown): Unknown {
  const { version, txnId } = record
  return { kind: 'unknown', version, txnId, reason: messageOf(error) }
}

/** Carries an unknown outcome past the clean-up: files of a commit that may be there must stay. */
class UnknownOutcome extends Error {
  readonly outcome: Unknown

  constructor(outcome: Unknown) {
    super(outcome.reason)
    this.outcome = outcome
  }
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
