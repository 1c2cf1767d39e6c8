/** EastMoney's datacenter: one report of one filter, page by page, complete or not at all. */
import { LakeError } from '../model/errors.ts'
import type { Http, HttpAnswer, Verdict } from './http.ts'
import { textOf } from './send.ts'

/** A row as the source gives it. */
export type SourceRow = Readonly<Record<string, unknown>>

/** Which rows to fetch. */
export interface ReportRequest {
  /** Scheme, host, port and path. */
  readonly endpoint: string
  /** `RPT_…`. */
  readonly report: string
  /** Conditions in parentheses. */
  readonly filter: string
  /** `ALL`, or names separated by commas. */
  readonly columns?: string
  /** Columns that make the order of rows definite; the first is the key by which long reports are cut. */
  readonly sortColumns: string
  /** Rows a page, 500 unless the report is known to give another number. */
  readonly pageRows?: number
  /** What the source calls its clients: `WEB` or `HSF10`. */
  readonly client?: 'WEB' | 'HSF10'
  readonly onPage?: (page: number, pages: number, rows: number) => void
}

/** Rows of a report, and what was odd about them. */
export interface ReportRows {
  readonly rows: readonly SourceRow[]
  /** Rows that the source has twice, letter by letter. */
  readonly repeated: number
}

/** The endpoint of the reports of the whole market. */
export const WEB_PATH = '/api/data/v1/get'
/** The endpoint of the reports of one company. */
export const F10_PATH = '/securities/api/data/v1/get'
/** The real hosts, by path. */
const HOSTS: Readonly<Record<string, string>> = {
  '/api/data/v1/get': 'https://datacenter-web.eastmoney.com',
  '/securities/api/data/v1/get': 'https://datacenter.eastmoney.com',
}

/** Where a path is asked: at the real host, or where `base_url` points. */
export function endpointOf(baseUrl: string, path: string): string {
  return `${baseUrl === '' ? HOSTS[path]! : baseUrl.replace(/\/+$/, '')}${path}`
}

/** Rows a page; the source gives no more, except for a few reports. */
const PAGE_ROWS = 500
/** A higher page number is answered like overload. */
const PAGES_MAX = 100
/** Times the whole report is read again because rows moved while it was paged. */
const READS_MAX = 4
/** A report cut more often than this has no end. */
const WINDOWS_MAX = 1000

interface Page {
  readonly rows: readonly SourceRow[]
  readonly pages: number
  readonly count: number
}

/** What a reading of a whole report came to. */
type Reading =
  | {
      readonly kind: 'rows'
      readonly rows: readonly SourceRow[]
      /** Places at which a page begins. */
      readonly starts: ReadonlySet<number>
    }
  | { readonly kind: 'moved'; readonly reason: string }

/** Fetches all rows of a report. What does not add up is `SOURCE_FAILED`, and nothing is returned. */
export async function fetchReport(http: Http, request: ReportRequest): Promise<ReportRows> {
  let doubtful: string | undefined
  let reason = ''
  for (let read = 0; read < READS_MAX; read++) {
    const reading = await fetchWindows(http, request)
    if (reading.kind === 'moved') {
      reason = reading.reason
      continue
    }
    const distinct = distinctRows(reading.rows, reading.starts)
    const repeated = reading.rows.length - distinct.rows.length
    // A row that stands at the end of one page and at the start of the next hides one that was missed.
    if (!distinct.acrossPages || distinct.text === doubtful)
      return { rows: distinct.rows, repeated }
    doubtful = distinct.text
    reason = `${repeated} rows stand on two pages`
  }
  throw broken(request, `it kept changing while it was read: ${reason}`)
}

interface Distinct {
  readonly rows: readonly SourceRow[]
  readonly text: string
  readonly acrossPages: boolean
}

/** Each row once. In a sorted report equal rows are neighbours. */
function distinctRows(rows: readonly SourceRow[], starts: ReadonlySet<number>): Distinct {
  const places = new Map<string, number>()
  let acrossPages = false
  const kept = rows.filter((row, i) => {
    const text = JSON.stringify(row)
    const before = places.get(text)
    if (before === undefined) places.set(text, i)
    else if (i - before > 1 || starts.has(i)) acrossPages = true
    return before === undefined
  })
  const text = acrossPages ? [...places.keys()].toSorted().join('\n') : ''
  return { rows: kept, text, acrossPages }
}

