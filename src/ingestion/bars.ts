/** Daily bars of any source: checked row by row, in shares and yuan, however the source counts. */
import { LakeError } from '../model/errors.ts'
import { parseDay } from '../model/date.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'

/** A bar as a source gives it: prices in yuan, not adjusted. */
export interface Bar {
  readonly symbol: string
  readonly date: string
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  /** The close before, where the source has it. */
  readonly preClose?: number | null
  /** In the source's unit. */
  readonly volume: number
  /** In yuan, where the source has it. */
  readonly amount?: number | null
}

/** Bars that passed, as rows of `daily`, and what was odd. */
export interface CheckedBars {
  readonly rows: readonly InputRow[]
  readonly warnings: readonly string[]
}

/** How a source counts. */
export interface BarOptions {
  readonly source: string
  /** Shares in the source's unit of volume, as documented. */
  readonly sharesOf: (symbol: string) => 1 | 100
}

/** A bar in so many may be wrong and is left out with a warning; more mean that the source has changed. */
const BAD_SHARE_MAX = 0.01
/** The average price of a day lies within its range, so the ratio of amount to close × volume is near 1. */
const RATIO_MIN = 0.7
const RATIO_MAX = 1.4
/** Cents are rounded. */
const TOLERANCE = 1.0001

/** Turns the bars of one symbol into rows. A unit of volume that is wrong for the amounts is found and refused. */
export function checkBars(bars: readonly Bar[], options: BarOptions): CheckedBars {
  if (bars.length === 0) return { rows: [], warnings: [] }
  const { symbol } = bars[0]!
  const good = bars.filter(isSound)
  const bad = bars.filter((bar) => !isSound(bar))
  if (bad.length > 1 && bad.length > bars.length * BAD_SHARE_MAX)
    throw unsound(options, bars, bad[0]!)
  const shares = sharesPerUnit(good, options)
  const rows = good.map((bar) => rowOf(bar, shares, options.source))
  const warnings = bad.map(
    (bar) =>
      `${options.source}: the bar of ${symbol} on ${bar.date} is impossible and was left out`,
  )
  return { rows, warnings }
}

/** The low is lowest, the high is highest, nothing is negative; a day without trade has no range. */
function isSound(bar: Bar): boolean {
  const { open, high, low, close, volume } = bar
  if (![open, high, low, close, volume].every((n) => Number.isFinite(n))) return false
  if (parseDay(bar.date) === undefined || close <= 0 || volume < 0) return false
  if (volume === 0 && open === 0) return true
  const [top, bottom] = [Math.max(open, close), Math.min(open, close)]
  return high * TOLERANCE >= top && low <= bottom * TOLERANCE && low > 0
}

/**
 * Shares in a unit of volume, by the amounts where there are any. The documented unit counts where it fits;
 * where the other one fits, the source counts this symbol otherwise.
 */
function sharesPerUnit(bars: readonly Bar[], options: BarOptions): number {
  const documented = options.sharesOf(bars[0]?.symbol ?? '')
  const ratio = medianRatio(bars)
  if (ratio === undefined) return documented
  const fits = (shares: number): boolean => ratio / shares > RATIO_MIN && ratio / shares < RATIO_MAX
  const found = [documented, 1, 100].find(fits)
  if (found !== undefined) return found
  throw new LakeError(
    'SOURCE_FAILED',
    `${options.source}: volumes and amounts of ${bars[0]!.symbol} do not fit: their ratio to the price is ${ratio.toPrecision(4)}`,
    {
      details: { source: options.source, symbol: bars[0]!.symbol, ratio },
      next: 'Nothing of it was stored. The source changed its units; a newer version of marketlake may know them.',
    },
  )
}

/** The median of amount / (close × volume); about 1 for shares and 100 for lots. */
export function medianRatio(
  bars: readonly Pick<Bar, 'close' | 'volume' | 'amount'>[],
): number | undefined {
  const ratios = bars
    .filter((bar) => bar.volume > 0 && typeof bar.amount === 'number' && bar.amount > 0)
    .map((bar) => bar.amount! / (bar.close * bar.volume))
    .toSorted((a, b) => a - b)
  return ratios[Math.floor(ratios.length / 2)]
}

function rowOf(bar: Bar, shares: number, source: string): InputRow {
  // A suspended day has a close and no trade.
  const traded = bar.open > 0
  return {
    symbol: bar.symbol,
    trade_date: bar.date,
    open: traded ? bar.open : null,
    high: traded ? bar.high : null,
    low: traded ? bar.low : null,
    close: bar.close,
    volume: bar.volume * shares,
    ...(bar.preClose !== undefined && { pre_close: bar.preClose }),
    ...(bar.amount !== undefined && { amount: bar.amount }),
    source,
  }
}

function unsound(options: BarOptions, bars: readonly Bar[], bad: Bar): LakeError {
  return new LakeError(
    'SOURCE_FAILED',
    `${options.source}: too many impossible bars of ${bad.symbol}, the first on ${bad.date}`,
    {
      details: { source: options.source, symbol: bad.symbol, bars: bars.length, bar: bad },
      next: 'Nothing of it was stored. The source may have changed the order of its columns.',
    },
  )
}

/** A number of a text; NaN for `-` and everything else that is none, so that the checks see it. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value.trim())
    ? Number(value)
    : Number.NaN
}

/** `sh600519` of `600519.SH`. */
export function prefixedCode(symbol: string): string {
  return `${symbol.slice(7).toLowerCase()}${symbol.slice(0, 6)}`
}
