/** The two sides of a migrated table as SELECTs with the same columns in the same types, so that rows can be compared. */
import { oldValue } from '../analysis/old-relations.ts'
import { symbolMacro } from '../analysis/reference-relations.ts'
import { createSql } from '../analysis/relation.ts'
import { hasCode } from '../model/errors.ts'
import type { DataType } from '../model/schema.ts'
import { findField, typeText } from '../model/schema.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import type { MigratedColumn, MigratedTable } from '../storage/lake/migration-state.ts'
import { columnsOf } from '../storage/lake/migration-state.ts'
import type { TableView } from '../storage/lake/view.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { deltaType, duckdbType, losslessCast } from '../storage/parquet/types.ts'
import { OLD, oldTable } from './old-file.ts'

/** A column that is compared. */
export interface ComparedColumn {
  /** The lake's name. */
  readonly name: string
  /** Compared as text, because the types no longer fit. */
  readonly asText: boolean
  readonly floating: boolean
  readonly numeric: boolean
}

/** A column that one side has and the other has not, or whose type changed. */
export interface Drift {
  readonly column: string
  readonly old: string | null
  readonly lake: string | null
}

/** Both sides of a table. */
export interface Sides {
  readonly columns: readonly ComparedColumn[]
  readonly key: readonly string[]
  readonly oldSql: string
  readonly lakeSql: string
  readonly drift: readonly Drift[]
  /** A SELECT of all rows of the old table, where only the last of equal keys is compared. */
  readonly allOldSql?: string
}

/** An old column as it is stored in the lake. */
export function toLake(column: MigratedColumn, type: string | undefined): string {
  const name = identifier(column.old)
  const value = column.symbols ? `sym(${name})` : name
  return type === undefined ? value : `CAST(${value} AS ${type})`
}

/** The macro that brings symbols into one form. */
export async function prepareSymbols(session: Session): Promise<void> {
  await session.run(createSql(symbolMacro()))
}

/** A column of an old table; `delta` is the type that holds it. */
export interface OldColumn {
  readonly name: string
  readonly type: string
  readonly delta: DataType | undefined
}

/** The columns of an old table, by name in lower case; undefined if there is no such table. */
export async function oldColumns(
  session: Session,
  table: string,
): Promise<Map<string, OldColumn> | undefined> {
  const found = await session.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM duckdb_tables() WHERE database_name = ${literal(OLD)} AND schema_name = 'main'
     AND table_name = ${literal(table)}`,
  )
  if (found[0]!.n === 0n) return undefined
  const result = await session.materialize(`SELECT * FROM ${oldTable(table)} LIMIT 0`)
  return new Map(
    result.columnNames().map((name, i): [string, OldColumn] => {
      const type = result.columnType(i)
      return [name.toLowerCase(), { name, type: type.toString(), delta: deltaOrNone(type, name) }]
    }),
  )
}

function deltaOrNone(type: Parameters<typeof deltaType>[0], name: string): DataType | undefined {
  try {
    return deltaType(type, name)
  } catch (error) {
    if (hasCode(error, 'UNSUPPORTED_TYPE')) return undefined
    throw error
  }
}

/** Both sides of a table at one version. */
export async function sidesOf(
  session: Session,
  migrated: MigratedTable,
  view: TableView,
): Promise<Sides | undefined> {
  const there = await oldColumns(session, migrated.old)
  if (!there) return undefined
  const drift: Drift[] = []
  const compared: ComparedColumn[] = []
  const [olds, lakes]: [string[], string[]] = [[], []]
  for (const column of columnsOf(migrated)) {
    const old = there.get(column.old.toLowerCase())
    const field = findField(view.snapshot.schema, column.new)
    if (!old || !field) {
      drift.push({
        column: column.new,
        old: old?.type ?? null,
        lake: field ? typeText(field.type) : null,
      })
      continue
    }
    const fits = old.delta !== undefined && losslessCast(old.delta, field.type)
    const asText = !fits && column.symbols === undefined
    if (asText) drift.push({ column: column.new, old: old.type, lake: typeText(field.type) })
    const type = asText ? 'VARCHAR' : duckdbType(field.type)
    const name = identifier(field.name)
    olds.push(`${toLake(column, type)} AS ${name}`)
    lakes.push(asText ? `CAST(${name} AS VARCHAR) AS ${name}` : name)
    compared.push(comparedColumn(field.name, field.type, asText))
  }
  const known = new Set(columnsOf(migrated).map((c) => c.old.toLowerCase()))
  for (const [name, old] of there)
    if (!known.has(name)) drift.push({ column: old.name, old: old.type, lake: null })
  return {
    columns: compared,
    key: migrated.key,
    oldSql: oldRows(migrated, olds),
    lakeSql: `SELECT ${lakes.join(', ')} FROM (${snapshotSql(view.directory, view.snapshot)})${lakeFilter(migrated, view)}`,
    drift,
    ...(migrated.onDuplicate === 'last' && {
      allOldSql: `SELECT 1 FROM ${oldTable(migrated.old)}`,
    }),
  }
}

function comparedColumn(name: string, type: DataType, asText: boolean): ComparedColumn {
  const floating = !asText && (type === 'double' || type === 'float')
  const whole = typeof type === 'string' && /^(long|integer|short|byte|decimal)/.test(type)
  return { name, asText, floating, numeric: !asText && (floating || whole) }
}

/** The key of an old table as the lake stores it: expressions over the old columns. */
export function keyInOld(migrated: MigratedTable): string[] {
  const columns = new Map(columnsOf(migrated).map((c) => [c.new, c]))
  return migrated.key.map((name) => toLake(columns.get(name)!, undefined))
}

/** Of rows with equal keys the last one counts, where that was the rule when they were imported. */
export function oldRows(migrated: MigratedTable, columns: readonly string[]): string {
  const select = `SELECT ${columns.join(', ')} FROM ${oldTable(migrated.old)}`
  if (migrated.onDuplicate !== 'last' || migrated.key.length === 0) return select
  const key = keyInOld(migrated).join(', ')
  // No window over `rowid`: in DuckDB 1.5.6 another window around it may fail with an internal error.
  return `${select} WHERE rowid IN (SELECT max(rowid) FROM ${oldTable(migrated.old)} GROUP BY ${key})`
}

/** In a table of report versions the newest version of the one source is what the old file holds. */
export function lakeFilter(migrated: MigratedTable, view: Pick<TableView, 'shape'>): string {
  if (!view.shape.vintage) return ''
  return ` WHERE is_latest AND source = ${literal(migrated.source ?? 'file')}`
}

/** The rows of a lake table as the old table has them: old names, types and forms of symbols. */
export function toOldSql(migrated: MigratedTable, lakeSql: string): string {
  const columns = columnsOf(migrated).map((c) => `${oldValue(c)} AS ${identifier(c.old)}`)
  return `SELECT ${columns.join(', ')} FROM (${lakeSql})`
}
