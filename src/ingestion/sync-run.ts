/** A sync under way: what it has counted, and how it ends. */
import type { RowCounts } from '../storage/delta/stage.ts'
import { noRows } from '../storage/delta/stage.ts'
import type { EventSink, ThinPeriod } from './events.ts'
import type { Http } from './http.ts'
import { createHttp } from './http.ts'
import { COMPLETE, startJournal } from './journal.ts'
import type { Journal } from './journal.ts'
import { sourcesDirectory } from './memory.ts'
import { createPace } from './pace.ts'
import type {
  FailedUnit,
  SyncContext,
  SyncOptions,
  SyncPlan,
  SyncResult,
  SyncSource,
} from './sync-options.ts'

/** What the batches of one sync have in common. */
export interface Run {
  readonly context: SyncContext
  readonly options: SyncOptions
  readonly onEvent: EventSink
  /** In `_lake`, what sources have in common between processes. */
  readonly directory: string
  readonly journals: Map<string, Promise<Journal>>
  readonly https: Map<string, Http>
  readonly signal: AbortSignal
  counts: RowCounts
  readonly failed: FailedUnit[]
  readonly addedColumns: Set<string>
  version: number | null
  txnId: string | null
  commits: number
  done: number
  /** Batches of which nothing was stored. */
  undone: number
  /** A commit ended without being committed: nothing more is begun. */
  stopped: 'conflict' | 'unknown' | 'failed' | undefined
}

/** Begins a run. */
export async function newRun(context: SyncContext, options: SyncOptions): Promise<Run> {
  return {
    context,
    options,
    onEvent: options.onEvent ?? (() => undefined),
    directory: await sourcesDirectory(context.store),
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
    undone: 0,
    stopped: undefined,
  }
}

/** The source of a batch. */
export function sourceOf({ options }: Run, name: string): SyncSource {
  return options.sources.find((source) => source.collector.source === name)!
}

/** The journal of a source in this run. */
export function journalOf(run: Run, source: string): Promise<Journal> {
  const journal = run.journals.get(source) ?? startJournal(run.context.store, source)
  run.journals.set(source, journal)
  return journal
}

/** The requests of a source in this run. */
export function httpOf(run: Run, source: string): Http {
  const known = run.https.get(source)
  if (known) return known
  const { effects, files } = run.context.store
  const http = createHttp({
    source,
    settings: sourceOf(run, source).settings,
    effects,
    signal: new AbortController().signal,
    onEvent: run.onEvent,
    pace: createPace({ effects, files, directory: run.directory }),
    ...(run.options.fetch && { fetch: run.options.fetch }),
  })
  run.https.set(source, http)
  return http
}

/** The result of a run that has ended. */
export function resultOf(run: Run, plan: SyncPlan, thin: readonly ThinPeriod[]): SyncResult {
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
    left: plan.batches.length - run.done - run.undone,
    requests: [...run.https.values()].reduce((sum, http) => sum + http.requests(), 0),
    commits: run.commits,
    addedColumns: [...run.addedColumns],
    thin,
  }
}

function outcomeOf(run: Run): SyncResult['outcome'] {
  if (run.stopped === 'unknown') return 'unknown'
  if (run.failed.length > 0 && run.done > 0) return 'partial'
  if (run.stopped === 'conflict') return 'conflict'
  if (run.failed.length > 0) return 'failed'
  return run.commits > 0 ? 'committed' : 'unchanged'
}

/** Writes how it ended into the journals. */
export async function finishJournals(run: Run, result: SyncResult): Promise<void> {
  const complete = result.left === 0 && result.failed.length === 0 && !run.signal.aborted
  const outcome = complete ? COMPLETE : result.left > 0 ? 'interrupted' : result.outcome
  const timeMs = Math.floor(run.context.store.effects.now())
  for (const journal of run.journals.values())
    await (await journal).write({ type: 'end', outcome, timeMs })
}
