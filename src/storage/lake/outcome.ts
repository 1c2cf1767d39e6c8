/** What becomes of a lake commit: three outcomes, never a guess. */
import type { RowCounts } from '../delta/stage.ts'

/** The commit is durable. `changed` is false when there was nothing to write: then no version was made. */
export interface Committed {
  readonly kind: 'committed'
  readonly version: number
  readonly txnId: string
  readonly changed: boolean
  /** Rows by table. */
  readonly counts: Readonly<Record<string, RowCounts>>
  /** What failed after the commit was acknowledged; nothing of it is lost. */
  readonly warnings: readonly string[]
}

/** Nothing happened, and why. */
export interface Conflict {
  readonly kind: 'conflict'
  readonly reason: string
  readonly table?: string
}

/** The commit may be visible and may be durable: `history --txn` tells later. Never write the batch again before. */
export interface Unknown {
  readonly kind: 'unknown'
  readonly version: number
  readonly txnId: string
  readonly reason: string
}

/** How a write ended. Errors thrown instead mean that nothing is visible. */
export type LakeOutcome = Committed | Conflict | Unknown
