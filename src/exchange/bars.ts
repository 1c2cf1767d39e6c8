/** Sina and Tencent: bars as text, lots and shares mixed, factors as a script. */
import type { Company } from './market.ts'
import { barsOf, factorsOf } from './prices.ts'
import type { PlainAnswer } from './plain-answer.ts'
import { jsonAnswer, textAnswer } from './plain-answer.ts'
import type { World } from './reports.ts'

const SINA_BARS_MAX = 1023
const TENCENT_BARS_MAX = 640
const YUAN_PER_WAN = 10_000

/** Sina's daily bars: the newest of all, in shares, without amounts; `null` for a stock it does not have. */
export function sinaBars(world: World, query: URLSearchParams): PlainAnswer {
  const company = companyOf(world, query.get('symbol') ?? '')
  if (!company) return textAnswer('null', 'gbk')
  const bars = barsOf(world.seed, company, company.listDate, world.today)
  const count = Math.min(SINA_BARS_MAX, Number(query.get('datalen') ?? SINA_BARS_MAX))
  const rows = bars.slice(-count).map((bar) => ({
    day: bar.date,
    open: bar.open.toFixed(3),
    high: bar.high.toFixed(3),
    low: bar.low.toFixed(3),
    close: bar.close.toFixed(3),
    volume: String(bar.shares),
  }))
  return textAnswer(JSON.stringify(rows), 'gbk')
}

const FACTORS_PATH = /^\/realstock\/company\/([a-z]{2}\d{6})\/hfq\.js$/

/** Sina's factors, newest first, down to the sentinel, in a script whose comment is GBK. */
export function sinaFactors(world: World, path: string): PlainAnswer | undefined {
  const code = FACTORS_PATH.exec(path)?.[1]
  if (code === undefined) return undefined
  const company = companyOf(world, code)
  const steps = company ? factorsOf(world.seed, company, world.today).toReversed() : []
  const data = steps.map((step) => ({ d: step.date, f: step.factor.toFixed(6) }))
  const script = `var ${code}hfq=${JSON.stringify({ total: data.length, data })}\n/* `
  const note = Uint8Array.from([0xb8, 0xb4, 0xc8, 0xa8])
  const body = Buffer.concat([Buffer.from(script), note, Buffer.from(' */')])
  return { status: 200, type: 'application/javascript; charset=gbk', body }
}

/** Tencent's bars of a range: volumes in lots, except on the board whose numbers begin with 68. */
export function tencentBars(world: World, query: URLSearchParams): PlainAnswer {
  const [code = '', , since = '', until = '', count = ''] = (query.get('param') ?? '').split(',')
  const company = companyOf(world, code)
  if (!company) return jsonAnswer({ code: 0, msg: '', data: { [code]: [] } })
  const last = until < world.today ? until : world.today
  const lot = company.code.startsWith('68') ? 1 : 100
  const day = barsOf(world.seed, company, since, last)
    .slice(-Math.min(TENCENT_BARS_MAX, Number(count) || TENCENT_BARS_MAX))
    .map((bar) => [
      bar.date,
      bar.open.toFixed(3),
      bar.close.toFixed(3),
      bar.high.toFixed(3),
      bar.low.toFixed(3),
      (bar.shares / lot).toFixed(3),
      {},
      '0.50',
      (bar.yuan / YUAN_PER_WAN).toFixed(4),
    ])
  return jsonAnswer({ code: 0, msg: '', data: { [code]: { day } } })
}

function companyOf(world: World, code: string): Company | undefined {
  const symbol = `${code.slice(2)}.${code.slice(0, 2).toUpperCase()}`
  return world.market.companies.find((company) => company.symbol === symbol)
}
