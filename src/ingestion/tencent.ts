/** Tencent: daily bars with amounts, by ranges of days; factors are Sina's. */
import { addDays } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Bar } from './bars.ts'
import { checkBars, numberOf, prefixedCode } from './bars.ts'
import { barCollector } from './bar-collector.ts'
import type { DayRange } from './bar-collector.ts'
import type { Collector, CollectorTools } from './collector.ts'
import type { HttpAnswer, SourceSettings, Verdict } from './http.ts'
import { textOf } from './send.ts'
import { sinaFactors } from './sina.ts'

const BARS_URL = 'https://web.ifzq.gtimg.cn'
/** Bars a request gives at most. */
const BARS_MAX = 640
/** Trading days of this many calendar days always fit into one request. */
const WINDOW_DAYS = 900
const YUAN_PER_WAN = 10_000

/** The collector of Tencent's bars and Sina's factors. */
export function tencentCollector(settings: SourceSettings, sina: SourceSettings): Collector {
  return barCollector({
    source: 'tencent',
    requestsPerSymbol: 1,
    bars: (symbol, range, tools) => tencentBars(settings.baseUrl, symbol, range, tools),
    factors: (symbol, tools) => sinaFactors(sina.baseUrl, symbol, tools),
  })
}

async function tencentBars(
  baseUrl: string,
  symbol: string,
  range: DayRange,
  tools: CollectorTools,
): Promise<{ rows: readonly InputRow[]; warnings: readonly string[] }> {
  const bars = new Map<string, Bar>()
  for (let since = range.since; since <= range.until; since = addDays(since, WINDOW_DAYS)) {
    const last = addDays(since, WINDOW_DAYS - 1)
    const until = last < range.until ? last : range.until
    for (const bar of await windowBars(baseUrl, symbol, { since, until }, tools))
      bars.set(bar.date, bar)
  }
  const ordered = [...bars.values()].toSorted((a, b) => (a.date < b.date ? -1 : 1))
  // Lots of 100 shares, except on the board whose numbers begin with 68.
  return checkBars(ordered, {
    source: 'tencent',
    sharesOf: (code) => (code.startsWith('68') ? 1 : 100),
  })
}

async function windowBars(
  baseUrl: string,
  symbol: string,
  range: DayRange,
  tools: CollectorTools,
): Promise<readonly Bar[]> {
  const base = baseUrl === '' ? BARS_URL : baseUrl.replace(/\/+$/, '')
  const code = prefixedCode(symbol)
  const parameter = `${code},day,${range.since},${range.until},${BARS_MAX},`
  const url = `${base}/appstock/app/fqkline/get?param=${encodeURIComponent(parameter)}`
  const bars = await tools.http.get(url, (answer) => judge(symbol, code, answer))
  if (bars.length >= BARS_MAX) throw broken(symbol, `it gave ${bars.length} bars and may have more`)
  return bars.filter((bar) => bar.date >= range.since && bar.date <= range.until)
}

type Json = Readonly<Record<string, unknown>>

function judge(symbol: string, code: string, answer: HttpAnswer): Verdict<readonly Bar[]> {
  const text = textOf(answer).trim()
  if (text.startsWith('<')) throw broken(symbol, 'it answered a web page instead of data')
  let body: Json
  try {
    body = JSON.parse(text) as Json
  } catch {
    return { kind: 'busy', reason: 'the answer was cut off or is no JSON' }
  }
  if (body['code'] !== 0) {
    throw broken(symbol, `code ${JSON.stringify(body['code'])}: ${JSON.stringify(body['msg'])}`)
  }
  const series = (body['data'] as Json | undefined)?.[code] as Json | undefined
  // A symbol that the source does not have comes without a series.
  if (series === undefined || Array.isArray(series)) return { kind: 'ok', value: [] }
  const adjusted = ['qfqday', 'hfqday'].some((key) => key in series)
  const rows = series['day']
  if (rows === undefined && adjusted)
    throw broken(symbol, 'it gave adjusted bars, which were not asked for')
  if (rows === undefined) return { kind: 'ok', value: [] }
  if (!Array.isArray(rows)) throw broken(symbol, 'the bars are no list')
  return { kind: 'ok', value: (rows as unknown[]).map((row) => barOf(symbol, row)) }
}

/** Date, open, close, high, low, volume, a note, turnover, amount in tens of thousands of yuan. */
function barOf(symbol: string, row: unknown): Bar {
  if (!Array.isArray(row) || row.length < 6 || typeof row[0] !== 'string') {
    throw broken(symbol, 'a bar is not what it was')
  }
  const [date, open, close, high, low, volume, , , amount] = row as unknown[]
  const wan = numberOf(amount)
  return {
    symbol,
    date: String(date),
    open: numberOf(open),
    high: numberOf(high),
    low: numberOf(low),
    close: numberOf(close),
    volume: numberOf(volume),
    amount: Number.isFinite(wan) ? Math.round(wan * YUAN_PER_WAN * 100) / 100 : null,
  }
}

function broken(symbol: string, reason: string): LakeError {
  return new LakeError('SOURCE_FAILED', `tencent, ${symbol}: ${reason}`, {
    details: { symbol, reason },
    next: 'Nothing of it was stored. Run the command again; it goes on where it stopped.',
  })
}
