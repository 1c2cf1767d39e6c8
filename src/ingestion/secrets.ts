/** Keeps a token out of everything that is printed or stored: errors, events, journals. */
import { LakeError } from '../model/errors.ts'

const MASK = '***'

/** Shorter texts stand in too many words to be masked; no token is so short. */
const SECRET_LENGTH_MIN = 6

/** A copy of a text or of plain data without the secret. */
export function scrub<T>(value: T, secret: string): T {
  if (secret.length < SECRET_LENGTH_MIN) return value
  if (typeof value === 'string') return value.replaceAll(secret, MASK) as T
  if (Array.isArray(value)) return value.map((item: unknown) => scrub(item, secret)) as T
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      scrub(key, secret),
      scrub(item, secret),
    ]),
  ) as T
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** An error that says the same without the secret; its causes keep their messages only. */
export function scrubError(error: unknown, secret: string): unknown {
  if (secret.length < SECRET_LENGTH_MIN || !(error instanceof Error)) return error
  const cause = error.cause === undefined ? {} : { cause: scrubError(error.cause, secret) }
  const message = scrub(error.message, secret)
  if (!(error instanceof LakeError)) {
    return message === error.message && !('cause' in cause) ? error : new Error(message, cause)
  }
  return new LakeError(error.code, message, {
    details: scrub(error.details, secret),
    ...(error.next !== undefined && { next: scrub(error.next, secret) }),
    ...cause,
  })
}
