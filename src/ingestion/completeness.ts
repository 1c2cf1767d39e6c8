/** Completeness of report periods: a period whose deadline has passed holds about as many stocks as those beside it. */
import { shanghaiDate } from '../model/date.ts'
import { standardTable } from '../model/standard-tables.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { ThinPeriod } from './events.ts'
import type { PlannedBatch, SyncContext } from './sync-options.ts'

/** Below this share of the thinner of its neighbours a period is suspect; listings alone change it by a few percent. */
const SHARE_MIN = 0.9
/** With fewer stocks shares mean nothing. */
const SYMBOLS_MIN = 20

/** Periods of the batches' tables that are suspect, oldest first. Only what a whole batch of a quarter can fill. */
export async function thinPeriods(
  context: SyncContext,
  batches: readonly PlannedBatch[],
): Promise<ThinPeriod[]> {
  const today = shanghaiDate(context.store.effects.now())
  const asked = new Map<string, { source: string; table: string; periods: Set<string> }>()
  for (const { kind, source, tables, period } of batches) {
    if (kind !== 'quarter') continue
    for (const table of tables) {
      if (!standardTable(table)?.vintage) continue
      const key = `${source}|${table}`
      const entry = asked.get(key) ?? { source, table, periods: new Set() }
      entry.periods.add(period)
      asked.set(key, entry)
    }
  }
  const thin: ThinPeriod[] = []
  for (const { source, table, periods } of asked.values()) {
    const counts = await countSymbols(context, source, table, periods)
    thin.push(...suspects(counts, today, periods).map((found) => ({ source, table, ...found })))
  }
  return thin
}

/** Stocks of a period. */
export interface PeriodCount {
  readonly period: string
  readonly symbols: number
}

/**
 * The suspects among some periods. A period counts once its deadline has passed; it is compared with the periods
 * before and after it that count too, and is suspect if it falls short of the thinner of them.
 */
export function suspects(
  counts: readonly PeriodCount[],
  today: string,
  among: ReadonlySet<string>,
): { period: string; symbols: number; expected: number }[] {
  const symbolsOf = new Map(counts.map(({ period, symbols }) => [period, symbols]))
  const due = (period: string): boolean => deadlineOf(period) < today
  return [...among].toSorted().flatMap((period) => {
    if (!due(period)) return []
    const beside = [nextQuarter(period, -1), nextQuarter(period, 1)].flatMap((other) => {
      const symbols = due(other) ? symbolsOf.get(other) : undefined
      return symbols === undefined ? [] : [symbols]
    })
    const expected = Math.min(...beside)
    const symbols = symbolsOf.get(period) ?? 0
    const suspect = beside.length > 0 && expected >= SYMBOLS_MIN && symbols < expected * SHARE_MIN
    return suspect ? [{ period, symbols, expected }] : []
  })
}

/** The last day on which a report may be published (CSRC): 30 April, 31 August, 31 October, 30 April of the next year. */
function deadlineOf(period: string): string {
  const year = Number(period.slice(0, 4))
  switch (period.slice(5)) {
    case '03-31':
      return `${String(year)}-04-30`
    case '06-30':
      return `${String(year)}-08-31`
    case '09-30':
      return `${String(year)}-10-31`
    default:
      return `${String(year + 1)}-04-30`
  }
}

const ENDS = ['03-31', '06-30', '09-30', '12-31'] as const

function nextQuarter(period: string, step: 1 | -1): string {
  const index =
    Number(period.slice(0, 4)) * 4 + ENDS.findIndex((end) => period.endsWith(end)) + step
  return `${String(Math.floor(index / 4)).padStart(4, '0')}-${ENDS[((index % 4) + 4) % 4]!}`
}

/** Stocks by period, of these periods and those beside them. */
async function countSymbols(
  context: SyncContext,
  source: string,
  table: string,
  periods: ReadonlySet<string>,
): Promise<PeriodCount[]> {
  const sorted = [...periods].toSorted()
  const [from, to] = [nextQuarter(sorted[0]!, -1), nextQuarter(sorted.at(-1)!, 1)]
  const rows = await context.read<{ period: string; symbols: bigint }>(
    table,
    `SELECT CAST(end_date AS VARCHAR) AS period, count(DISTINCT symbol) AS symbols
     FROM rows WHERE source = ${literal(source)} AND is_latest
       AND end_date BETWEEN DATE ${literal(from)} AND DATE ${literal(to)} GROUP BY 1`,
  )
  return rows.map((row) => ({ period: row.period, symbols: Number(row.symbols) }))
}
