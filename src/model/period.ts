/** Report periods: the four quarter ends of a year, and the ranges users type. */
import { dayOf, formatDay, parseDay } from './date.ts'
import { LakeError } from './errors.ts'

const QUARTER_ENDS = ['03-31', '06-30', '09-30', '12-31'] as const

/** The quarter end of `2024Q4`, or of a date that is a quarter end; an error otherwise. */
export function parsePeriod(text: string): string {
  const quarter = /^(\d{4})[Qq]([1-4])$/.exec(text)
  if (quarter) return `${quarter[1]}-${QUARTER_ENDS[Number(quarter[2]) - 1]}`
  if (parseDay(text) !== undefined && isQuarterEnd(text)) return text
  throw new LakeError('INVALID_ARGUMENT', `not a report period: ${text}`, {
    details: { text },
    next: 'Write a quarter end such as 2024-12-31, or 2024Q4.',
  })
}

/** True for the last day of a calendar quarter. */
export function isQuarterEnd(date: string): boolean {
  return (QUARTER_ENDS as readonly string[]).includes(date.slice(5))
}

/** `2024Q4` of a quarter end. */
export function quarterName(period: string): string {
  return `${period.slice(0, 4)}Q${QUARTER_ENDS.findIndex((end) => period.endsWith(end)) + 1}`
}

/** Quarter ends from `since` to `until`, both included, oldest first. */
export function quarterEnds(since: string, until: string): string[] {
  const first = Number(since.slice(0, 4))
  const last = Number(until.slice(0, 4))
  const years = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
  return years
    .flatMap((year) => QUARTER_ENDS.map((end) => `${String(year).padStart(4, '0')}-${end}`))
    .filter((period) => period >= since && period <= until)
}

/** The quarter end `count` quarters after (or, negative, before) a quarter end. */
export function addQuarters(period: string, count: number): string {
  const quarter = QUARTER_ENDS.findIndex((end) => period.endsWith(end))
  const index = Number(period.slice(0, 4)) * 4 + quarter + count
  return `${String(Math.floor(index / 4)).padStart(4, '0')}-${QUARTER_ENDS[((index % 4) + 4) % 4]}`
}

/** The newest quarter end that is not after a date. */
export function quarterEndBefore(date: string): string {
  const year = Number(date.slice(0, 4))
  return quarterEnds(`${year - 1}-01-01`, date).at(-1)!
}

/** A date option: a bare year or month is its first day (`since`) or its last (`until`); a quarter is its end. */
export function parseBound(text: string, side: 'since' | 'until'): string {
  if (/^\d{4}[Qq][1-4]$/.test(text)) return parsePeriod(text)
  const year = /^\d{4}$/.exec(text)
  if (year) return side === 'since' ? `${text}-01-01` : `${text}-12-31`
  const month = /^(\d{4})-(\d{2})$/.exec(text)
  if (month) return side === 'since' ? formatDay(dayOf(`${text}-01`)) : lastOfMonth(text)
  return formatDay(dayOf(text))
}

function lastOfMonth(month: string): string {
  const [year, number] = month.split('-').map(Number)
  dayOf(`${month}-01`)
  return formatDay(Date.UTC(year!, number!, 1) / 86_400_000 - 1)
}
