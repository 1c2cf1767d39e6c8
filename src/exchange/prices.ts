/** Prices of the simulated market: bars and factors of any stock on any day, without a memory of the days before. */
import { seedCalendar } from '../model/calendar.ts'
import { addDays, dayOf } from '../model/date.ts'
import type { Company } from './market.ts'
import { bell, chance } from './random.ts'

/** A bar in shares and yuan, not adjusted. */
export interface SimulatedBar {
  readonly date: string
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly preClose: number
  readonly shares: number
  readonly yuan: number
}

/** A step of the factor by which prices are adjusted backwards. */
export interface FactorStep {
  readonly date: string
  readonly factor: number
}

let open: readonly string[] | undefined

/** Open days of the built-in calendar. */
export function openDays(): readonly string[] {
  return (open ??= seedCalendar().flatMap((day) => (day.is_open ? [day.date] : [])))
}

/** The bars of a stock on the open days of a range on which it was listed and traded. */
export function barsOf(
  seed: number,
  company: Company,
  since: string,
  until: string,
): SimulatedBar[] {
  const first = since > company.listDate ? since : company.listDate
  const last = company.delistDate !== '' && company.delistDate < until ? company.delistDate : until
  const steps = factorsOf(seed, company, until)
  return openDays()
    .filter((day) => day >= first && day <= last && chance(seed, company.code, day, 'halt') > 0.004)
    .map((day) => barOf(seed, company, day, steps))
}

function barOf(
  seed: number,
  company: Company,
  day: string,
  steps: readonly FactorStep[],
): SimulatedBar {
  const price = (date: string, word: string): number =>
    adjustedPrice(seed, company, date, word) / factorOn(steps, date)
  const [open_, close] = [price(day, 'open'), price(day, 'close')].map(cents)
  const [top, bottom] = [Math.max(open_!, close!), Math.min(open_!, close!)]
  const shares = Math.round(Math.exp(13 + 1.2 * bell(seed, company.code, 'trade')) / 100) * 100
  return {
    date: day,
    open: open_!,
    high: cents(top * (1 + 0.01 * chance(seed, company.code, day, 'high'))),
    low: Math.max(0.01, cents(bottom * (1 - 0.01 * chance(seed, company.code, day, 'low')))),
    close: close!,
    preClose: cents(adjustedPrice(seed, company, addDays(day, -1), 'close') / factorOn(steps, day)),
    shares,
    yuan: cents(shares * ((open_! + close!) / 2)),
  }
}

/** The price with all payouts put back in; it wanders, and has no steps on ex-dates. */
function adjustedPrice(seed: number, company: Company, date: string, word: string): number {
  const day = dayOf(date)
  const { code } = company
  const base = Math.exp(2.6 + 0.7 * bell(seed, code, 'price'))
  const wave = 0.3 * Math.sin(day / 190 + 6 * chance(seed, code, 'phase')) + day / 40_000
  return base * Math.exp(wave + 0.012 * bell(seed, code, day, word))
}

/** Each June a stock pays something; the first step is the beginning of time. */
export function factorsOf(seed: number, company: Company, until: string): FactorStep[] {
  const steps: FactorStep[] = [{ date: '1900-01-01', factor: 1 }]
  for (let year = Number(company.listDate.slice(0, 4)) + 1; ; year++) {
    const date = `${year}-06-${10 + Math.floor(chance(seed, company.code, year, 'ex') * 20)}`
    if (date > until || (company.delistDate !== '' && date > company.delistDate)) return steps
    const payout = 1 + 0.01 + 0.03 * chance(seed, company.code, year, 'payout')
    steps.push({ date, factor: Number((steps.at(-1)!.factor * payout).toFixed(6)) })
  }
}

/** The factor that counts on a day. */
export function factorOn(steps: readonly FactorStep[], date: string): number {
  return steps.findLast((step) => step.date <= date)?.factor ?? 1
}

function cents(value: number): number {
  return Math.max(0.01, Math.round(value * 100) / 100)
}
