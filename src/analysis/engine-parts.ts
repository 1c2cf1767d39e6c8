/** What an engine stands on, and what a statement of it holds. */
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Lease } from '../storage/lake/lease.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import type { FileTrust } from '../storage/parquet/file-trust.ts'
import type { AttachedTable } from './attached.ts'
import type { Display } from './display.ts'
import type { StatementOptions } from './limits.ts'
import type { Knowledge } from './knowledge.ts'
import type { ResidentState } from './resident.ts'

/** What an engine of a date needs of the engine that it was made from. */
export interface Parent {
  readonly leased: boolean
  /** True while memory holds a state and is not about to hold another. */
  rests(state: ResidentState): boolean
  /** Begins while memory holds a state; false if it holds another by now. */
  beginAt(state: ResidentState, begin: () => Promise<void>): Promise<boolean>
}

/** What an engine stands on. */
export interface EngineParts {
  readonly store: Store
  readonly database: Database
  readonly trust: FileTrust
  readonly record: LakeRecord
  readonly follow: boolean
  readonly lease: Lease | undefined
  readonly resident: readonly string[]
  readonly timeoutMs: number
  /** Unqualified names are those of the old file of a migration. */
  readonly oldNames?: boolean
  /** Delta tables from elsewhere, which stay at their version. */
  readonly attached: readonly AttachedTable[]
  /** The catalog that the views stand in, where it is not the first one. */
  readonly catalog?: string | undefined
  /** For an engine of a date: what it knows, and the memory of its parent. */
  readonly dated?: {
    readonly knowledge: Knowledge
    readonly memory: ResidentState
    readonly parent: Parent
    /** The parent keeps the version no longer. */
    readonly release: () => Promise<void>
  }
}

/** A statement under way, and the version that it reads. */
export interface Held {
  readonly session: Session
  readonly display: Display
  /** Ends the doubt about files that the statement brought with it. */
  readonly trustAgain?: () => Promise<void>
}

/** How far a stream has come, and at which version. */
export interface StreamState {
  display: Display | undefined
  begun: boolean
}

/** What is asked. */
export interface Statement {
  readonly sql: string
  readonly parameters?: Parameters | undefined
  /** It cannot be run twice. */
  readonly once?: boolean
  readonly options?: StatementOptions | undefined
}

/** A version to come back to. */
export interface Pin {
  /** Give it as `at` to see the same data again. */
  readonly token: string
  /** Until then the version is kept; undefined as long as a tag keeps it. */
  readonly validUntil: Date | undefined
}
