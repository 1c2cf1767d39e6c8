/** The key of an old table: its primary key, or a stock and a date where they identify its rows. */
import type { MigratedColumn } from '../storage/lake/migration-state.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { isSymbolColumn } from './import-names.ts'
import { OLD, oldTable } from './old-file.ts'

const DATE =
  /^(trade_date|date|end_date|report_date|reportdate|period|report_period|cal_date|day|datetime|trade_time|change_date|ann_date)$/i

/**
 * The key, by the lake's names; empty if nothing looks like one. A stock and a date are proposed even where some rows
 * have equal ones or none: that is what is reported then.
 */
export async function proposedKey(
  session: Session,
  table: string,
  columns: readonly MigratedColumn[],
): Promise<string[]> {
  const primary = await primaryKey(session, table)
  const nameOf = new Map(columns.map((c) => [c.old.toLowerCase(), c.new]))
  if (primary.length > 0) return primary.map((name) => nameOf.get(name.toLowerCase())!)
  const symbol = columns.find((c) => isSymbolColumn(c.old))
  const date = columns.find((c) => DATE.test(c.old))
  if (symbol && date) return [symbol.new, date.new]
  const single = symbol ?? date
  return single && (await isUnique(session, table, single.old)) ? [single.new] : []
}

async function primaryKey(session: Session, table: string): Promise<string[]> {
  const rows = await session.rows<{ columns: string[] }>(
    `SELECT constraint_column_names AS columns FROM duckdb_constraints()
     WHERE database_name = ${literal(OLD)} AND schema_name = 'main' AND table_name = ${literal(table)}
       AND constraint_type = 'PRIMARY KEY'`,
  )
  return rows[0]?.columns ?? []
}

async function isUnique(session: Session, table: string, column: string): Promise<boolean> {
  const name = identifier(column)
  const { unique } = await session.row<{ unique: boolean }>(
    `SELECT count(*) = count(DISTINCT ${name}) AS "unique" FROM ${oldTable(table)}`,
  )
  return unique
}
