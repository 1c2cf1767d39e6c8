/** HTTP with patience: turns at each host, and jittered retries with a deadline. */
import type { Effects } from '../model/effects.ts'
import { LakeError } from '../model/errors.ts'
import type { EventSink } from './events.ts'
import { createPace } from './pace.ts'
import type { Pace } from './pace.ts'
import { scrub, scrubError } from './secrets.ts'
import { send } from './send.ts'
import type { Fetch, HttpAnswer, OutgoingRequest } from './send.ts'

export type { Fetch, HttpAnswer } from './send.ts'

/** Settings of one source. */
export interface SourceSettings {
  /** Scheme, host and port of every request of the family; empty: the real hosts. */
  readonly baseUrl: string
  /** Time between two requests to one host. */
  readonly paceMs: number
  readonly concurrency: number
  /** Goes into requests and nowhere else. */
  readonly token: string
}

/** What a caller makes of an answer: the result, or that the source is busy and should be asked again. */
export type Verdict<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | {
      readonly kind: 'busy'
      readonly reason: string
      /** The source said that it was asked too often: everybody slows down. */
      readonly throttled?: boolean
      /** How long everybody must leave it alone, where that is known. */
      readonly waitMs?: number
    }

/** Judges an answer. What it throws ends the request at once. */
export type Judge<T> = (answer: HttpAnswer) => Verdict<T>

/** What a request may add. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** A longer answer is refused while it is read. */
  readonly bodyBytesMax?: number
}

/** Requests of one source. */
export interface Http {
  /** Asks until `judge` accepts the answer; a busy source is asked again, later and later. */
  get<T>(url: string, judge: Judge<T>, options?: RequestOptions): Promise<T>
  /** The same with a JSON body. */
  post<T>(url: string, body: string, judge: Judge<T>, options?: RequestOptions): Promise<T>
  /** Requests made so far, retries included. */
  requests(): number
}

/** What HTTP needs. */
export interface HttpOptions {
  readonly source: string
  readonly settings: SourceSettings
  readonly effects: Effects
  readonly signal: AbortSignal
  readonly onEvent: EventSink
  /** Turns shared with other processes; left out: this process alone. */
  readonly pace?: Pace
  readonly fetch?: Fetch
  readonly headers?: Readonly<Record<string, string>>
}

const ATTEMPTS_MAX = 6
const DEADLINE_MS = 300_000
const BACKOFF_MS = 500
const BACKOFF_MS_MAX = 30_000
const LATER_MS_MAX = 5000
const BODY_BYTES_MAX = 32 << 20

/** Builds the client of a source. Nothing it throws or tells holds the token of the settings. */
export function createHttp(options: HttpOptions): Http {
  const pace = options.pace ?? createPace({ effects: options.effects })
  const client = { ...options, pace, count: 0 }
  const run = async <T>(request: OutgoingRequest, judge: Judge<T>): Promise<T> => {
    try {
      return await patiently(client, request, judge)
    } catch (error) {
      throw scrubError(error, options.settings.token)
    }
  }
  const outgoing = (url: string, how: RequestOptions): OutgoingRequest => ({
    source: options.source,
    url,
    headers: { ...options.headers, ...how.headers },
    bodyBytesMax: how.bodyBytesMax ?? BODY_BYTES_MAX,
  })
  return {
    requests: () => client.count,
    get: (url, judge, how = {}) => run(outgoing(url, how), judge),
    post: (url, body, judge, how = {}) => {
      const request = outgoing(url, how)
      const headers = { 'content-type': 'application/json', ...request.headers }
      return run({ ...request, headers, body }, judge)
    },
  }
}

interface Client extends HttpOptions {
  readonly pace: Pace
  count: number
}

async function patiently<T>(client: Client, request: OutgoingRequest, judge: Judge<T>): Promise<T> {
  const { effects, pace, settings } = client
  const { host } = new URL(request.url)
  let deadlineMs = Number.POSITIVE_INFINITY
  for (let tries = 1; ; tries++) {
    await pace.turn(host, settings.paceMs, (timeMs) => pause(client, timeMs))
    // The time until the first turn is no fault of the source.
    if (tries === 1) deadlineMs = effects.now() + DEADLINE_MS
    const verdict = await attempt(client, request, judge)
    if (verdict.kind === 'ok') {
      await pace.succeeded(host)
      return verdict.value
    }
    const waitMs =
      verdict.waitMs === undefined ? backOff(effects, tries) : later(effects, verdict.waitMs)
    if (verdict.throttled) await pace.throttled(host, waitMs, scrub(verdict.reason, settings.token))
    if (tries >= ATTEMPTS_MAX || effects.now() + waitMs > deadlineMs) {
      await pace.failed(host, scrub(verdict.reason, settings.token))
      throw unavailable(client.source, host, verdict.reason, tries)
    }
    tell(client, verdict.reason, waitMs)
    // A shared wait is waited for at the next turn.
    if (!verdict.throttled) await pause(client, waitMs)
  }
}

async function attempt<T>(
  client: Client,
  request: OutgoingRequest,
  judge: Judge<T>,
): Promise<Verdict<T>> {
  if (client.signal.aborted) throw stopped()
  client.count++
  const sent = await send(request, {
    effects: client.effects,
    signal: client.signal,
    fetch: client.fetch,
  })
  return sent.kind === 'answer' ? judge(sent.answer) : sent
}

function tell(client: Client, reason: string, timeMs: number): void {
  const { source, settings } = client
  client.onEvent({ type: 'wait', source, reason: scrub(reason, settings.token), timeMs })
}

/** Half of the wait is certain and half is chance: many clients must not fall together. */
function backOff(effects: Effects, tries: number): number {
  const fullMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** tries)
  return Math.round(fullMs * (0.5 + effects.random() / 2))
}

/** Somewhat later than the source asked for, and not all clients at once. */
function later(effects: Effects, waitMs: number): number {
  return Math.round(waitMs + effects.random() * Math.min(LATER_MS_MAX, waitMs * 0.07))
}

/** Waits, but not for a sync that was stopped. */
async function pause(client: Client, timeMs: number): Promise<void> {
  const { effects, signal } = client
  if (signal.aborted) throw stopped()
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(stopped())
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([effects.sleep(timeMs), aborted])
  } finally {
    if (stop) signal.removeEventListener('abort', stop)
  }
}

function stopped(): LakeError {
  return new LakeError('CANCELLED', 'the sync was stopped')
}

function unavailable(source: string, host: string, reason: string, tries: number): LakeError {
  return new LakeError(
    'SOURCE_FAILED',
    `${source} at ${host} did not answer after ${tries} ${tries === 1 ? 'try' : 'tries'}: ${reason}`,
    {
      details: { source, host, tries, reason },
      next: 'Run the command again later; it goes on where it stopped.',
    },
  )
}
