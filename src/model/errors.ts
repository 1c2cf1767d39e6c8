/** The one error class: a code to branch on, the facts, the cause, and what to do next. */

/** What went wrong, stable across releases; scripts branch on it. */
export type ErrorCode =
  | 'CANCELLED'
  | 'CHECK_FAILED'
  | 'COLUMN_NOT_FOUND'
  | 'CORRUPT_FILE'
  | 'CORRUPT_LOG'
  | 'DUPLICATE_KEY'
  | 'INVALID_ARGUMENT'
  | 'INVALID_CONFIG'
  | 'INVALID_NAME'
  | 'IO_ERROR'
  | 'LAKE_DIVERGED'
  | 'LAKE_EXISTS'
  | 'LAKE_HELD'
  | 'LAKE_WENT_BACK'
  | 'NO_LAKE'
  | 'NULL_KEY'
  | 'NULL_VALUE'
  | 'OUT_OF_MEMORY'
  | 'QUERY_NOT_READ_ONLY'
  | 'SOURCE_FAILED'
  | 'SOURCE_MIXED'
  | 'SOURCE_REFUSED'
  | 'SOURCE_UNAVAILABLE'
  | 'SQL_ERROR'
  | 'STALE'
  | 'TABLE_EXISTS'
  | 'TABLE_FROZEN'
  | 'TABLE_NOT_FOUND'
  | 'TIMEOUT'
  | 'TYPE_MISMATCH'
  | 'UNSUPPORTED_FEATURE'
  | 'UNSUPPORTED_FILE_SYSTEM'
  | 'UNSUPPORTED_TYPE'
  | 'VERSION_NOT_FOUND'
  | 'VERSION_VACUUMED'
  | 'WRITE_CONFLICT'

/** The facts of an error, and what the user can do about it. */
export interface ErrorFacts {
  readonly details?: Readonly<Record<string, unknown>>
  /** What to do next, a full sentence. */
  readonly next?: string
  readonly cause?: unknown
}

/** Every error this library throws on purpose. */
export class LakeError extends Error {
  override readonly name = 'LakeError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>
  readonly next: string | undefined

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.details = facts.details ?? {}
    this.next = facts.next
  }
}

/** True for an error of ours with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is LakeError {
  return error instanceof LakeError && error.code === code
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
