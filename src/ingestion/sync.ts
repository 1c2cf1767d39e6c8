/** Sync: plans batches, fetches and checks them, and commits each in one lake version. */
import { LakeError, messageOf } from '../model/errors.ts'
import type { RowCounts } from '../storage/delta/stage.ts'
import { addCounts, noRows } from '../storage/delta/stage.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Unit } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Row } from '../storage/parquet/values.ts'
import type { Batch, CollectedTable, Collector } from './collector.ts'
import type { EventSink } from './events.ts'
import { lakeFacts } from './facts.ts'
import { createHttp } from './http.ts'
import { sourceMemory, sourcesDirectory } from './memory.ts'
import type { Fetch, Http, SourceSettings } from './http.ts'
import { COMPLETE, finishedUnits, startJournal, unitKey } from './journal.ts'
import type { Journal } from './journal.ts'
import { createPace } from './pace.ts'
import { storeTable } from './store-table.ts'

/** What a sync needs of a lake. */
export interface SyncContext {
  readonly store: Store
  readonly write: (
    note: string,
    callback: (tx: Transaction) => Promise<void>,
    options: { readonly operation: string },
  ) => Promise<LakeOutcome>
  /** Runs a SELECT over a table of the head, `FROM rows`; no rows if the lake has no such table. */
  readonly read: <T extends Row>(table: string, sql: string) => Promise<T[]>
}

/** A source with its settings. */
export interface SyncSource {
  readonly collector: Collector
  readonly settings: SourceSettings
}

/** What to sync. */
export interface SyncOptions {
  readonly sources: readonly SyncSource[]
  /** Only these tables. */
  readonly tables?: readonly string[]
  /** Report periods from here on, by default the last eight. */
  readonly since?: string
  readonly until?: string
  /** Only these symbols; then units do not count as fetched whole. */
  readonly symbols?: readonly string[]
  /** At most so many batches. */
  readonly limit?: number
  /** Fetch everything again, also what an unfinished run has done. */
  readonly restart?: boolean
  readonly dryRun?: boolean
  /** Aborted: finish and commit the batch that is under way, take no other. */
  readonly signal?: AbortSignal
  readonly onEvent?: EventSink
  readonly fetch?: Fetch
}

/** A unit that could not be stored. */
export interface FailedUnit {
  readonly source: string
  readonly table: string
  readonly period: string
  readonly code: string
  readonly message: string
  /** What to do about it. */
  readonly next?: string
}

/** How a sync ended. */
export interface SyncResult {
  readonly outcome: 'committed' | 'unchanged' | 'partial' | 'conflict' | 'unknown' | 'failed'
  /** The last version committed; null when nothing changed. */
  readonly version: number | null
  readonly txnId: string | null
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly failed: readonly FailedUnit[]
  readonly batches: number
  /** Batches that an unfinished run had done before. */
  readonly skipped: number
  /** Batches that were not begun because the sync was stopped. */
  readonly left: number
  readonly requests: number
  readonly commits: number
  readonly addedColumns: readonly string[]
}

/** A plan: what would be fetched, and how long that takes at the configured pace. */
export interface SyncPlan {
  readonly batches: readonly (Batch & { readonly source: string })[]
  readonly skipped: number
  readonly requests: number
  readonly minutes: number
}

/** Plans a sync: batches that an unfinished run has done are left out. */
export async function planSync(context: SyncContext, options: SyncOptions): Promise<SyncPlan> {
  const batches: (Batch & { source: string })[] = []
  let skipped = 0
  let minutes = 0
  for (const { collector, settings } of options.sources) {
    const wanted = await wantedBatches(context, collector, options)
    const done = options.restart
      ? new Set<string>()
      : await finishedUnits(context.store, collector.source)
    const open = wanted.filter((batch) => !isDone(collector.source, batch, done))
    skipped += wanted.length - open.length
    batches.push(...open.map((batch) => ({ ...batch, source: collector.source })))
    minutes += (open.reduce((sum, b) => sum + b.requests, 0) * settings.paceMs) / 60_000
  }
  const taken = batches.slice(0, options.limit ?? batches.length)
  const requests = taken.reduce((sum, batch) => sum + batch.requests, 0)
  return { batches: taken, skipped, requests, minutes: Math.ceil(minutes) }
}

