/** Sina: daily bars without amounts, and the factors of adjustment that the bars of other sources take too. */
import { LakeError } from '../model/errors.ts'
import { parseDay } from '../model/date.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Bar } from './bars.ts'
import { checkBars, numberOf, prefixedCode } from './bars.ts'
import { barCollector } from './bar-collector.ts'
import type { Collector, CollectorTools } from './collector.ts'
import type { HttpAnswer, SourceSettings, Verdict } from './http.ts'
import { textOf } from './send.ts'

const BARS_URL = 'https://money.finance.sina.com.cn'
const FACTORS_URL = 'https://finance.sina.com.cn'
/** The source gives no more bars. */
const BARS_MAX = 1023
const DAY_MS = 86_400_000

/** The collector of Sina's bars and factors. Volumes are in shares; there are no amounts to check them by. */
export function sinaCollector(settings: SourceSettings): Collector {
  return barCollector({
    source: 'sina',
    requestsPerSymbol: 1,
    bars: (symbol, range, tools) => sinaBars(settings.baseUrl, symbol, range, tools),
    factors: (symbol, tools) => sinaFactors(settings.baseUrl, symbol, tools),
  })
}

/** The bars of a symbol in a range of days, from the newest 1,023 of all. */
async function sinaBars(
  baseUrl: string,
  symbol: string,
  range: { readonly since: string; readonly until: string },
  tools: CollectorTools,
): Promise<{ rows: readonly InputRow[]; warnings: readonly string[] }> {
  const days = Math.ceil((tools.nowMs - Date.parse(range.since)) / DAY_MS) + 1
  const wanted = Math.min(BARS_MAX, Math.max(1, days))
  const query = new URLSearchParams({
    symbol: prefixedCode(symbol),
    scale: '240',
    ma: 'no',
    datalen: String(wanted),
  })
  const base = baseUrl === '' ? BARS_URL : baseUrl.replace(/\/+$/, '')
  const url = `${base}/quotes_service/api/json_v2.php/CN_MarketData.getKLineData?${query.toString()}`
  const bars = await tools.http.get(url, (answer) => judgeBars(symbol, answer))
  const warnings =
    bars.length === BARS_MAX && bars[0]!.date > range.since
      ? [`sina: bars of ${symbol} begin on ${bars[0]!.date}; the source has no older ones`]
      : []
  const inRange = bars.filter((bar) => bar.date >= range.since && bar.date <= range.until)
  const checked = checkBars(inRange, { source: 'sina', sharesOf: () => 1 })
  return { rows: checked.rows, warnings: [...warnings, ...checked.warnings] }
}

function judgeBars(symbol: string, answer: HttpAnswer): Verdict<readonly Bar[]> {
  const text = textOf(answer).trim()
  refuseWebPage(symbol, text)
  // A symbol that the source does not have.
  if (text === 'null' || text === '') return { kind: 'ok', value: [] }
  // Names without quotes, as the source wrote them for years.
  const json = text.replaceAll(/([{,])\s*([a-z_]+)\s*:/g, '$1"$2":')
  let rows: unknown
  try {
    rows = JSON.parse(json)
  } catch {
    return { kind: 'busy', reason: 'the answer was cut off or is no JSON' }
  }
  if (!Array.isArray(rows)) throw broken(symbol, 'the bars are no list')
  const bars = (rows as unknown[]).map((row) => barOf(symbol, row))
  checkOrder(
    symbol,
    bars.map((bar) => bar.date),
  )
  return { kind: 'ok', value: bars }
}

function barOf(symbol: string, row: unknown): Bar {
  if (typeof row !== 'object' || row === null || !('day' in row)) {
    throw broken(symbol, 'a bar is not what it was')
  }
  const { day, open, high, low, close, volume } = row as Record<string, unknown>
  return {
    symbol,
    date: typeof day === 'string' ? day.slice(0, 10) : '',
    open: numberOf(open),
    high: numberOf(high),
    low: numberOf(low),
    close: numberOf(close),
    volume: numberOf(volume),
  }
}

/** The factors of a symbol: one for each day on which it changed, the whole series. */
export async function sinaFactors(
  baseUrl: string,
  symbol: string,
  tools: CollectorTools,
): Promise<readonly InputRow[]> {
  const base = baseUrl === '' ? FACTORS_URL : baseUrl.replace(/\/+$/, '')
  const url = `${base}/realstock/company/${prefixedCode(symbol)}/hfq.js`
  const factors = await tools.http.get(url, (answer) => judgeFactors(symbol, answer))
  return factors.map(([date, factor]) => ({
    symbol,
    trade_date: date,
    adj_factor: factor,
    source: 'sina',
  }))
}

function judgeFactors(
  symbol: string,
  answer: HttpAnswer,
): Verdict<readonly (readonly [date: string, factor: number])[]> {
  const text = textOf(answer)
  refuseWebPage(symbol, text.trim())
  const json = /=\s*(\{[\s\S]*\})/.exec(text)?.[1]
  let body: { total?: unknown; data?: unknown } | null
  try {
    body = JSON.parse(json ?? '') as typeof body
  } catch {
    return { kind: 'busy', reason: 'the factors were cut off or are no JSON' }
  }
  const data = body?.data
  if (!Array.isArray(data) || Number(body?.total) !== data.length) {
    throw broken(symbol, 'the factors are not complete')
  }
  const factors = (data as { d?: unknown; f?: unknown }[]).map((step) => {
    const [date, factor] = [String(step.d), numberOf(step.f)]
    if (parseDay(date) === undefined || !(factor > 0)) {
      throw broken(symbol, 'a factor is not what it was')
    }
    return [date, factor] as const
  })
  const oldestFirst = factors.toReversed()
  checkOrder(
    symbol,
    oldestFirst.map(([date]) => date),
  )
  return { kind: 'ok', value: oldestFirst }
}

function checkOrder(symbol: string, dates: readonly string[]): void {
  const wrong = dates.findIndex((date, i) => i > 0 && date <= dates[i - 1]!)
  if (wrong >= 0) throw broken(symbol, `${dates[wrong]} comes after ${dates[wrong - 1]}`)
}

function refuseWebPage(symbol: string, text: string): void {
  if (text.startsWith('<')) throw broken(symbol, 'it answered a web page instead of data')
}

function broken(symbol: string, reason: string): LakeError {
  return new LakeError('SOURCE_FAILED', `sina, ${symbol}: ${reason}`, {
    details: { symbol, reason },
    next: 'Nothing of it was stored. Run the command again; it goes on where it stopped.',
  })
}
