/** Tushare Pro's protocol: columnar answers, pages by limit and offset, and errors told by number and words. */
import { LakeError } from '../model/errors.ts'
import { parseDay } from '../model/date.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { Http, HttpAnswer, Verdict } from './http.ts'
import { textOf } from './send.ts'

/** A row by column name, as the source gives it. */
export type TushareRow = Readonly<Record<string, unknown>>

/** A request for all rows of one interface. */
export interface TushareRequest {
  readonly api: string
  readonly parameters: Readonly<Record<string, string>>
  /** Columns to ask for; left out: those the source gives by default. */
  readonly fields?: readonly string[]
  /** Columns without which the answer is of no use. */
  readonly required: readonly string[]
  readonly onPage?: (page: number, rows: number) => void
}

/** What requests need. */
export interface TushareAccess {
  readonly http: Http
  readonly baseUrl: string
  readonly token: string
}

/** Rows of an interface and how many stood in it twice, letter by letter. */
export interface TushareRows {
  readonly rows: readonly TushareRow[]
  readonly repeated: number
}

const REAL_URL = 'http://api.tushare.pro'
/** Rows a request asks for; the source may give fewer at a time. */
const LIMIT = 5000
/** The source's own limits are round numbers, so a page of such a size may not be the last. */
const ROUND = 100
const PAGES_MAX = 400
const READS_MAX = 3

interface Page {
  readonly rows: readonly TushareRow[]
  readonly more: boolean
}

/** Fetches all rows. What does not add up is `SOURCE_FAILED`, and nothing is returned. */
export async function fetchTushare(
  access: TushareAccess,
  request: TushareRequest,
): Promise<TushareRows> {
  if (access.token === '') throw noToken()
  let before: string | undefined
  for (let read = 0; read < READS_MAX; read++) {
    const pages = await fetchPages(access, request)
    const seen = new Map<string, { readonly row: TushareRow; readonly page: number }>()
    let across = 0
    for (const [page, rows] of pages.entries()) {
      for (const row of rows) {
        const text = JSON.stringify(row)
        const known = seen.get(text)
        if (known && known.page !== page) across++
        if (!known) seen.set(text, { row, page })
      }
    }
    const rows = [...seen.values()].map(({ row }) => row)
    const repeated = pages.reduce((sum, page) => sum + page.length, 0) - rows.length
    // A row on two pages hides one that was missed, unless a second reading gives just the same.
    const text = across > 0 ? [...seen.keys()].toSorted().join('\n') : ''
    if (across === 0 || text === before) return { rows, repeated }
    before = text
  }
  throw broken(request, 'its rows kept moving between pages')
}

async function fetchPages(
  access: TushareAccess,
  request: TushareRequest,
): Promise<readonly (readonly TushareRow[])[]> {
  const pages: (readonly TushareRow[])[] = []
  let offset = 0
  for (let number = 1; number <= PAGES_MAX; number++) {
    const page = await fetchPage(access, request, offset)
    request.onPage?.(number, page.rows.length)
    if (page.rows.length === 0) {
      if (page.more) throw broken(request, `page ${number} is empty and says that more follows`)
      return pages
    }
    pages.push(page.rows)
    offset += page.rows.length
    const last = !page.more && page.rows.length % ROUND !== 0
    if (last) return pages
  }
  throw broken(request, 'it has no end')
}

function fetchPage(access: TushareAccess, request: TushareRequest, offset: number): Promise<Page> {
  const url = access.baseUrl === '' ? REAL_URL : `${access.baseUrl.replace(/\/+$/, '')}/`
  const body = JSON.stringify({
    api_name: request.api,
    token: access.token,
    params: { ...request.parameters, limit: LIMIT, offset },
    fields: request.fields?.join(',') ?? '',
  })
  return access.http.post(url, body, (answer) => judge(request, answer))
}

function judge(request: TushareRequest, answer: HttpAnswer): Verdict<Page> {
  const text = textOf(answer)
  if (/^\s*</.test(text)) throw broken(request, 'it answered a web page instead of data')
  let body: Readonly<Record<string, unknown>>
  try {
    body = JSON.parse(text) as typeof body
  } catch {
    return { kind: 'busy', reason: 'the answer was cut off or is no JSON' }
  }
  if (typeof body !== 'object' || body === null) throw broken(request, 'the answer is no object')
  if (body['code'] !== 0) return judgeError(request, body)
  return { kind: 'ok', value: pageOf(request, body['data']) }
}