async function wantedBatches(
  context: SyncContext,
  collector: Collector,
  options: SyncOptions,
): Promise<readonly Batch[]> {
  const facts = lakeFacts(context, collector.source)
  return collector.batches({
    tables: options.tables ?? collector.defaultTables ?? collector.tables,
    ...facts,
    ...(options.since !== undefined && { since: options.since }),
    ...(options.until !== undefined && { until: options.until }),
    ...(options.symbols && { symbols: options.symbols }),
  })
}

function isDone(source: string, batch: Batch, done: ReadonlySet<string>): boolean {
  return batch.tables.every((table) => done.has(unitKey({ source, table, period: batch.period })))
}

interface Run {
  readonly context: SyncContext
  readonly options: SyncOptions
  readonly onEvent: EventSink
  readonly journals: Map<string, Journal>
  readonly https: Map<string, Http>
  readonly signal: AbortSignal
  counts: RowCounts
  readonly failed: FailedUnit[]
  readonly addedColumns: Set<string>
  version: number | null
  txnId: string | null
  commits: number
  done: number
  /** A commit ended without being committed: nothing more is begun. */
  stopped: 'conflict' | 'unknown' | 'failed' | undefined
}

/** Runs a sync. It throws only before anything is begun; later failures stand in the result. */
export async function sync(context: SyncContext, options: SyncOptions): Promise<SyncResult> {
  const plan = await planSync(context, options)
  const run = newRun(context, options)
  run.onEvent({
    type: 'plan',
    batches: plan.batches.length,
    requests: plan.requests,
    skipped: plan.skipped,
  })
  let begun = 0
  for (const batch of plan.batches) {
    if (run.signal.aborted || run.stopped) break
    begun++
    await runBatch(run, batch)
  }
  const result = resultOf(run, plan, begun)
  await finishJournals(run, result)
  run.onEvent({
    type: 'end',
    outcome: result.outcome,
    done: run.done,
    failed: run.failed.length,
    left: result.left,
  })
  return result
}

function newRun(context: SyncContext, options: SyncOptions): Run {
  return {
    context,
    options,
    onEvent: options.onEvent ?? (() => undefined),
    journals: new Map(),
    https: new Map(),
    signal: options.signal ?? new AbortController().signal,
    counts: noRows,
    failed: [],
    addedColumns: new Set(),
    version: null,
    txnId: null,
    commits: 0,
    done: 0,
    stopped: undefined,
  }
}

async function runBatch(run: Run, batch: SyncPlan['batches'][number]): Promise<void> {
  const { source, period, tables } = batch
  const journal = await journalOf(run, source)
  run.onEvent({ type: 'start', source, period, tables })
  try {
    const collected = await collect(run, batch)
    const outcome = await store(run, batch, collected)
    await settleBatch(run, batch, collected, outcome, journal)
  } catch (error) {
    if (isInterrupt(error)) return
    await failBatch(run, batch, error, journal)
  }
}

/** The first interruption lets a batch finish; only a second one, or a lost connection to it, ends it. */
function isInterrupt(error: unknown): boolean {
  return error instanceof LakeError && error.code === 'CANCELLED'
}

async function journalOf(run: Run, source: string): Promise<Journal> {
  const known = run.journals.get(source)
  if (known) return known
  const journal = await startJournal(run.context.store, source)
  run.journals.set(source, journal)
  return journal
}

async function collect(
  run: Run,
  batch: SyncPlan['batches'][number],
): Promise<readonly CollectedTable[]> {
  const { collector, settings } = run.options.sources.find(
    (s) => s.collector.source === batch.source,
  )!
  const { effects, files } = run.context.store
  const directory = await sourcesDirectory(run.context.store)
  const signal = new AbortController().signal
  const http =
    run.https.get(batch.source) ??
    createHttp({
      source: batch.source,
      settings,
      effects,
      signal,
      onEvent: run.onEvent,
      pace: createPace({ effects, files, directory }),
      ...(run.options.fetch && { fetch: run.options.fetch }),
    })
  run.https.set(batch.source, http)
  const memory = sourceMemory(files, directory, batch.source)
  return collector.collect(batch, {
    http,
    memory,
    signal,
    onEvent: run.onEvent,
    nowMs: effects.now(),
    ...(run.options.symbols && { symbols: new Set(run.options.symbols) }),
  })
}

/** All tables of the batch in one lake commit. */
function store(
  run: Run,
  batch: SyncPlan['batches'][number],
  collected: readonly CollectedTable[],
): Promise<LakeOutcome> {
  const { collector } = run.options.sources.find((s) => s.collector.source === batch.source)!
  const whole = run.options.symbols === undefined
  return run.context.write(
    `${batch.source} ${batch.period}`,
    async (tx) => {
      const units: Unit[] = []
      for (const item of collected) {
        const rows = await storeTable(tx, item, collector.dated, run.addedColumns)
        units.push({ source: batch.source, table: item.table, period: batch.period, rows })
      }
      if (whole) tx.change = { units }
    },
    { operation: 'SYNC' },
  )
}

