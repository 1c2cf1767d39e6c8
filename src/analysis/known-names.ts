/** The names that completion offers: relations with their columns, and macros. */
import type { Row } from '../storage/parquet/values.ts'
import type { KnownColumn, KnownNames } from './completion.ts'
import type { Display } from './display.ts'
import type { AnalysisEngine } from './engine.ts'

/** The schemas that the views of an engine stand in; the last two and `meta` are made when they are named. */
const COLUMNS = `SELECT table_schema AS "schema", table_name AS relation, column_name AS "column"
  FROM information_schema.columns
  WHERE table_catalog = current_database() AND table_schema IN ('main', 'meta', 'tushare', 'akshare')`

/** All of an engine. */
export async function knownNames(
  engine: AnalysisEngine,
  { relations }: Display,
): Promise<KnownNames> {
  const columns = await engine.query<KnownColumn & Row>(COLUMNS)
  const named = (kind: string): string[] =>
    [...relations.values()].filter((r) => r.kind === kind).map((r) => r.name)
  return { columns, tableMacros: named('table macro'), scalarMacros: named('scalar macro') }
}
