/** What the exchanges of Shanghai and Shenzhen say was delisted, and when. */
import { LakeError } from '../model/errors.ts'
import { parseDay } from '../model/date.ts'
import { boardOf, parseSymbol } from '../model/symbol.ts'
import type { Http, HttpAnswer, Verdict } from './http.ts'
import { textOf } from './send.ts'

/** A stock that is no longer listed. */
export interface DelistedStock {
  readonly symbol: string
  readonly name: string | null
  readonly listDate: string | null
  readonly delistDate: string
}

type Json = Readonly<Record<string, unknown>>

const PAGES_MAX = 200

/** The delisted stocks of both exchanges. An answer that does not add up is `SOURCE_FAILED`. */
export async function fetchDelisted(baseUrl: string, http: Http): Promise<DelistedStock[]> {
  const base = baseUrl.replace(/\/+$/, '')
  const shanghai = await fetchShanghai(base === '' ? 'https://query.sse.com.cn' : base, http)
  const shenzhen = await fetchShenzhen(base === '' ? 'https://www.szse.cn' : base, http)
  return [...shanghai, ...shenzhen]
}

async function fetchShanghai(base: string, http: Http): Promise<DelistedStock[]> {
  const query = new URLSearchParams({
    sqlId: 'COMMON_SSE_CP_GPJCTPZ_GPLB_GP_L',
    COMPANY_STATUS: '3',
    STOCK_TYPE: '1,2,8',
    STOCK_CODE: '',
    CSRC_CODE: '',
    REG_PROVINCE: '',
    type: 'inParams',
    isPagination: 'true',
    'pageHelp.cacheSize': '1',
    'pageHelp.beginPage': '1',
    'pageHelp.pageSize': '10000',
    'pageHelp.pageNo': '1',
    'pageHelp.endPage': '1',
  })
  const url = `${base}/commonQuery.do?${query.toString()}`
  const headers = { referer: 'https://www.sse.com.cn/assortment/stock/list/delisting/' }
  const body = (await http.get(url, (answer) => jsonOf('SSE', answer), { headers })) as Json
  const rows = body['result']
  const total = (body['pageHelp'] as Json | undefined)?.['total']
  if (!Array.isArray(rows) || (typeof total === 'number' && total !== rows.length)) {
    throw broken('SSE', 'the list of delisted stocks is not complete')
  }
  return (rows as Json[]).flatMap((row) =>
    stockOf(row['COMPANY_CODE'], row['COMPANY_ABBR'], row['LIST_DATE'], row['DELIST_DATE'], 'SH'),
  )
}

async function fetchShenzhen(base: string, http: Http): Promise<DelistedStock[]> {
  const found: DelistedStock[] = []
  let count = 0
  for (let page = 1; page <= PAGES_MAX; page++) {
    const query = new URLSearchParams({
      SHOWTYPE: 'JSON',
      CATALOGID: '1793_ssgs',
      TABKEY: 'tab2',
      PAGENO: String(page),
    })
    const url = `${base}/api/report/ShowReport/data?${query.toString()}`
    const headers = { referer: 'https://www.szse.cn/market/stock/suspend/index.html' }
    const body = await http.get(url, (answer) => jsonOf('SZSE', answer), { headers })
    const { rows, pages, total } = tabOf(body)
    count += rows.length
    found.push(
      ...rows.flatMap((row) => stockOf(row['zqdm'], row['zqjc'], row['ssrq'], row['zzrq'], 'SZ')),
    )
    if (page < pages) continue
    if (count !== total) throw broken('SZSE', `it declares ${total} rows and gave ${count}`)
    return found
  }
  throw broken('SZSE', 'the list of delisted stocks has no end')
}

function tabOf(body: unknown): { rows: readonly Json[]; pages: number; total: number } {
  const tabs = Array.isArray(body) ? (body as Json[]) : []
  const tab = tabs.find((item) => (item['metadata'] as Json | undefined)?.['tabkey'] === 'tab2')
  const { pagecount, recordcount } = (tab?.['metadata'] ?? {}) as Json
  const rows = tab?.['data']
  if (!Array.isArray(rows) || typeof pagecount !== 'number' || typeof recordcount !== 'number') {
    throw broken('SZSE', 'the list of delisted stocks is not what it was')
  }
  return { rows: rows as Json[], pages: pagecount, total: recordcount }
}

/** B shares and what has no date are no stocks of ours. */
function stockOf(
  code: unknown,
  name: unknown,
  listed: unknown,
  delisted: unknown,
  exchange: string,
): DelistedStock[] {
  const symbol = typeof code === 'string' ? parseSymbol(`${code.trim()}.${exchange}`) : undefined
  const delistDate = dayText(delisted)
  if (symbol === undefined || boardOf(symbol) === undefined || delistDate === null) return []
  const text = typeof name === 'string' && !/^-?$/.test(name.trim()) ? name.trim() : null
  return [{ symbol, name: text, listDate: dayText(listed), delistDate }]
}

/** `20200102` or `2020-01-02`. */
function dayText(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const dashed = value.trim().replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')
  return parseDay(dashed) === undefined ? null : dashed
}

function jsonOf(exchange: string, answer: HttpAnswer): Verdict<unknown> {
  const text = textOf(answer)
  if (/^\s*</.test(text)) throw broken(exchange, 'it answered a web page instead of data')
  try {
    return { kind: 'ok', value: JSON.parse(text) }
  } catch {
    return { kind: 'busy', reason: 'the answer was cut off or is no JSON' }
  }
}

function broken(exchange: string, reason: string): LakeError {
  return new LakeError('SOURCE_FAILED', `${exchange}: ${reason}`, {
    details: { exchange, reason },
    next: 'Nothing of it was stored. Run the command again later.',
  })
}
