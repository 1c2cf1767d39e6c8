/** Files that users load: Parquet, CSV and JSON lines as one SELECT, with types nobody had to guess. */
import { LakeError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import type { Files } from '../storage/files/files.ts'
import type { Session } from '../storage/parquet/database.ts'
import { checkFooter } from '../storage/parquet/inspect.ts'
import { identifier, literal, pathLiteral } from '../storage/parquet/sql.ts'
import { duckdbType } from '../storage/parquet/types.ts'
import { hasZone, parseCell } from './cell-values.ts'
import { csvRelation } from './csv-file.ts'
import { checkJson, jsonRelation } from './json-file.ts'
import type { RoundedNumber } from './json-file.ts'

/** What a file holds, by its name. */
export type FileFormat = 'parquet' | 'csv' | 'json'

const FORMATS: readonly (readonly [RegExp, FileFormat])[] = [
  [/\.(parquet|parq|pq)$/i, 'parquet'],
  [/\.(csv|tsv|txt)(\.gz|\.zst)?$/i, 'csv'],
  [/\.(jsonl|ndjson|json)(\.gz|\.zst)?$/i, 'json'],
]

/** The format of a file by its name; an error if the name does not tell. */
export function formatOf(path: string): FileFormat {
  const found = FORMATS.find(([pattern]) => pattern.test(path))
  if (found) return found[1]
  throw new LakeError('INVALID_ARGUMENT', `cannot tell the format of ${path}`, {
    details: { path },
    next: 'Name the file .parquet, .csv, .tsv, .jsonl or .ndjson.',
  })
}

/** True if the name of a file says that it can be loaded. */
export function isInputFile(path: string): boolean {
  return FORMATS.some(([pattern]) => pattern.test(path))
}

/** Checks that a file is there, is a file and is not empty. */
export async function checkInputFile(files: Files, path: string): Promise<void> {
  const stat = await files.stat(path)
  if (!stat) {
    throw new LakeError('IO_ERROR', `no such file: ${path}`, { details: { path, errno: 'ENOENT' } })
  }
  if (stat.kind !== 'file') {
    throw new LakeError('IO_ERROR', `not a regular file: ${path}`, { details: { path } })
  }
  if (stat.sizeBytes > 0) return
  throw new LakeError('CORRUPT_FILE', `the file is empty: ${path}`, {
    details: { path },
    next: 'Fetch or export it again.',
  })
}

/** Files as one relation, with the types of its columns where the format has types. */
export interface InputRelation {
  readonly sql: string
  /** True if every column is still text. */
  readonly untyped: boolean
  /** Numbers of JSON that doubles would change. */
  readonly rounded: readonly RoundedNumber[]
}

/** A SELECT over files of one format. JSON is looked through first. */
export async function inputRelation(
  session: Session,
  paths: readonly string[],
  format: FileFormat,
): Promise<InputRelation> {
  const parts: string[] = []
  const rounded: RoundedNumber[] = []
  for (const path of paths) {
    if (format === 'parquet') await checkFooter(session, path)
    if (format === 'json') rounded.push(...(await checkJson(session, path)))
    parts.push(`SELECT * FROM ${await reader(session, path, format)}`)
  }
  return { sql: parts.join(' UNION ALL BY NAME '), untyped: format === 'csv', rounded }
}

function reader(session: Session, path: string, format: FileFormat): Promise<string> | string {
  switch (format) {
    case 'parquet':
      return `read_parquet(${pathLiteral(path)}, hive_partitioning=false)`
    case 'csv':
      return csvRelation(session, path)
    case 'json':
      return jsonRelation(path)
  }
}

/** Refuses texts without a zone in columns of moments, unless one was named. */
async function checkZones(
  session: Session,
  source: string,
  columns: readonly Field[],
  timezone: string | undefined,
): Promise<void> {
  if (timezone !== undefined && timezone !== 'ntz') return
  for (const column of columns.filter((f) => f.type === 'timestamp')) {
    const text = `nullif(trim(${identifier(column.name)}), '')`
    const [bare] = await session.rows(
      `SELECT 1 FROM ${identifier(source)} WHERE ${text} IS NOT NULL AND NOT ${hasZone(text)} LIMIT 1`,
    )
    if (bare) throw noZone(column.name)
  }
}

function noZone(column: string): LakeError {
  return new LakeError('TYPE_MISMATCH', `column ${column} has timestamps without a time zone`, {
    details: { column },
    next: 'Say which zone its values are in (--timezone Asia/Shanghai), or keep a new column as it is (--timezone ntz).',
  })
}

/** Refuses text that does not fit the type of its column, naming the column, the row and the text. */
export async function checkCells(
  session: Session,
  source: string,
  columns: readonly Field[],
  table: string,
  timezone: string | undefined,
): Promise<void> {
  await checkZones(session, source, columns, timezone)
  const typed = columns.filter((f) => f.type !== 'string')
  if (typed.length === 0) return
  const bad = typed.map((f) => {
    const value = identifier(f.name)
    return `min(rowid) FILTER (nullif(trim(${value}), '') IS NOT NULL AND ${parseCell(f, value, timezone)} IS NULL)`
  })
  const row = await session.row(
    `SELECT ${bad.map((sql, i) => `${sql} AS c${i}`).join(', ')} FROM ${identifier(source)}`,
  )
  for (const [i, column] of typed.entries()) {
    const rowid = row[`c${i}`]
    if (typeof rowid !== 'bigint') continue
    const { text } = await session.row<{ text: string }>(
      `SELECT ${identifier(column.name)} AS text FROM ${identifier(source)} WHERE rowid = ${rowid}`,
    )
    throw badCell(table, column, Number(rowid) + 1, text)
  }
}

function badCell(table: string, column: Field, row: number, text: string): LakeError {
  const shown = JSON.stringify(text.slice(0, 80))
  return new LakeError(
    'TYPE_MISMATCH',
    `${table}.${column.name}, row ${row}: ${shown} is no ${duckdbType(column.type)}`,
    {
      details: { table, column: column.name, row, text: text.slice(0, 200) },
      next: 'Correct the cell; a column keeps its type for the life of a table.',
    },
  )
}

/** Columns of timestamps without a zone get one, or stay without by `ntz`; without the option they are refused. */
export function withTimezone(
  sql: string,
  columns: readonly { readonly name: string; readonly duckdbType: string }[],
  timezone: string | undefined,
): string {
  const local = columns.filter((c) => /^TIMESTAMP(_S|_MS|_NS)?$/.test(c.duckdbType))
  if (local.length === 0) return sql
  if (timezone === undefined) throw noZone(local[0]!.name)
  const zoned = local.map(({ name }) => {
    const value = `CAST(${identifier(name)} AS TIMESTAMP)`
    const stored = timezone === 'ntz' ? value : `timezone(${literal(timezone)}, ${value})`
    return `${stored} AS ${identifier(name)}`
  })
  return `SELECT * REPLACE (${zoned.join(', ')}) FROM (${sql})`
}

/** Timestamps of a table have microseconds: what stands behind them would be cut off without a word. */
export async function refuseNanoseconds(
  session: Session,
  sql: string,
  columns: readonly { readonly name: string; readonly duckdbType: string }[],
): Promise<void> {
  for (const { name } of columns.filter((c) => c.duckdbType === 'TIMESTAMP_NS')) {
    const value = identifier(name)
    const [bad] = await session.rows<{ text: string }>(
      `SELECT CAST(${value} AS VARCHAR) AS text FROM (${sql})
       WHERE CAST(CAST(${value} AS TIMESTAMP) AS TIMESTAMP_NS) IS DISTINCT FROM ${value} LIMIT 1`,
    )
    if (!bad) continue
    throw new LakeError('TYPE_MISMATCH', `column ${name}: ${bad.text} has nanoseconds`, {
      details: { column: name, value: bad.text },
      next: 'Round the column to microseconds first, or write it as a text.',
    })
  }
}

/** Types that no table holds get the nearest that loses nothing; values that do not fit are an error. */
export function storableTypes(
  sql: string,
  columns: readonly { readonly name: string; readonly duckdbType: string }[],
): string {
  const target = (type: string): string | undefined => {
    if (type === 'UBIGINT') return 'DECIMAL(20,0)'
    if (type === 'HUGEINT' || type === 'UHUGEINT') return 'DECIMAL(38,0)'
    return type === 'UUID' || type === 'JSON' || type.startsWith('ENUM') ? 'VARCHAR' : undefined
  }
  const casts = columns.flatMap((c) => {
    const type = target(c.duckdbType)
    return type === undefined
      ? []
      : [`CAST(${identifier(c.name)} AS ${type}) AS ${identifier(c.name)}`]
  })
  return casts.length === 0 ? sql : `SELECT * REPLACE (${casts.join(', ')}) FROM (${sql})`
}
