/** The clustered layout: which incoming rows go into which new files. */
import type { PeriodColumn } from '../../model/table.ts'
import type { Session } from '../parquet/database.ts'
import { identifier, literal } from '../parquet/sql.ts'
import { duckdbType } from '../parquet/types.ts'
import { guessedRowBytes } from '../parquet/write.ts'
import type { DataType } from '../../model/schema.ts'
import { fieldOf, findField } from '../../model/schema.ts'
import type { AddFile } from './actions.ts'
import type { StageContext } from './stage.ts'
import { boundsOf, rowsOf } from './stats.ts'

/**
 * A cold file: a range of symbols over old periods. One changed row writes a whole file again, so they are as small
 * as their range (8 to 16 MB) allows.
 */
export const COLD_BYTES: number = 8 << 20
/** A hot file: at most about one period. */
const HOT_BYTES_MAX: number = 4 << 20
/**
 * A file of the newest periods, which are written again and again: a range of symbols, so that one row rewrites half
 * of a quarter of reports, and two writers of other symbols mostly meet in other files.
 */
const NEWEST_BYTES: number = 1280 << 10
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
  const cold = { where: 'true', rows: rows.rows, rowsPerFile: COLD_BYTES / rowBytes }
  if (!period) return splitParts(context, rows, [cold])
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

async function planPeriods(
  context: StageContext,
  rows: Rows,
  period: PeriodColumn,
  rowBytes: number,
): Promise<string[]> {
  const counts = await countPeriods(context.session, rows, period)
  const newest = newestPeriod(context, period, counts[0]?.period)
  const cutoff = newest === undefined ? undefined : monthsBefore(newest, hotMonths(period))
  const isHot = (start: string | null): start is string =>
    PLAIN_DATE.test(start ?? '') && (cutoff === undefined || start! >= cutoff)
  const large = counts.filter((c) => isHot(c.period) && c.rows * rowBytes >= SMALL_BYTES)
  const rest = counts.filter((c) => !large.includes(c))
  const hot = large.map(({ period: start, rows: count }) => ({
    where: withinPeriod(period, start!),
    rows: count,
    rowsPerFile: hotBytes(period, start!, newest) / rowBytes,
  }))
  const cold = {
    where: outsidePeriods(period, large, rest),
    rows: rest.reduce((sum, c) => sum + c.rows, 0),
    rowsPerFile: COLD_BYTES / rowBytes,
  }
  return splitParts(context, rows, cold.rows > 0 ? [...hot, cold] : hot)
}

/** Periods at the new end of a table that are still being written. */
const NEWEST_PERIODS = 2

/** Bytes of a hot file of a period, given the first day of both. */
function hotBytes(period: PeriodColumn, start: string, newest: string | undefined): number {
  if (newest === undefined) return NEWEST_BYTES
  const months = (NEWEST_PERIODS - 1) * HOT_MONTHS_PER_PERIOD[period.unit]
  return start >= monthsBefore(startOf(period, newest), months) ? NEWEST_BYTES : HOT_BYTES_MAX
}

/** The first day of the period of a date. */
function startOf({ unit }: PeriodColumn, date: string): string {
  const into = unit === 'quarter' ? (Number(date.slice(5, 7)) - 1) % 3 : 0
  return monthsBefore(date, into)
}

/** Dates of other years do not compare as text. */
const PLAIN_DATE = /^\d{4}-/

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
    `SELECT ${periodStart(period)} AS p, CAST(sum(n) AS BIGINT) AS n
     FROM (SELECT ${identifier(period.column)}, count(*) AS n FROM ${identifier(rows.name)} GROUP BY 1)
     GROUP BY 1 ORDER BY 1 DESC NULLS LAST`,
  )
  return counts.map((c) => ({ period: c.p, rows: Number(c.n) }))
}

/** The first day of a row's period, as SQL. */
function periodStart(period: PeriodColumn): string {
  return `CAST(date_trunc(${literal(period.unit)}, ${identifier(period.column)}) AS DATE)`
}

/** Rows of a period, as a range: a function of the column would be called for every row of every file. */
function withinPeriod({ column, unit }: PeriodColumn, start: string): string {
  const end = monthsBefore(start, -HOT_MONTHS_PER_PERIOD[unit])
  const name = identifier(column)
  return `(${name} >= CAST(${literal(start)} AS DATE) AND ${name} < CAST(${literal(end)} AS DATE))`
}

