/** HTTP with patience: a pace for each host, retries with a deadline, and failures told apart. */
import type { Effects } from '../model/effects.ts'
import { LakeError, messageOf } from '../model/errors.ts'
import type { EventSink } from './events.ts'

/** Settings of one source. */
export interface SourceSettings {
  /** Scheme, host and port of every request of the family; empty: the real hosts. */
  readonly baseUrl: string
  /** Time between two requests to one host. */
  readonly paceMs: number
  readonly concurrency: number
  readonly token: string
}

/** The part of `fetch` that is used; tests give their own. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
) => Promise<{
  readonly status: number
  readonly headers: Headers
  arrayBuffer(): Promise<ArrayBuffer>
}>

/** An answer that came whole. */
export interface HttpAnswer {
  readonly status: number
  readonly body: Uint8Array
}

/** What a caller makes of an answer: the result, or that the source is busy and should be asked again. */
export type Verdict<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'busy'; readonly reason: string }

/** Requests of one source. */
export interface Http {
  /** Asks until `judge` accepts the answer; a busy source is asked again, later and later. */
  get<T>(url: string, judge: (answer: HttpAnswer) => Verdict<T>): Promise<T>
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
  readonly fetch?: Fetch
  readonly headers?: Readonly<Record<string, string>>
}

const ATTEMPTS_MAX = 6
const TIMEOUT_MS = 30_000
const DEADLINE_MS = 180_000
const BACKOFF_MS = 500
const BACKOFF_MS_MAX = 30_000
const BODY_BYTES_MAX = 64 << 20

/** Builds the client of a source. Requests to one host keep its pace, also when several are under way. */
export function createHttp(options: HttpOptions): Http {
  const { effects, settings } = options
  const nextMs = new Map<string, number>()
  let requests = 0

  async function pace(host: string): Promise<void> {
    const nowMs = effects.now()
    const atMs = Math.max(nowMs, nextMs.get(host) ?? 0)
    nextMs.set(host, atMs + settings.paceMs)
    if (atMs > nowMs) await effects.sleep(atMs - nowMs)
  }

  async function attempt<T>(
    url: string,
    judge: (answer: HttpAnswer) => Verdict<T>,
  ): Promise<Verdict<T> & { readonly waitMs?: number }> {
    await pace(new URL(url).host)
    options.signal.throwIfAborted()
    requests++
    const answer = await send(url, options)
    return answer.kind === 'answer' ? judge(answer.answer) : answer
  }

  return {
    requests: () => requests,
    get: async (url, judge) => {
      const deadlineMs = effects.now() + DEADLINE_MS
      for (let tries = 1; ; tries++) {
        const verdict = await attempt(url, judge)
        if (verdict.kind === 'ok') return verdict.value
        const waitMs = verdict.waitMs ?? backOff(effects, tries)
        if (tries >= ATTEMPTS_MAX || effects.now() + waitMs > deadlineMs) {
          throw unavailable(options.source, url, verdict.reason, tries)
        }
        options.onEvent({
          type: 'wait',
          source: options.source,
          reason: verdict.reason,
          timeMs: waitMs,
        })
        await effects.sleep(waitMs)
      }
    },
  }
}

/** Full jitter: waiting times of many clients must not fall together. */
function backOff(effects: Effects, tries: number): number {
  return effects.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** tries)
}

type Sent =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | { readonly kind: 'busy'; readonly reason: string; readonly waitMs?: number }

async function send(url: string, options: HttpOptions): Promise<Sent> {
  const fetchFunction: Fetch = options.fetch ?? fetch
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    const response = await fetchFunction(url, {
      headers: { ...HEADERS, ...options.headers },
      signal,
    })
    const waitMs = retryAfter(response.headers, options.effects)
    if (response.status === 429 || response.status >= 500) {
      const reason = `HTTP ${response.status}`
      return { kind: 'busy', reason, ...(waitMs !== undefined && { waitMs }) }
    }
    const body = new Uint8Array(await response.arrayBuffer())
    if (body.length > BODY_BYTES_MAX)
      throw refused(options.source, url, 'the answer is far too large')
    if (response.status !== 200) throw refused(options.source, url, `HTTP ${response.status}`)
    return { kind: 'answer', answer: { status: response.status, body } }
  } catch (error) {
    if (options.signal.aborted) throw cancelled(error)
    return classify(options.source, url, error)
  }
}

const HEADERS = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x64) marketlake',
  accept: 'application/json, text/plain, */*',
}

function retryAfter(headers: Headers, effects: Effects): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const seconds = Number(text)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - effects.now()
  return Number.isFinite(waitMs) ? Math.max(0, Math.min(waitMs, DEADLINE_MS)) : undefined
}

/** Where nobody listens, and where certificates or proxies are wrong, asking again does not help. */
const FINAL = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|CERT|TLS|SSL|UND_ERR_PRX|ERR_INVALID_URL/

function classify(source: string, url: string, error: unknown): Sent {
  if (error instanceof LakeError) throw error
  const cause = (error as { cause?: { code?: unknown; message?: unknown } }).cause
  const code = typeof cause?.code === 'string' ? cause.code : ''
  const reason = [messageOf(error), code].filter((part) => part !== '').join(' ')
  if (FINAL.test(code) || FINAL.test(reason)) throw unreachable(source, url, reason, error)
  return { kind: 'busy', reason }
}

function hostOf(url: string): string {
  return new URL(url).host
}

function unreachable(source: string, url: string, reason: string, cause: unknown): LakeError {
  return new LakeError(
    'SOURCE_UNAVAILABLE',
    `${source} cannot be reached at ${hostOf(url)}: ${reason}`,
    {
      details: { source, host: hostOf(url) },
      cause,
      next: 'Check the network, the proxy and base_url in lake.toml.',
    },
  )
}

function unavailable(source: string, url: string, reason: string, tries: number): LakeError {
  return new LakeError(
    'SOURCE_FAILED',
    `${source} at ${hostOf(url)} did not answer after ${tries} tries: ${reason}`,
    {
      details: { source, host: hostOf(url), tries, reason },
      next: 'Run the command again later; it goes on where it stopped.',
    },
  )
}

function refused(source: string, url: string, reason: string): LakeError {
  return new LakeError('SOURCE_REFUSED', `${source} at ${hostOf(url)} refused: ${reason}`, {
    details: { source, host: hostOf(url) },
    next: 'The request or the address is not accepted; repeating it does not help.',
  })
}

function cancelled(cause: unknown): LakeError {
  return new LakeError('CANCELLED', 'the sync was stopped', { cause })
}
