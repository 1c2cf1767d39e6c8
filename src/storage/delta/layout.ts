/** The clustered layout: which incoming rows go into which new files. */
import type { PeriodColumn } from '../../model/table.ts'
import type { Session } from '../parquet/database.ts'
import { identifier, literal } from '../parquet/sql.ts'
import { duckdbType } from '../parquet/types.ts'
import type { DataType, Schema } from '../../model/schema.ts'
import { fieldOf } from '../../model/schema.ts'
import type { AddFile } from './actions.ts'
import type { StageContext } from './stage.ts'
import { boundsOf, rowsOf } from './stats.ts'

/** A cold file: a range of symbols over old periods. */
export const COLD_BYTES: number = 12 << 20
/** A hot file: at most about one period. */
export const HOT_BYTES_MAX: number = 4 << 20
/** Below this, new rows go into one small file, which maintenance folds later. */
export const SMALL_BYTES: number = 256 << 10
/** The newest periods stay in files of their own: a refresh of so many quarters rewrites nothing large. */
const HOT_PERIODS: Readonly<Record<PeriodColumn['unit'], number>> = { quarter: 8, month: 3 }
const HOT_MONTHS_PER_PERIOD: Readonly<Record<PeriodColumn['unit'], number>> = {
  quarter: 3,
  month: 1,
}

/** Rows of a temporary table, with all columns of the table or some of them. */
export interface Rows {
  readonly name: string
  readonly rows: number
}

/** SQL conditions over a temporary table, one for each file to write. Together they select every row once. */
export async function planFiles(context: StageContext, rows: Rows): Promise<string[]> {
  if (rows.rows === 0) return []
  const rowBytes = rowBytesOf(context)
  const { period } = context.shape
  if (rows.rows * rowBytes < SMALL_BYTES) return ['true']
  if (!period) return splitRows(context, rows, 'true', rows.rows, COLD_BYTES / rowBytes)
  return planPeriods(context, rows, period, rowBytes)
}

/** Bytes a row takes on disk: what the table's files show, else a guess by type. */
export function rowBytesOf(context: Pick<StageContext, 'snapshot'>): number {
  let [rows, bytes] = [0, 0]
  for (const file of context.snapshot.files.values()) {
    const count = rowsOf(file)
    if (count === undefined || count < 1000) continue
    rows += count
    bytes += file.size
  }
  return rows > 0 ? bytes / rows : guessedRowBytes(context.snapshot.schema)
}

function guessedRowBytes(schema: Schema): number {
  return schema.fields.reduce(
    (sum, f) => sum + (f.type === 'date' || f.type === 'string' ? 2 : 6),
    0,
  )
}

async function planPeriods(
  context: StageContext,
  rows: Rows,
  period: PeriodColumn,
  rowBytes: number,
): Promise<string[]> {
  const counts = await countPeriods(context.session, rows, period)
  const newest = newestPeriod(context, period, counts[0]?.period)
  const cutoff = newest === undefined ? undefined : monthsBefore(newest, hotMonths(period))
  const isHot = (start: string | null): boolean =>
    start !== null && (cutoff === undefined || start >= cutoff)
  const large = counts.filter((c) => isHot(c.period) && c.rows * rowBytes >= SMALL_BYTES)
  const rest = counts.filter((c) => !large.includes(c))
  const conditions: string[] = []
  for (const one of large) {
    const where = periodIs(period, one.period)
    conditions.push(...(await splitRows(context, rows, where, one.rows, HOT_BYTES_MAX / rowBytes)))
  }
  const restRows = rest.reduce((sum, c) => sum + c.rows, 0)
  if (restRows > 0) {
    const where =
      large.length === 0
        ? 'true'
        : notIn(
            period,
            large.map((c) => c.period!),
          )
    conditions.push(...(await splitRows(context, rows, where, restRows, COLD_BYTES / rowBytes)))
  }
  return conditions
}

interface PeriodCount {
  /** First day of the period, or null. */
  readonly period: string | null
  readonly rows: number
}

async function countPeriods(
  session: Session,
  rows: Rows,
  period: PeriodColumn,
): Promise<PeriodCount[]> {
  const counts = await session.rows<{ p: string | null; n: bigint }>(
    `SELECT ${periodStart(period)} AS p, count(*) AS n FROM ${identifier(rows.name)}
     GROUP BY 1 ORDER BY 1 DESC NULLS LAST`,
  )
  return counts.map((c) => ({ period: c.p, rows: Number(c.n) }))
}

/** The first day of a row's period, as SQL. */
function periodStart(period: PeriodColumn): string {
  return `CAST(date_trunc(${literal(period.unit)}, ${identifier(period.column)}) AS DATE)`
}