/** All other rows: mostly those before the large periods, and then a range, which skips what it does not want. */
function outsidePeriods(
  period: PeriodColumn,
  large: readonly PeriodCount[],
  rest: readonly PeriodCount[],
): string {
  if (large.length === 0) return 'true'
  const first = large.map((c) => c.period!).toSorted()[0]!
  if (rest.every((c) => PLAIN_DATE.test(c.period ?? '') && c.period! < first))
    return `(${identifier(period.column)} < CAST(${literal(first)} AS DATE))`
  const within = large.map((c) => withinPeriod(period, c.period!)).join(' OR ')
  return `((${within}) IS NOT TRUE)`
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

/** Bytes of a hot file that takes the place of this one. */
export function hotBytesOf(context: StageContext, file: AddFile): number {
  const { period } = context.shape
  if (!period) return HOT_BYTES_MAX
  const { type } = fieldOf(context.snapshot.schema, period.column, context.table)
  const first = boundsOf(file, period.column, type)?.min
  if (typeof first !== 'string') return HOT_BYTES_MAX
  return hotBytes(period, startOf(period, first), newestPeriod(context, period, undefined))
}

/** True if all rows of a file lie in hot periods. */
export function isHotFile(file: AddFile, context: StageContext, since: string): boolean {
  const { period } = context.shape
  if (!period) return false
  const { type } = fieldOf(context.snapshot.schema, period.column, context.table)
  const bounds = boundsOf(file, period.column, type)
  return typeof bounds?.min === 'string' && bounds.min >= since
}

/** Rows that go into files of one kind. */
export interface Part {
  readonly where: string
  readonly rows: number
  readonly rowsPerFile: number
}

/** Splits rows into ranges of the first clustering column, so that no value of it stands in two files of a part. */
export async function splitParts(
  context: StageContext,
  rows: Rows,
  parts: readonly Part[],
): Promise<string[]> {
  const large = parts.filter((part) => part.rows > part.rowsPerFile * 1.3)
  const column = context.shape.clustering[0]
  if (large.length === 0) return parts.map((part) => part.where)
  if (column === undefined) {
    // Another engine's table may have such a column: then its values are no places, and the part stays whole.
    if (findField(context.snapshot.schema, 'rowid')) return parts.map((part) => part.where)
    return parts.flatMap((part) =>
      large.includes(part) ? splitByPosition(rows, part.where, part.rowsPerFile) : [part.where],
    )
  }
  const { type } = fieldOf(context.snapshot.schema, column, context.table)
  const { starts, nulls } = await rangeStarts(context.session, rows, column, large)
  return parts.flatMap((part) => {
    const i = large.indexOf(part)
    return i < 0 ? [part.where] : rangesOf(part.where, identifier(column), type, starts[i]!, nulls)
  })
}

/** Only where there is a NULL the first range asks for it: with an OR it could not skip the rows of the others. */
function rangesOf(
  where: string,
  name: string,
  type: DataType,
  starts: readonly string[],
  nulls: boolean,
): string[] {
  // Nothing but NULL has no first value.
  if (starts.length === 0) return [where]
  return starts.map((start, i) => {
    const next = starts[i + 1]
    const above = i === 0 ? '' : ` AND ${name} >= ${typed(start, type)}`
    const below = next === undefined ? '' : ` AND ${name} < ${typed(next, type)}`
    const range = `(${where})${above}${below}`
    return nulls && i === 0 && starts.length > 1
      ? `(${range} OR ((${where}) AND ${name} IS NULL))`
      : range
  })
}

function typed(text: string, type: DataType): string {
  return `CAST(${literal(text)} AS ${duckdbType(type)})`
}

/** First values of the files of each part, and whether some row has none, all found in one pass over the rows. */
async function rangeStarts(
  session: Session,
  rows: Rows,
  column: string,
  parts: readonly Part[],
): Promise<{ starts: string[][]; nulls: boolean }> {
  const name = identifier(column)
  const counts = parts.map(({ where }, i) => `count(*) FILTER (${where}) AS n${i}`)
  const places = parts.map((_, i) => `sum(n${i}) OVER (ORDER BY k) - n${i} AS p${i}`)
  const firsts = parts.map(
    (part, i) => `SELECT ${i} AS part, min(k) AS first FROM placed WHERE n${i} > 0
         GROUP BY CAST(floor(p${i} / ${evenRows(part)}) AS BIGINT)`,
  )
  const found = await session.rows<{ part: number; start: string }>(
    `WITH counted AS (SELECT ${name} AS k, ${counts.join(', ')} FROM ${identifier(rows.name)} GROUP BY 1),
          placed AS (SELECT *, ${places.join(', ')} FROM counted WHERE k IS NOT NULL)
     SELECT part, CAST(first AS VARCHAR) AS start
     FROM (${firsts.join(' UNION ALL ')} UNION ALL SELECT -1, NULL FROM counted WHERE k IS NULL) ORDER BY part, first`,
  )
  return {
    starts: parts.map((_, i) => found.flatMap((row) => (row.part === i ? [row.start] : []))),
    nulls: found.some(({ part }) => part === -1),
  }
}

/** Files of equal size: the last one is as good a place for a hot spot as the others. */
function evenRows({ rows, rowsPerFile }: Part): number {
  return Math.ceil(rows / Math.ceil(rows / rowsPerFile))
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
