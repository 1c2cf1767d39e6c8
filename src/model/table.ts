/** What a table of the lake is: its columns, key, clustering, period and layout. */
import { LakeError } from './errors.ts'
import { checkTableName, isTablePath } from './name.ts'
import { checkSchema, fieldOf } from './schema.ts'
import type { Schema } from './schema.ts'

/** How the rows of a table are spread over files (DESIGN: layouts). */
export type Layout = (typeof LAYOUTS)[number]

/** The layouts there are. */
export const LAYOUTS = ['clustered', 'per-symbol'] as const

/** The column that says to which report quarter or calendar month a row belongs. */
export interface PeriodColumn {
  readonly column: string
  readonly unit: 'quarter' | 'month'
}

/** How rows are identified and laid out; stored in the table's Delta configuration. */
export interface TableShape {
  /** Columns that identify a row; empty for a table without key. */
  readonly key: readonly string[]
  /** Columns by which files are sorted. */
  readonly clustering: readonly string[]
  readonly period?: PeriodColumn
  readonly layout: Layout
  /** A table whose rows are numbered versions of reports. */
  readonly vintage: boolean
}

/** A table that is about to be created. */
export interface TableDefinition extends TableShape {
  readonly name: string
  /** Directory below the lake, with forward slashes. */
  readonly path: string
  readonly schema: Schema
}

/** A table as callers describe it; what they leave out follows from its columns and key. */
export interface NewTable extends Partial<Omit<TableDefinition, 'name' | 'schema'>> {
  readonly name: string
  readonly schema: Schema
}

const KEY = 'marketlake.key'
const CLUSTERING = 'marketlake.clustering'
const PERIOD = 'marketlake.period'
const LAYOUT = 'marketlake.layout'
const VINTAGE = 'marketlake.vintage'

/** The Delta configuration that carries a shape. */
export function shapeConfiguration(shape: TableShape): Record<string, string> {
  return {
    [LAYOUT]: shape.layout,
    ...(shape.key.length > 0 && { [KEY]: shape.key.join(',') }),
    ...(shape.clustering.length > 0 && { [CLUSTERING]: shape.clustering.join(',') }),
    ...(shape.period && { [PERIOD]: `${shape.period.unit}(${shape.period.column})` }),
    ...(shape.vintage && { [VINTAGE]: 'true' }),
  }
}

/** The shape that a Delta configuration carries; a table of others has no key and is clustered. */
export function shapeOf(configuration: Readonly<Record<string, string>>): TableShape {
  const period = /^(quarter|month)\((.+)\)$/.exec(configuration[PERIOD] ?? '')
  return {
    key: names(configuration[KEY]),
    clustering: names(configuration[CLUSTERING]),
    ...(period && { period: { unit: period[1] as 'quarter' | 'month', column: period[2]! } }),
    layout: configuration[LAYOUT] === 'per-symbol' ? 'per-symbol' : 'clustered',
    vintage: configuration[VINTAGE] === 'true',
  }
}

/** The columns by which the directories of a layout are named. */
export function partitionColumnsOf(shape: TableShape): string[] {
  return shape.layout === 'per-symbol' ? ['symbol'] : []
}

/** The whole definition: below `warehouse`, sorted by its key, unless said otherwise. */
export function tableDefinition(table: NewTable): TableDefinition {
  checkTableName(table.name)
  const shape = defaultShape(table.schema, table.key ?? [], table.layout)
  return { path: `warehouse/${table.name}`, ...shape, ...table }
}

/** Checks a definition: its name, columns, and that key, clustering and period name columns. */
export function checkTable(table: TableDefinition): TableDefinition {
  checkTableName(table.name)
  if (!isTablePath(table.path)) {
    throw new LakeError('INVALID_NAME', `not a place of a table: ${JSON.stringify(table.path)}`, {
      details: { table: table.name, path: table.path },
      next: 'Name a folder below the lake, for example warehouse/prices.',
    })
  }
  checkSchema(table.schema)
  checkShape(table, table.schema, table.name)
  return table
}

/** Checks that key, clustering and period name columns, and that the key can be compared. */
export function checkShape(shape: TableShape, schema: Schema, table: string): void {
  const named = [...shape.key, ...shape.clustering, ...(shape.period ? [shape.period.column] : [])]
  for (const column of named) fieldOf(schema, column, table)
  if (shape.layout === 'per-symbol') fieldOf(schema, 'symbol', table)
  for (const column of shape.key) checkKeyType(schema, column, table)
}

/** The shape a new table gets when only its key is known: sorted by the key, its first date as period. */
export function defaultShape(
  schema: Schema,
  key: readonly string[],
  layout: Layout = 'clustered',
): TableShape {
  const column = key.find((name) => fieldOf(schema, name, 'new').type === 'date')
  const period: PeriodColumn | undefined =
    column === undefined ? undefined : { column, unit: column === 'end_date' ? 'quarter' : 'month' }
  return { key, clustering: key, ...(period && { period }), layout, vintage: false }
}

const KEY_TYPES =
  /^(string|long|integer|short|byte|date|timestamp|timestamp_ntz|boolean|decimal.*)$/

function checkKeyType(schema: Schema, column: string, table: string): void {
  const { type } = fieldOf(schema, column, table)
  if (typeof type === 'string' && KEY_TYPES.test(type)) return
  throw new LakeError('INVALID_ARGUMENT', `column ${column} cannot be part of a key`, {
    details: { table, column, type },
    next: 'Keys are texts, integers, decimals, dates, timestamps or booleans.',
  })
}

function names(text: string | undefined): string[] {
  return text ? text.split(',').map((name) => name.trim()) : []
}
