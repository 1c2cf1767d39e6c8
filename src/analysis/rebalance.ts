/** Rebalance days: the days at whose close a strategy acts. */
import { dayOf } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import type { Reader } from './reader.ts'

/** Every open day, the last one of each week, month or quarter, or days by name. */
export type Rebalance = 'day' | 'week' | 'month' | 'quarter' | readonly string[]

/** The rebalance days from `from` to `to`, both included, oldest first; at least one. */
export async function rebalanceDays(
  engine: Reader,
  rebalance: Rebalance,
  range: { readonly from: string; readonly to: string },
): Promise<string[]> {
  const { from, to } = range
  if (dayOf(from) > dayOf(to)) {
    throw new LakeError('INVALID_ARGUMENT', `${from} is after ${to}`, { details: { from, to } })
  }
  const days =
    typeof rebalance === 'string'
      ? await calendarDays(engine, rebalance, from, to)
      : namedDays(rebalance, from, to)
  if (days.length > 0) return days
  throw new LakeError('INVALID_ARGUMENT', `there is no rebalance day from ${from} to ${to}`, {
    details: { from, to, rebalance },
    next: 'Widen the range. The last open day of a period counts only when the calendar knows the day after it.',
  })
}

function namedDays(days: readonly string[], from: string, to: string): string[] {
  for (const day of days) dayOf(day)
  return [...new Set(days)].filter((day) => day >= from && day <= to).toSorted()
}

/** A period is over when the next open day lies in another one, so a run that ends earlier chooses no other days. */
async function calendarDays(
  engine: Reader,
  unit: 'day' | 'week' | 'month' | 'quarter',
  from: string,
  to: string,
): Promise<string[]> {
  const rows = await engine.query<{ date: string }>(
    `SELECT date FROM (SELECT date, lead(date) OVER (ORDER BY date) AS next FROM trade_cal WHERE is_open)
     WHERE date BETWEEN $from AND $to
       ${unit === 'day' ? '' : `AND date_trunc('${unit}', next) <> date_trunc('${unit}', date)`}
     ORDER BY date`,
    { from, to },
  )
  return rows.map((row) => row.date)
}
