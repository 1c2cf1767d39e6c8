/** Tushare in a function. */
import { tushareCollector } from '../../src/ingestion/tushare.ts'
import type { Collector } from '../../src/ingestion/collector.ts'
import type { SourceSettings } from '../../src/ingestion/http.ts'
import type { Asked, FakeSource, Reply } from './source.ts'
import { NO_SETTINGS, fakeSource } from './source.ts'

/** A token that is nobody's. */
export const TOKEN = '0123456789abcdef0123456789abcdef'
/** Settings with the token. */
export const SETTINGS: SourceSettings = { ...NO_SETTINGS, token: TOKEN }
/** The collector with the token. */
export const collector: Collector = tushareCollector(SETTINGS)

/** The body of a request. */
export interface Body {
  readonly api_name: string
  readonly token: string
  readonly params: Readonly<Record<string, string | number>>
  readonly fields: string
}

/** Columns and rows of an answer. */
export type Table = {
  readonly fields: readonly string[]
  readonly items: readonly (readonly unknown[])[]
}

/** The body as it was sent. */
export function bodyOf(one: Asked): Body {
  return JSON.parse(one.body) as Body
}

/** An answer with rows. */
export function ok({ fields, items }: Table, more = false): Reply {
  const data = { fields, items, has_more: more }
  return { body: JSON.stringify({ request_id: 'r', code: 0, msg: '', data }) }
}

/** An answer without. */
export function refusal(code: number, msg: string): Reply {
  return { body: JSON.stringify({ request_id: 'r', code, msg, data: null }) }
}

/** A client of the function. */
export function tushare(answer: (body: Body, one: Asked) => Reply): FakeSource {
  return fakeSource((one) => answer(bodyOf(one), one), { source: 'tushare', settings: SETTINGS })
}
