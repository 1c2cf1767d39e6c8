/** What the lake knows that helps sources to cut their batches: the list of stocks, the calendar, what is stored. */
import { seedCalendar } from '../model/calendar.ts'
import { shanghaiDate } from '../model/date.ts'
import { history } from '../storage/lake/catalog.ts'
import type { BatchRequest, ListedSymbol } from './collector.ts'
import type { SyncContext } from './sync.ts'

/** The part of a request for batches that the lake answers. */
export type LakeFacts = Pick<BatchRequest, 'today' | 'listed' | 'tradingDays' | 'newest'>

/** Facts at the head, read when they are asked for. */
export function lakeFacts(context: SyncContext, source: string): LakeFacts {
  return {
    today: shanghaiDate(context.store.effects.now()),
    listed: () => context.read<ListedRow>('stock_basic', LISTED_SQL),
    tradingDays: () => tradingDays(context),
    newest: (table) => newestPeriod(context, source, table),
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

/** Records that are looked at for what was stored last. */
const RECORDS_MAX = 2000

async function newestPeriod(
  context: SyncContext,
  source: string,
  table: string,
): Promise<string | undefined> {
  let newest: string | undefined
  for (const { units } of await history(context.store, { limit: RECORDS_MAX })) {
    for (const unit of units) {
      if (unit.source !== source || unit.table !== table) continue
      if (newest === undefined || unit.period > newest) newest = unit.period
    }
  }
  return newest
}