/** A limit by the minute ends by itself, somewhat after a minute; all other refusals stay. */
const LIMITED: Verdict<Page> = {
  kind: 'busy',
  reason: 'the limit of requests a minute',
  throttled: true,
  waitMs: 61_000,
}

function judgeError(
  request: TushareRequest,
  body: Readonly<Record<string, unknown>>,
): Verdict<Page> {
  const code = Number(body['code'])
  const words = typeof body['msg'] === 'string' ? body['msg'] : ''
  const limited = /最多访问|访问频率|频次/.test(words)
  if (limited && /每分钟/.test(words)) return LIMITED
  if (limited)
    throw refused(request, words, 'The limit of the account is used up for today or for this hour.')
  if (/权限|积分/.test(words)) {
    throw refused(
      request,
      words,
      'The account has too few points for this interface; see docs/sources.md.',
    )
  }
  if (code === 40_101 || /token/i.test(words)) {
    throw refused(
      request,
      words,
      'Check TUSHARE_TOKEN or [sources.tushare] token in lake.toml.',
      true,
    )
  }
  if (Math.floor(code / 100) === 402) return LIMITED
  throw broken(request, `it answered code ${JSON.stringify(body['code']) ?? 'none'}: ${words}`)
}

function pageOf(request: TushareRequest, data: unknown): Page {
  const { fields, items, has_more: more } = (data ?? {}) as Record<string, unknown>
  if (!Array.isArray(fields) || !Array.isArray(items)) {
    throw broken(request, 'the answer has no fields or items')
  }
  const names = fields as unknown[]
  if (!names.every((name) => typeof name === 'string')) throw broken(request, 'a field has no name')
  const missing = request.required.filter((name) => !names.includes(name))
  if (missing.length > 0 && (items.length > 0 || names.length > 0)) {
    throw refused(
      request,
      `it no longer has ${missing.join(', ')}`,
      'The source changed its interface; a newer version of marketlake may know it.',
    )
  }
  const rows = (items as unknown[]).map((item, i) => {
    if (!Array.isArray(item) || item.length !== names.length) {
      throw broken(request, `row ${i + 1} has not as many values as there are fields`)
    }
    return Object.fromEntries(names.map((name, at) => [name, (item as unknown[])[at]]))
  })
  return { rows, more: more === true }
}

/** The day of `20241231`, or null. */
export function dayOf(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const text = value.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')
  return parseDay(text) === undefined ? null : text
}

/** `20241231` of a day. */
export function compactDay(date: string): string {
  return date.replaceAll('-', '')
}

/** `600519.SH`, or undefined for what is no stock of ours. */
export function symbolOf(row: TushareRow): string | undefined {
  const code = row['ts_code']
  return typeof code === 'string' ? parseSymbol(code) : undefined
}

/** A number, or null where there is none; anything else means that the column has changed. */
export function numberOf(
  request: Pick<TushareRequest, 'api'>,
  name: string,
  row: TushareRow,
): number | null {
  const value = row[name]
  if (value === null || value === undefined) return null
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new LakeError(
    'SOURCE_FAILED',
    `tushare ${request.api}: ${name} of ${String(row['ts_code'])} is no number any more`,
    {
      details: { api: request.api, column: name, found: typeof value },
      next: 'Nothing of it was stored. The source changed the column; a newer version of marketlake may know it.',
    },
  )
}

function titleOf({ api, parameters }: TushareRequest): string {
  return ['tushare', api, ...Object.values(parameters)].join(' ')
}

function broken(request: TushareRequest, reason: string): LakeError {
  return new LakeError('SOURCE_FAILED', `${titleOf(request)}: ${reason}`, {
    details: { api: request.api, parameters: request.parameters, reason },
    next: 'Nothing of it was stored. Run the command again; it goes on where it stopped.',
  })
}

function refused(request: TushareRequest, words: string, next: string, final = false): LakeError {
  return new LakeError('SOURCE_REFUSED', `${titleOf(request)}: ${words}`, {
    // Every other request would be refused in the same way.
    details: { api: request.api, parameters: request.parameters, words, ...(final && { final }) },
    next,
  })
}

function noToken(): LakeError {
  return new LakeError('SOURCE_REFUSED', 'Tushare needs a token, and there is none', {
    details: { final: true },
    next: 'Set TUSHARE_TOKEN, or token under [sources.tushare] in lake.toml.',
  })
}
