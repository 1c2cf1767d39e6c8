/** One HTTP request: a bounded body, a deadline, and failures told apart by whether asking again can help. */
import type { Effects } from '../model/effects.ts'
import { LakeError, messageOf } from '../model/errors.ts'
import { fetchFor } from './proxy.ts'

/** The part of `fetch` that is used; tests give their own. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: string
    readonly redirect: 'follow' | 'error'
    readonly signal: AbortSignal
  },
) => Promise<{
  readonly status: number
  readonly headers: Headers
  readonly body: ReadableStream<Uint8Array> | null
}>

/** A request as it goes out. */
export interface OutgoingRequest {
  readonly source: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Set for a POST. */
  readonly body?: string
  readonly bodyBytesMax: number
}

/** An answer that came whole. */
export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
}

/** An answer, or that it makes sense to ask again. */
export type Sent =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | {
      readonly kind: 'busy'
      readonly reason: string
      /** What the source asked for. */
      readonly waitMs?: number
      readonly throttled?: boolean
    }

const TIMEOUT_MS = 30_000
/** A source that asks for a longer wait will not be waited for. */
const RETRY_AFTER_MS_MAX = 900_000

/** Sends a request. Where asking again cannot help it throws `SOURCE_UNAVAILABLE` or `SOURCE_REFUSED`. */
export async function send(
  request: OutgoingRequest,
  tools: {
    readonly effects: Effects
    readonly signal: AbortSignal
    readonly fetch: Fetch | undefined
  },
): Promise<Sent> {
  const { source, url } = request
  const call = tools.fetch ?? (await fetchFor(url))
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const response = await call(url, {
      method: request.body === undefined ? 'GET' : 'POST',
      headers: { ...HEADERS, ...request.headers },
      ...(request.body !== undefined && { body: request.body }),
      // A body may carry a token: it goes to the host that was named and to no other.
      redirect: request.body === undefined ? 'follow' : 'error',
      signal: AbortSignal.any([tools.signal, timeout]),
    })
    const busy = busyStatus(response.status, response.headers, tools.effects)
    if (busy || response.status !== 200) await response.body?.cancel().catch(() => undefined)
    if (busy) return busy
    if (response.status !== 200) throw refused(source, url, `HTTP ${response.status}`)
    const body = await readBody(response.body, request)
    const contentType = response.headers.get('content-type') ?? ''
    return { kind: 'answer', answer: { status: response.status, contentType, body } }
  } catch (error) {
    if (tools.signal.aborted) throw cancelled(error)
    if (timeout.aborted) return { kind: 'busy', reason: `no answer in ${TIMEOUT_MS / 1000} s` }
    return classify(source, url, error)
  }
}

const HEADERS = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x64) marketlake',
  accept: 'application/json, text/plain, */*',
}

function busyStatus(status: number, headers: Headers, effects: Effects): Sent | undefined {
  if (status !== 429 && status < 500) return undefined
  const waitMs = retryAfter(headers, effects)
  return {
    kind: 'busy',
    reason: `HTTP ${status}`,
    throttled: status === 429 || waitMs !== undefined,
    ...(waitMs !== undefined && { waitMs }),
  }
}

/** Seconds or a date, as the header allows. */
function retryAfter(headers: Headers, effects: Effects): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const seconds = Number(text)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - effects.now()
  return Number.isFinite(waitMs) ? Math.max(0, Math.min(waitMs, RETRY_AFTER_MS_MAX)) : undefined
}

/** Reads a body piece by piece, so that one without end, or a bomb of zeros, never fills the memory. */
async function readBody(
  stream: ReadableStream<Uint8Array> | null,
  request: OutgoingRequest,
): Promise<Uint8Array> {
  if (!stream) return new Uint8Array()
  const parts: Uint8Array[] = []
  let size = 0
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > request.bodyBytesMax) {
      await reader.cancel().catch(() => undefined)
      const limit = `${Math.floor(request.bodyBytesMax / 1024)} KB`
      throw refused(request.source, request.url, `the answer is larger than ${limit}`)
    }
    parts.push(value)
  }
  return Buffer.concat(parts, size)
}

/** The text of an answer: UTF-8, else GBK, whatever its header says. */
export function textOf(answer: HttpAnswer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(answer.body)
  } catch {
    return new TextDecoder('gb18030').decode(answer.body)
  }
}

/** Where nobody listens, and where certificates or proxies are wrong, asking again does not help. */
const FINAL =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EPROTO|CERT|TLS|SSL|UND_ERR_PRX|PROXY|ERR_INVALID_URL|unexpected redirect/i

function classify(source: string, url: string, error: unknown): Sent {
  if (error instanceof LakeError) throw error
  const { code, reason } = reasonOf(error)
  if (FINAL.test(code) || FINAL.test(reason)) throw unreachable(source, url, reason, error)
  return { kind: 'busy', reason }
}

/** `fetch failed` says nothing; what happened stands in its causes. */
function reasonOf(error: unknown): { code: string; reason: string } {
  const causes: unknown[] = []
  for (let at = error; at !== undefined && causes.length < CAUSES_MAX;) {
    causes.push(at)
    at = (at as { cause?: unknown }).cause
  }
  const codes = causes.flatMap((cause) => {
    const { code } = cause as { code?: unknown }
    return typeof code === 'string' ? [code] : []
  })
  const words = causes.map(messageOf).filter((text) => text !== '')
  return { code: codes.join(' '), reason: [...new Set([...words, ...codes])].join(', ') }
}

const CAUSES_MAX = 5

function unreachable(source: string, url: string, reason: string, cause: unknown): LakeError {
  const { host } = new URL(url)
  return new LakeError('SOURCE_UNAVAILABLE', `${source} cannot be reached at ${host}: ${reason}`, {
    details: { source, host },
    cause,
    next: 'Check the network, the proxy and base_url in lake.toml.',
  })
}

function refused(source: string, url: string, reason: string): LakeError {
  const { host } = new URL(url)
  return new LakeError('SOURCE_REFUSED', `${source} at ${host} refused: ${reason}`, {
    details: { source, host },
    next: 'The request or the address is not accepted; repeating it does not help.',
  })
}

function cancelled(cause: unknown): LakeError {
  return new LakeError('CANCELLED', 'the sync was stopped', { cause })
}