function unitsOf(batch: SyncPlan['batches'][number], collected: readonly CollectedTable[]): Unit[] {
  return collected.map(({ table, rows }) => ({
    source: batch.source,
    table,
    period: batch.period,
    rows: rows.length,
  }))
}

async function settleBatch(
  run: Run,
  batch: SyncPlan['batches'][number],
  collected: readonly CollectedTable[],
  outcome: LakeOutcome,
  journal: Journal,
): Promise<void> {
  if (outcome.kind !== 'committed') {
    run.stopped = outcome.kind
    if (outcome.kind === 'unknown') [run.version, run.txnId] = [outcome.version, outcome.txnId]
    await failBatch(run, batch, new LakeError('WRITE_CONFLICT', outcome.reason), journal)
    return
  }
  const counts = Object.values(outcome.counts).reduce(addCounts, noRows)
  run.counts = addCounts(run.counts, counts)
  run.done++
  if (outcome.changed) {
    run.commits++
    run.version = outcome.version
    run.txnId = outcome.txnId
  }
  const checkedMs = Math.floor(run.context.store.effects.now())
  if (run.options.symbols === undefined) {
    for (const unit of unitsOf(batch, collected)) {
      await journal.write({ type: 'unit', ...unit, changed: outcome.changed, checkedMs })
    }
  }
  const warnings = [...collected.flatMap((c) => c.warnings), ...outcome.warnings]
  for (const message of warnings) run.onEvent({ type: 'warning', message })
  const { source, period, tables } = batch
  run.onEvent({
    type: outcome.changed ? 'committed' : 'unchanged',
    source,
    period,
    tables,
    version: outcome.version,
    inserted: counts.inserted,
    updated: counts.updated,
    unchanged: counts.unchanged,
    timeMs: checkedMs,
  })
}

const HOPELESS = new Set(['SOURCE_UNAVAILABLE', 'IO_ERROR'])

async function failBatch(
  run: Run,
  batch: SyncPlan['batches'][number],
  error: unknown,
  journal: Journal,
): Promise<void> {
  const { source, period, tables } = batch
  const code = error instanceof LakeError ? error.code : 'INTERNAL'
  const message = messageOf(error)
  const next = error instanceof LakeError ? error.next : undefined
  const timeMs = Math.floor(run.context.store.effects.now())
  for (const table of tables) {
    run.failed.push({ source, table, period, code, message, ...(next !== undefined && { next }) })
    await journal.write({ type: 'failed', source, table, period, code, message, timeMs })
  }
  run.onEvent({ type: 'failed', source, period, tables, code, message })
  // A source that cannot be reached, and a disk that is full, fail every further batch in the same way.
  const final = error instanceof LakeError && error.details['final'] === true
  if (final || HOPELESS.has(code)) run.stopped ??= 'failed'
}

function resultOf(run: Run, plan: SyncPlan, begun: number): SyncResult {
  const { inserted, updated, unchanged } = run.counts
  return {
    outcome: outcomeOf(run),
    version: run.version,
    txnId: run.txnId,
    inserted,
    updated,
    unchanged,
    failed: run.failed,
    batches: plan.batches.length,
    skipped: plan.skipped,
    left: plan.batches.length - begun,
    requests: [...run.https.values()].reduce((sum, http) => sum + http.requests(), 0),
    commits: run.commits,
    addedColumns: [...run.addedColumns],
  }
}

function outcomeOf(run: Run): SyncResult['outcome'] {
  if (run.stopped === 'unknown') return 'unknown'
  if (run.failed.length > 0 && run.done > 0) return 'partial'
  if (run.stopped === 'conflict') return 'conflict'
  if (run.failed.length > 0) return 'failed'
  return run.commits > 0 ? 'committed' : 'unchanged'
}

async function finishJournals(run: Run, result: SyncResult): Promise<void> {
  const complete = result.left === 0 && result.failed.length === 0 && !run.signal.aborted
  const outcome = complete ? COMPLETE : result.left > 0 ? 'interrupted' : result.outcome
  const timeMs = Math.floor(run.context.store.effects.now())
  for (const journal of run.journals.values()) await journal.write({ type: 'end', outcome, timeMs })
}
