/** Limits of a statement: a signal that ends it, and a time. */
import { LakeError } from '../model/errors.ts'
import type { Session } from '../storage/parquet/database.ts'

/** What may end a statement early. */
export interface StatementOptions {
  /** Ends the statement with `CANCELLED`. */
  readonly signal?: AbortSignal
  /** Ends the statement with `TIMEOUT`; milliseconds. */
  readonly timeoutMs?: number
}

/** An engine that does not answer an interrupt for so long is no longer waited for. */
const PATIENCE_MS = 2000
const INTERRUPT_EVERY_MS = 20
/** The longest time of a timer, 24 days; no statement runs so long. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Runs work on a connection within limits. */
export async function limited<T>(
  session: Session,
  options: StatementOptions,
  work: () => Promise<T>,
): Promise<T> {
  const limit = startLimit(session, options)
  if (!limit) return work()
  try {
    limit.check()
    return await Promise.race([work(), limit.failed])
  } catch (error) {
    limit.check()
    throw error
  } finally {
    limit.end()
  }
}

/** Parts as they come, until a limit is reached and the engine does not answer. */
export async function* untilFailed<T>(
  parts: AsyncGenerator<T, void, undefined>,
  failed: Promise<never>,
): AsyncGenerator<T, void, undefined> {
  for (let open = true; open;) {
    let next: IteratorResult<T, void> | undefined
    try {
      next = await Promise.race([parts.next(), failed])
      if (next.done) return
      open = false
      yield next.value
      open = true
    } finally {
      // Whoever takes no more parts waits until the connection is free; one that hangs is not waited for.
      if (!open && next) await parts.return()
    }
  }
}

/** A limit under way. */
export interface Limit {
  /** Throws if the limit is reached. */
  check(): void
  /** Rejects when the limit is reached and the engine does not answer. */
  readonly failed: Promise<never>
  end(): void
}

/** Starts the limit of a statement, if it has any. */
export function startLimit(session: Session, options: StatementOptions): Limit | undefined {
  const { signal, timeoutMs } = options
  if (!signal && timeoutMs === undefined) return undefined
  let reached: LakeError | undefined
  let fail!: (error: LakeError) => void
  const failed = new Promise<never>((_, reject) => (fail = reject))
  failed.catch(() => undefined)
  const timers: NodeJS.Timeout[] = []
  const stop = (error: LakeError): void => {
    if (reached) return
    reached = error
    session.interrupt()
    timers.push(setInterval(() => session.interrupt(), INTERRUPT_EVERY_MS))
    timers.push(setTimeout(() => fail(error), PATIENCE_MS))
  }
  const cancel = (): void => stop(cancelled())
  if (signal?.aborted) reached = cancelled()
  signal?.addEventListener('abort', cancel, { once: true })
  // Node takes a longer time for none at all.
  if (timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX)
    timers.push(setTimeout(() => stop(timedOut(timeoutMs)), timeoutMs))
  return {
    failed,
    check: () => {
      if (reached) throw reached
    },
    end: () => {
      signal?.removeEventListener('abort', cancel)
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

function cancelled(): LakeError {
  return new LakeError('CANCELLED', 'the statement was cancelled')
}

function timedOut(timeoutMs: number): LakeError {
  return new LakeError('TIMEOUT', `the statement did not end within ${String(timeoutMs)} ms`, {
    details: { timeoutMs },
    next: 'Ask for less, or allow more time (timeoutMs, --timeout).',
  })
}
