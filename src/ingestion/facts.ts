/** What the lake knows that helps sources to cut their batches: the list of stocks, the calendar, what is stored. */
import { seedCalendar } from '../model/calendar.ts'
import { shanghaiDate } from '../model/date.ts'
import { literal } from '../storage/parquet/sql.ts'
import { history } from '../storage/lake/catalog.ts'
import type { BatchRequest, ListedSymbol } from './collector.ts'
import type { SyncContext } from './sync-options.ts'

/** The part of a request for batches that the lake answers. */
export type LakeFacts = Pick<
  BatchRequest,
  'today' | 'listed' | 'tradingDays' | 'stored' | 'lastDates'
>

/** Facts at the head, read when they are asked for. */
export function lakeFacts(context: SyncContext, source: string): LakeFacts {
  return {
    today: shanghaiDate(context.store.effects.now()),
    listed: () => context.read<ListedRow>('stock_basic', LISTED_SQL),
    tradingDays: () => tradingDays(context),
    stored: (table) => storedPeriods(context, source, table),
    lastDates: (table) => lastDates(context, table),
  }
}

type ListedRow = ListedSymbol & Readonly<Record<string, string | null>>

const LISTED_SQL = `SELECT symbol, CAST(list_date AS VARCHAR) AS "listDate", CAST(delist_date AS VARCHAR) AS "delistDate"
  FROM rows ORDER BY symbol`

/** Open days of the lake's calendar, else of the built-in one. */
async function tradingDays(context: SyncContext): Promise<string[]> {
  const stored = await context.read<{ date: string }>(
    'trade_cal',
    'SELECT CAST(date AS VARCHAR) AS date FROM rows WHERE is_open ORDER BY date',
  )
  if (stored.length > 0) return stored.map((row) => row.date)
  return seedCalendar().flatMap((day) => (day.is_open ? [day.date] : []))
}

/** Records that are looked at; what was stored before is fetched once more. */
const RECORDS_MAX = 5000

/**
 * Days that a source has stored: what the history tells, as far as the table holds it still. A restore, a drop or a
 * deletion takes rows away and leaves the history.
 */
async function storedPeriods(
  context: SyncContext,
  source: string,
  table: string,
): Promise<Set<string>> {
  const told = await toldPeriods(context, source, table)
  if (told.size === 0) return told
  const there = await context.read<{ day: string; own: boolean }>(
    table,
    `SELECT CAST(trade_date AS VARCHAR) AS day, bool_or(source = ${literal(source)}) AS own FROM rows GROUP BY 1`,
  )
  // Another source may have taken the series over; then nothing is missing that this one should bring again.
  if (there.length > 0 && !there.some(({ own }) => own)) return told
  return new Set(there.flatMap(({ day }) => (told.has(day) ? [day] : [])))
}

async function toldPeriods(
  context: SyncContext,
  source: string,
  table: string,
): Promise<Set<string>> {
  const periods = new Set<string>()
  for (const { units } of await history(context.store, { limit: RECORDS_MAX })) {
    for (const unit of units) {
      if (unit.source === source && unit.table === table) periods.add(unit.period)
    }
  }
  return periods
}

async function lastDates(context: SyncContext, table: string): Promise<Map<string, string>> {
  const rows = await context.read<{ symbol: string; last: string }>(
    table,
    'SELECT symbol, CAST(max(trade_date) AS VARCHAR) AS last FROM rows GROUP BY symbol',
  )
  return new Map(rows.map((row) => [row.symbol, row.last]))
}
