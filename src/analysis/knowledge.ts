/** Knowledge of a date: which rows of a table were known then, and which of their columns tell the future. */
import { addDays } from '../model/date.ts'
import type { Schema } from '../model/schema.ts'
import { findField } from '../model/schema.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { VINTAGE_VIEWS } from './relation.ts'

/** What an engine may know. */
export interface Knowledge {
  /** `YYYY-MM-DD`: the knowledge at the close of that trading day. */
  readonly date: string
  /** Also demand that the lake itself had the row by then: no backfill. */
  readonly strict: boolean
  /** Tables without any date of knowledge that are shown as they are. */
  readonly include: readonly string[]
}

/** Columns that date a row's knowledge, and how, in order of preference. */
const DATED: readonly (readonly [
  column: string,
  known: (column: string, day: string) => string,
])[] = [
  ['visible_date', (column, day) => `${column} <= ${day}`],
  ['trade_date', (column, day) => `${column} <= ${day}`],
  // A notice is published after the close, so it is known on the day after it.
  ['notice_date', (column, day) => `${column} < ${day}`],
  ['ann_date', (column, day) => `${column} < ${day}`],
]

/** Rows of a table as they were known; undefined for a table that does not say when its rows were known. */
export function knownRows(
  table: string,
  sql: string,
  schema: Schema,
  knowledge: Knowledge,
): string | undefined {
  const day = `DATE ${literal(knowledge.date)}`
  const special = SPECIAL[table]
  const strict =
    knowledge.strict && findField(schema, 'known_at')
      ? ` AND known_at < TIMESTAMPTZ ${literal(`${addDays(knowledge.date, 1)} 00:00:00+08`)}`
      : ''
  if (table in VINTAGE_VIEWS) return knownReports(sql, `visible_date <= ${day}${strict}`)
  if (special && special.needs.every((name) => findField(schema, name)))
    return special.rows(sql, day)
  for (const [name, known] of DATED) {
    const type = findField(schema, name)?.type
    if (type !== 'date') continue
    return `SELECT * FROM (${sql}) WHERE ${known(identifier(name), day)}${strict}`
  }
  return knowledge.include.includes(table) ? sql : undefined
}

/** The stored flag says what is newest today; then it was the newest of what was visible. */
function knownReports(sql: string, where: string): string {
  return `SELECT * REPLACE ((row_number() OVER (PARTITION BY symbol, end_date, source
      ORDER BY visible_date DESC, vintage DESC) = 1) AS is_latest) FROM (${sql}) WHERE ${where}`
}

interface SpecialRows {
  readonly needs: readonly string[]
  readonly rows: (sql: string, day: string) => string
}

/** Reference tables whose rows change or end later. */
const SPECIAL: Readonly<Record<string, SpecialRows>> = {
  // The exchanges publish their calendar in advance.
  trade_cal: { needs: [], rows: (sql) => sql },
  stock_basic: {
    needs: ['list_date', 'delist_date', 'name', 'list_status'],
    // Today's name is not that day's: it stands in name_history.
    rows: (sql, day) =>
      `SELECT * REPLACE (CAST(NULL AS VARCHAR) AS name,
        CASE WHEN delist_date <= ${day} THEN delist_date END AS delist_date,
        CASE WHEN delist_date <= ${day} THEN 'D' ELSE 'L' END AS list_status)
       FROM (${sql}) WHERE list_date <= ${day}`,
  },
  name_history: {
    needs: ['start_date', 'end_date'],
    rows: (sql, day) =>
      `SELECT * REPLACE (CASE WHEN end_date <= ${day} THEN end_date END AS end_date)
       FROM (${sql}) WHERE start_date <= ${day}`,
  },
  share_capital: {
    needs: ['change_date', 'notice_date'],
    rows: (sql, day) =>
      `SELECT * FROM (${sql}) WHERE change_date <= ${day} AND coalesce(notice_date, change_date) <= ${day}`,
  },
}
