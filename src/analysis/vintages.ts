/** The versions of one report: when each came, from whom, and what it changed. */
import { parsePeriod } from '../model/period.ts'
import { VINTAGE_COLUMNS } from '../model/standard-tables.ts'
import { normalizeSymbol } from '../model/symbol.ts'
import type { Row, Value } from '../storage/parquet/values.ts'
import type { Reader } from './reader.ts'
import { VINTAGE_VIEWS } from './relation.ts'

/** A value that a version has otherwise than the one before it. */
export interface ReportChange {
  readonly column: string
  readonly before: Value
  readonly after: Value
}

/** One version of one report of one table. */
export interface ReportVintage {
  readonly table: string
  readonly source: string
  readonly vintage: number
  readonly noticeDate: string | null
  readonly visibleDate: string | null
  readonly knownAt: string
  readonly origin: string
  readonly isLatest: boolean
  /** Against the version before it of the same source; of the first version everything it says. */
  readonly changes: readonly ReportChange[]
}

/** All versions of a report, by table, source and number. */
export async function reportVintages(
  engine: Reader,
  symbol: string,
  period: string,
): Promise<ReportVintage[]> {
  const key = [normalizeSymbol(symbol), parsePeriod(period)]
  const found: ReportVintage[] = []
  for (const [table, view] of Object.entries(VINTAGE_VIEWS)) {
    const rows = await engine.query(
      `SELECT * FROM ${view}_all WHERE symbol = ? AND end_date = CAST(? AS DATE) ORDER BY source, vintage`,
      key,
    )
    for (const [i, row] of rows.entries()) {
      const before = rows[i - 1]?.['source'] === row['source'] ? rows[i - 1] : undefined
      found.push(vintageOf(table, row, before))
    }
  }
  return found
}

function vintageOf(table: string, row: Row, before: Row | undefined): ReportVintage {
  const measures = Object.keys(row).filter((name) => !VINTAGE_COLUMNS.includes(name))
  return {
    table,
    source: row['source'] as string,
    vintage: row['vintage'] as number,
    noticeDate: row['notice_date'] as string | null,
    visibleDate: row['visible_date'] as string | null,
    knownAt: row['known_at'] as string,
    origin: row['origin'] as string,
    isLatest: row['is_latest'] === true,
    changes: measures
      .map((column) => ({ column, before: before?.[column] ?? null, after: row[column]! }))
      .filter((change) => change.before !== change.after),
  }
}