/** A report of more than 100 pages is read in windows, each from the last key of the one before. */
async function fetchWindows(http: Http, request: ReportRequest): Promise<Reading> {
  const key = request.sortColumns.split(',')[0]!
  const rows: SourceRow[] = []
  const starts = new Set<number>()
  let expected: number | undefined
  let { filter } = request
  for (let window = 0; window < WINDOWS_MAX; window++) {
    const found = await fetchWindow(http, { ...request, filter }, expected)
    if (found.kind === 'moved') return found
    for (const at of found.starts) starts.add(rows.length + at)
    rows.push(...found.rows)
    if (found.rest === 0) return { kind: 'rows', rows, starts }
    const last = keyOf(request, key, found.rows.at(-1))
    const cut = rows.findLastIndex((row) => row[key] !== last) + 1
    const kept = cut - (rows.length - found.rows.length)
    if (kept <= 0) throw broken(request, `${key} ${last} has more rows than the source can give`)
    expected = found.rest + found.rows.length - kept
    rows.length = cut
    filter = `${request.filter}(${key}>="${last}")`
  }
  throw broken(request, 'it has no end')
}

type WindowReading =
  | {
      readonly kind: 'rows'
      readonly rows: readonly SourceRow[]
      readonly starts: readonly number[]
      readonly rest: number
    }
  | { readonly kind: 'moved'; readonly reason: string }

/** Reads at most 100 pages; `rest` rows come after them. */
async function fetchWindow(
  http: Http,
  request: ReportRequest,
  expected: number | undefined,
): Promise<WindowReading> {
  let first = await fetchPage(http, request, 1)
  // A source under pressure also says that there is nothing, so it is asked twice.
  if (first.count === 0) first = await fetchPage(http, request, 1)
  if (expected !== undefined && first.count > expected) return grown(expected, first.count)
  if (expected !== undefined && first.count < expected) {
    throw broken(request, `${expected} rows should follow, and it declares ${first.count}`)
  }
  checkPage(request, first, first, 1)
  const rows = [...first.rows]
  const starts = [0]
  request.onPage?.(1, Math.max(1, first.pages), first.rows.length)
  for (let number = 2; number <= Math.min(first.pages, PAGES_MAX); number++) {
    const page = await fetchPage(http, request, number)
    if (page.count > first.count) return grown(first.count, page.count)
    checkPage(request, first, page, number)
    starts.push(rows.length)
    rows.push(...page.rows)
    request.onPage?.(number, first.pages, page.rows.length)
  }
  if (first.pages <= PAGES_MAX && rows.length !== first.count) {
    throw broken(request, `it declares ${first.count} rows and gave ${rows.length}`)
  }
  return { kind: 'rows', rows, starts, rest: first.count - rows.length }
}

/** Rows were inserted meanwhile: the pages have shifted and everything is read again. */
function grown(before: number, now: number): WindowReading & { readonly kind: 'moved' } {
  return { kind: 'moved', reason: `its row count grew from ${before} to ${now}` }
}

function keyOf(request: ReportRequest, key: string, row: SourceRow | undefined): string {
  const value = row?.[key]
  if (typeof value === 'string' && value !== '' && !value.includes('"')) return value
  throw broken(request, `a row has no ${key}, so the report cannot be cut`)
}

/** A page before the last is full, the last holds the rest, and every page declares the same. */
function checkPage(request: ReportRequest, first: Page, page: Page, number: number): void {
  const size = pageSizeOf(request, first)
  const before = size * (first.pages - 1)
  if (page.count !== first.count || page.pages !== first.pages) {
    throw broken(request, `page ${number} declares other totals than page 1`)
  }
  if (first.count > 0 && (before >= first.count || size * first.pages < first.count)) {
    throw broken(request, `${first.count} rows do not make ${first.pages} pages of ${size}`)
  }
  const expected = number < first.pages ? size : first.count - Math.max(0, before)
  if (page.rows.length !== expected) {
    const counted = `${page.rows.length} rows instead of ${expected}`
    throw broken(request, `page ${number} of ${first.pages} has ${counted}`)
  }
}

