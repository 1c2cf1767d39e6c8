/** What a sync needs, what it is asked for, what it plans, and how it ended. */
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Row } from '../storage/parquet/values.ts'
import type { Batch, Collector } from './collector.ts'
import type { EventSink, ThinPeriod } from './events.ts'
import type { Fetch, SourceSettings } from './http.ts'

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
  /** Batches that were not done because the sync was stopped. */
  readonly left: number
  readonly requests: number
  readonly commits: number
  readonly addedColumns: readonly string[]
  /** Periods in which far fewer stocks stand than in those beside them (see `completeness.ts`). */
  readonly thin: readonly ThinPeriod[]
}

/** A batch of a plan, and where it comes from. */
export type PlannedBatch = Batch & { readonly source: string }

/** A plan: what would be fetched, and how long that takes at the configured pace. */
export interface SyncPlan {
  readonly batches: readonly PlannedBatch[]
  readonly skipped: number
  readonly requests: number
  readonly minutes: number
}
