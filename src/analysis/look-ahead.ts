/** Look-ahead: answers about the past that change when later knowledge is let in. */
import { dayOf } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import type { Row, Value } from '../storage/parquet/values.ts'
import { jsonOf } from '../storage/parquet/values.ts'
import type { DatedReader } from './reader.ts'

/** What is compared. */
export interface LookAheadOptions {
  /** The earlier date of knowledge, and the later one. */
  readonly dates: readonly [early: string, late: string]
  /** Columns of the result that identify a row. */
  readonly key: readonly string[]
  /** A date column: only rows up to the earlier date are compared. Without it all rows must be the same. */
  readonly dateColumn?: string
  readonly parameters?: Parameters
}

/** A row that later knowledge changed, let appear, or took away. */
export interface LookAhead {
  readonly kind: 'changed' | 'appeared' | 'disappeared'
  readonly key: Row
  readonly before: Row | undefined
  readonly after: Row | undefined
  /** Columns whose values differ, for `changed`. */
  readonly columns: readonly string[]
}

/**
 * Runs a query as of two dates and names the rows that differ. A query about the past whose answer depends on when it
 * is asked uses what was not known then: run with today's knowledge, a backtest of it looks ahead.
 */
export async function findLookAhead(
  engine: DatedReader,
  sql: string,
  options: LookAheadOptions,
): Promise<LookAhead[]> {
  const [early, late] = options.dates
  if (dayOf(early) >= dayOf(late)) {
    throw new LakeError('INVALID_ARGUMENT', 'the first date must be before the second', {
      details: { dates: options.dates },
    })
  }
  const answers: ResultTable[] = []
  for (const date of options.dates) {
    const dated = await engine.asOf(date)
    try {
      answers.push(await dated.table(sql, options.parameters))
    } finally {
      await dated.close()
    }
  }
  return compareRows(rowsOf(answers[0]!, options), rowsOf(answers[1]!, options), options.key)
}

/** Compares two answers, row by row of a key. */
export function compareRows(
  before: readonly Row[],
  after: readonly Row[],
  key: readonly string[],
): LookAhead[] {
  const [then, now] = [byKey(before, key), byKey(after, key)]
  const found: LookAhead[] = []
  for (const text of new Set([...then.keys(), ...now.keys()])) {
    const [old, fresh] = [then.get(text), now.get(text)]
    const columns = old && fresh ? differing(old, fresh) : []
    const kind = !old ? 'appeared' : !fresh ? 'disappeared' : 'changed'
    if (kind === 'changed' && columns.length === 0) continue
    const identity = Object.fromEntries(key.map((name) => [name, (old ?? fresh)![name]!]))
    found.push({ kind, key: identity, before: old, after: fresh, columns })
  }
  return found
}

function rowsOf({ columns, rows }: ResultTable, options: LookAheadOptions): Row[] {
  const names = columns.map((column) => column.name)
  const wanted = [...options.key, ...(options.dateColumn === undefined ? [] : [options.dateColumn])]
  const missing = wanted.find((name) => !names.includes(name))
  if (missing !== undefined) {
    throw new LakeError('COLUMN_NOT_FOUND', `the result has no column ${missing}`, {
      details: { column: missing, columns: names },
    })
  }
  const objects = rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]!])))
  const { dateColumn, dates } = options
  return dateColumn === undefined
    ? objects
    : objects.filter((row) => cellDate(row[dateColumn]) <= dates[0])
}

/** Dates and timestamps come as texts that sort by time; NULL is before all. */
function cellDate(value: Value | undefined): string {
  return typeof value === 'string' ? value.slice(0, 10) : ''
}

function byKey(rows: readonly Row[], key: readonly string[]): Map<string, Row> {
  const found = new Map<string, Row>()
  for (const row of rows) {
    const text = JSON.stringify(key.map((name) => jsonOf(row[name]!)))
    if (found.has(text)) {
      throw new LakeError('DUPLICATE_KEY', `two rows of the result have the key ${text}`, {
        details: { key, value: text },
        next: 'Name all columns that identify a row of the result.',
      })
    }
    found.set(text, row)
  }
  return found
}

function differing(before: Row, after: Row): string[] {
  const text = (value: Value | undefined): string => JSON.stringify(jsonOf(value ?? null))
  return Object.keys(before).filter((name) => text(before[name]) !== text(after[name]))
}
