/** Exit codes: fixed, documented in the README, relied on by scripts. */
import type { ErrorCode } from '../model/errors.ts'
import { LakeError } from '../model/errors.ts'

/** What the number says. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** Some units failed, at least one was committed or unchanged. */
  partial: 3,
  conflict: 4,
  /** The source failed and nothing was done. */
  source: 5,
  /** The commit may or may not be there: `history --txn` tells. */
  unknown: 6,
  /** A check found differences or problems. */
  check: 7,
  noLake: 10,
  held: 11,
  stale: 12,
  interrupted: 130,
  terminated: 143,
} as const

const OF_CODE: Partial<Record<ErrorCode, number>> = {
  CANCELLED: EXIT.interrupted,
  CHECK_FAILED: EXIT.check,
  INVALID_ARGUMENT: EXIT.usage,
  INVALID_CONFIG: EXIT.usage,
  INVALID_NAME: EXIT.usage,
  LAKE_HELD: EXIT.held,
  NO_LAKE: EXIT.noLake,
  SOURCE_FAILED: EXIT.source,
  SOURCE_REFUSED: EXIT.source,
  SOURCE_UNAVAILABLE: EXIT.source,
  STALE: EXIT.stale,
  WRITE_CONFLICT: EXIT.conflict,
}

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  return error instanceof LakeError ? (OF_CODE[error.code] ?? EXIT.error) : EXIT.error
}
