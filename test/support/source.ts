/** A source in a function: HTTP without a network, on a clock that moves when someone waits. */
import type { BatchRequest, CollectorTools } from '../../src/ingestion/collector.ts'
import type { SyncEvent } from '../../src/ingestion/events.ts'
import { createHttp } from '../../src/ingestion/http.ts'
import type { Http, HttpOptions, SourceSettings } from '../../src/ingestion/http.ts'
import type { Effects } from '../../src/model/effects.ts'

/** A clock that stands still until someone waits. */
export interface Clock extends Effects {
  ms: number
}

/** A clock at a moment. */
export function clockAt(iso = '2026-11-26T12:00:00Z'): Clock {
  const clock: Clock = {
    ms: Date.parse(iso),
    now: () => clock.ms,
    uuid: () => crypto.randomUUID(),
    random: () => 0.5,
    sleep: (timeMs) => {
      clock.ms += timeMs
      return Promise.resolve()
    },
  }
  return clock
}

/** What a source answers. */
export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** A request as the source sees it. */
export interface Asked {
  readonly url: URL
  readonly query: URLSearchParams
  readonly body: string
  /** 1 for the first. */
  readonly number: number
}

/** A client of a source that is a function. */
export interface FakeSource {
  readonly http: Http
  readonly clock: Clock
  readonly events: SyncEvent[]
  readonly asked: Asked[]
}

export const NO_SETTINGS: SourceSettings = { baseUrl: '', paceMs: 0, concurrency: 1, token: '' }

/** Builds the client. */
export function fakeSource(
  answer: (asked: Asked) => Reply,
  options: Partial<HttpOptions> = {},
): FakeSource {
  const clock = clockAt()
  const events: SyncEvent[] = []
  const asked: Asked[] = []
  const http = createHttp({
    source: 'test',
    settings: NO_SETTINGS,
    effects: clock,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    fetch: (text, init) => {
      const url = new URL(text)
      const one = { url, query: url.searchParams, body: init.body ?? '', number: asked.length + 1 }
      asked.push(one)
      const { status = 200, headers = {}, body } = answer(one)
      return Promise.resolve(new Response(body as string, { status, headers }))
    },
    ...options,
  })
  return { http, clock, events, asked }
}

/** What a collector gets, with a memory of its own. */
export function toolsOf(
  source: FakeSource,
  more: Partial<CollectorTools> = {},
): CollectorTools & { readonly facts: Map<string, string> } {
  const facts = new Map<string, string>()
  return {
    http: source.http,
    memory: {
      get: (key) => Promise.resolve(facts.get(key)),
      set: (key, value) => Promise.resolve(void facts.set(key, value)),
    },
    signal: new AbortController().signal,
    onEvent: (event) => source.events.push(event),
    nowMs: source.clock.now(),
    facts,
    ...more,
  }
}

/** A request for batches by a lake that knows nothing. */
export function requestOf(more: Partial<BatchRequest> = {}): BatchRequest {
  return {
    tables: [],
    today: '2026-11-26',
    listed: () => Promise.resolve([]),
    tradingDays: () => Promise.resolve([]),
    stored: () => Promise.resolve(new Set()),
    lastDates: () => Promise.resolve(new Map()),
    ...more,
  }
}
