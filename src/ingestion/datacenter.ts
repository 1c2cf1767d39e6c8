/** EastMoney's datacenter: one report of one filter, page by page, complete or not at all. */
import { LakeError } from '../model/errors.ts'
import type { Http, HttpAnswer, Verdict } from './http.ts'

/** A row as the source gives it. */
export type SourceRow = Readonly<Record<string, unknown>>

/** Which rows to fetch. */
export interface ReportRequest {
  /** Scheme, host and port. */
  readonly baseUrl: string
  /** `RPT_…`. */
  readonly report: string
  /** Conditions in parentheses. */
  readonly filter: string
  /** Columns that make the order of rows definite. */
  readonly sortColumns: string
  readonly onPage?: (page: number, pages: number, rows: number) => void
}

/** The real host. */
export const DATACENTER_URL = 'https://datacenter-web.eastmoney.com'
/** Rows a page; the source gives no more. */
export const PAGE_ROWS = 500
/** A higher page number is answered like overload. */
const PAGES_MAX = 100
/** Times the whole report is read again because rows were inserted while it was paged. */
const DRIFTS_MAX = 3

interface Page {
  readonly rows: readonly SourceRow[]
  readonly pages: number
  readonly count: number
}

/** Fetches all rows of a report. What does not add up is `SOURCE_FAILED`, and nothing is returned. */
export async function fetchReport(http: Http, request: ReportRequest): Promise<SourceRow[]> {
  for (let drift = 0; drift <= DRIFTS_MAX; drift++) {
    const rows = await fetchPages(http, request)
    if (rows) return rows
  }
  throw broken(request, `its row count kept changing while it was read`)
}

/** Undefined if the declared count grew meanwhile: then the pages have shifted and everything is read again. */
async function fetchPages(http: Http, request: ReportRequest): Promise<SourceRow[] | undefined> {
  const first = await fetchPage(http, request, 1)
  if (first.pages > PAGES_MAX) {
    throw broken(request, `it has ${first.pages} pages, more than the source gives`)
  }
  const rows = [...first.rows]
  checkPage(request, first, first, 1)
  request.onPage?.(1, Math.max(1, first.pages), first.rows.length)
  for (let number = 2; number <= first.pages; number++) {
    const page = await fetchPage(http, request, number)
    if (page.count > first.count) return undefined
    checkPage(request, first, page, number)
    rows.push(...page.rows)
    request.onPage?.(number, first.pages, page.rows.length)
  }
  if (rows.length !== first.count) {
    throw broken(request, `it declares ${first.count} rows and gave ${rows.length}`)
  }
  return rows
}

/** A page before the last is full, the last holds the rest, and every page declares the same. */
function checkPage(request: ReportRequest, first: Page, page: Page, number: number): void {
  const expected =
    number < first.pages ? PAGE_ROWS : first.count - PAGE_ROWS * Math.max(0, first.pages - 1)
  if (page.count !== first.count || page.pages !== first.pages) {
    throw broken(request, `page ${number} declares other totals than page 1`)
  }
  if (page.rows.length !== expected) {
    throw broken(
      request,
      `page ${number} of ${first.pages} has ${page.rows.length} rows instead of ${expected}`,
    )
  }
}

function fetchPage(http: Http, request: ReportRequest, number: number): Promise<Page> {
  const query = new URLSearchParams({
    reportName: request.report,
    columns: 'ALL',
    filter: request.filter,
    pageNumber: String(number),
    pageSize: String(PAGE_ROWS),
    sortColumns: request.sortColumns,
    sortTypes: request.sortColumns
      .split(',')
      .map(() => '1')
      .join(','),
    source: 'WEB',
    client: 'WEB',
  })
  const url = `${request.baseUrl}/api/data/v1/get?${query.toString()}`
  return http.get(url, (answer) => judge(request, answer, number))
}

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
  if (code === BUSY) return { kind: 'busy', reason: 'the source is busy (9701)' }
  const message = typeof body['message'] === 'string' ? body['message'] : 'no message'
  if (code === WRONG_REQUEST) throw refusedRequest(request, message)
  throw broken(request, `it answered code ${String(code as number)}: ${message}`)
}

function parseBody(request: ReportRequest, answer: HttpAnswer): SourceRow | undefined {
  const text = new TextDecoder().decode(answer.body)
  if (/^\s*</.test(text)) throw broken(request, 'it answered a web page instead of data')
  try {
    const body: unknown = JSON.parse(text)
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