function periodIs(period: PeriodColumn, start: string | null): string {
  return start === null
    ? `${identifier(period.column)} IS NULL`
    : `${periodStart(period)} = CAST(${literal(start)} AS DATE)`
}

function notIn(period: PeriodColumn, starts: readonly string[]): string {
  const list = starts.map((start) => `CAST(${literal(start)} AS DATE)`).join(', ')
  return `(${periodStart(period)} NOT IN (${list}) OR ${identifier(period.column)} IS NULL)`
}

/** The newest period of the table and of the rows together, by the bounds of its files. */
function newestPeriod(
  context: StageContext,
  period: PeriodColumn,
  incoming: string | null | undefined,
): string | undefined {
  const { type } = fieldOf(context.snapshot.schema, period.column, context.table)
  const maxima = [...context.snapshot.files.values()].flatMap((file) => {
    const bounds = boundsOf(file, period.column, type)
    return typeof bounds?.max === 'string' ? [bounds.max] : []
  })
  return [...maxima, ...(incoming ? [incoming] : [])].toSorted().at(-1)
}

function hotMonths(period: PeriodColumn): number {
  return HOT_PERIODS[period.unit] * HOT_MONTHS_PER_PERIOD[period.unit] - 1
}

/** The first day of the month so many months before the month of a date. */
function monthsBefore(date: string, months: number): string {
  const [year, month] = date.split('-').map(Number) as [number, number]
  const index = year * 12 + (month - 1) - months
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}-01`
}

/** First day of the oldest period that stays in hot files; undefined for a table without periods or rows. */
export function hotSince(context: StageContext): string | undefined {
  const { period } = context.shape
  const newest = period && newestPeriod(context, period, undefined)
  return period && newest !== undefined ? monthsBefore(newest, hotMonths(period)) : undefined
}

/** True if all rows of a file lie in hot periods. */
export function isHotFile(file: AddFile, context: StageContext, since: string): boolean {
  const { period } = context.shape
  if (!period) return false
  const { type } = fieldOf(context.snapshot.schema, period.column, context.table)
  const bounds = boundsOf(file, period.column, type)
  return typeof bounds?.min === 'string' && bounds.min >= since
}

/** Splits rows into ranges of the first clustering column, so that no value of it stands in two files. */
export async function splitRows(
  context: StageContext,
  rows: Rows,
  where: string,
  count: number,
  rowsPerFile: number,
): Promise<string[]> {
  if (count <= rowsPerFile * 1.3) return [where]
  const column = context.shape.clustering[0]
  if (column === undefined) return splitByPosition(rows, where, rowsPerFile)
  const { type } = fieldOf(context.snapshot.schema, column, context.table)
  const starts = await rangeStarts(context.session, rows, where, column, rowsPerFile)
  return starts.map((start, i) => {
    const next = starts[i + 1]
    const above = i === 0 ? '' : ` AND ${identifier(column)} >= ${typed(start, type)}`
    const below = next === undefined ? '' : ` AND ${identifier(column)} < ${typed(next, type)}`
    const range = `(${where})${above}${below}`
    return i === 0 && starts.length > 1
      ? `(${range} OR ((${where}) AND ${identifier(column)} IS NULL))`
      : range
  })
}

function typed(text: string, type: DataType): string {
  return `CAST(${literal(text)} AS ${duckdbType(type)})`
}

async function rangeStarts(
  session: Session,
  rows: Rows,
  where: string,
  column: string,
  rowsPerFile: number,
): Promise<string[]> {
  const name = identifier(column)
  const found = await session.rows<{ start: string }>(
    `WITH counted AS (SELECT ${name} AS k, count(*) AS n FROM ${identifier(rows.name)}
                      WHERE (${where}) AND ${name} IS NOT NULL GROUP BY 1),
          placed AS (SELECT k, sum(n) OVER (ORDER BY k) - n AS position FROM counted)
     SELECT CAST(min(k) AS VARCHAR) AS start FROM placed
     GROUP BY CAST(floor(position / ${Math.ceil(rowsPerFile)}) AS BIGINT) ORDER BY min(k)`,
  )
  return found.map((row) => row.start)
}

/** Without a clustering column, rows stay in the order of arrival. */
function splitByPosition(rows: Rows, where: string, rowsPerFile: number): string[] {
  const step = Math.ceil(rowsPerFile)
  const parts = Math.ceil(rows.rows / step)
  return Array.from(
    { length: parts },
    (_, i) => `(${where}) AND rowid >= ${i * step} AND rowid < ${(i + 1) * step}`,
  )
}