/** A report that is known to give long pages may stop doing so. */
function pageSizeOf({ pageRows = PAGE_ROWS }: ReportRequest, first: Page): number {
  const capped = pageRows > PAGE_ROWS && first.pages > 1 && first.rows.length === PAGE_ROWS
  return capped ? PAGE_ROWS : pageRows
}

function fetchPage(http: Http, request: ReportRequest, number: number): Promise<Page> {
  const { client = 'WEB', sortColumns } = request
  const query = new URLSearchParams({
    reportName: request.report,
    columns: request.columns ?? 'ALL',
    ...(request.filter !== '' && { filter: request.filter }),
    pageNumber: String(number),
    pageSize: String(request.pageRows ?? PAGE_ROWS),
    sortColumns,
    sortTypes: sortColumns.replaceAll(/[^,]+/g, '1'),
    source: client,
    client: client === 'WEB' ? 'WEB' : 'PC',
  })
  const url = `${request.endpoint}?${query.toString()}`
  return http.get(url, (answer) => judge(request, answer, number), { headers: HEADERS })
}

const HEADERS = { referer: 'https://data.eastmoney.com/' }

const EMPTY = 9201
const WRONG_REQUEST = 9501
const BUSY = 9701

/** All answers are HTTP 200; an empty and a throttled one look alike, and the page number tells them apart. */
function judge(request: ReportRequest, answer: HttpAnswer, number: number): Verdict<Page> {
  const body = parseBody(request, answer)
  if (!body) return { kind: 'busy', reason: 'the answer was cut off or is no JSON' }
  const code = body['code']
  if (body['success'] === true) return { kind: 'ok', value: parsePage(request, body, number) }
  if (code === EMPTY && number === 1) return { kind: 'ok', value: { rows: [], pages: 0, count: 0 } }
  if (code === EMPTY) return { kind: 'busy', reason: `page ${number} came back empty` }
  if (code === BUSY) return { kind: 'busy', reason: 'the source is busy (9701)', throttled: true }
  const message = typeof body['message'] === 'string' ? body['message'] : 'no message'
  if (code === WRONG_REQUEST) throw refusedRequest(request, message)
  throw broken(request, `it answered code ${JSON.stringify(code) ?? 'none'}: ${message}`)
}

function parseBody(request: ReportRequest, answer: HttpAnswer): SourceRow | undefined {
  const text = textOf(answer)
  if (/^\uFEFF?\s*</.test(text)) throw broken(request, 'it answered a web page instead of data')
  try {
    const body: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return typeof body === 'object' && body !== null ? (body as SourceRow) : undefined
  } catch {
    return undefined
  }
}

function parsePage(request: ReportRequest, body: SourceRow, number: number): Page {
  const result = body['result'] as Record<string, unknown> | null | undefined
  const data = result?.['data']
  const { pages, count } = result ?? {}
  if (!Array.isArray(data) || !Number.isSafeInteger(pages) || !Number.isSafeInteger(count)) {
    throw broken(request, `page ${number} has no data, pages or count`)
  }
  const rows = data as unknown[]
  if (!rows.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row))) {
    throw broken(request, `page ${number} holds something that is no row`)
  }
  return { rows: rows as SourceRow[], pages: pages as number, count: count as number }
}

function broken(request: ReportRequest, reason: string): LakeError {
  return new LakeError('SOURCE_FAILED', `${request.report} ${request.filter}: ${reason}`, {
    details: { report: request.report, filter: request.filter, reason },
    next: 'Nothing of it was stored. Run the command again; it goes on where it stopped.',
  })
}

function refusedRequest(request: ReportRequest, message: string): LakeError {
  return new LakeError('SOURCE_REFUSED', `${request.report} is not what it was: ${message}`, {
    details: { report: request.report, filter: request.filter, message },
    next: 'The source changed its report; a newer version of marketlake may know it.',
  })
}
