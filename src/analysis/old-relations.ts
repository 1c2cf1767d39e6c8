/** The tables of a migrated `.duckdb` file as views over the lake, under their old names, in a schema of their own. */
import type { MigratedColumn, MigratedTable } from '../storage/lake/migration-state.ts'
import { columnsOf, migrationOf } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import type { Relation } from './relation.ts'
import { VINTAGE_VIEWS } from './relation.ts'

/** The schema of these views. */
export const OLD_SCHEMA = 'old'

/** Views with the names, columns, types and forms of symbols that the old file had. */
export function oldRelations(record: Pick<LakeRecord, 'settings' | 'tables'>): Relation[] {
  const tables = migrationOf(record)?.tables ?? []
  return tables.filter(({ table }) => table in record.tables).map(oldRelation)
}

function oldRelation(migrated: MigratedTable): Relation {
  const { old, table, source = 'file' } = migrated
  const reports = VINTAGE_VIEWS[table]
  const rows =
    reports === undefined
      ? `main.${identifier(table)}`
      : `main.${identifier(`${reports}_all`)} WHERE is_latest AND source = ${literal(source)}`
  const columns = columnsOf(migrated).map((c) => `${oldValue(c)} AS ${identifier(c.old)}`)
  return {
    name: old,
    kind: 'view',
    tables: [table],
    prunable: [],
    sql: `SELECT ${columns.join(', ')} FROM ${rows}`,
    label: old,
    about: `The table \`${old}\` of the old file, over \`${table}\`.`,
  }
}

/** A column of the lake as the old file had it. */
export function oldValue(column: MigratedColumn): string {
  const name = identifier(column.new)
  const value =
    column.symbols === 'code'
      ? `left(${name}, 6)`
      : column.symbols === 'prefix'
        ? `lower(right(${name}, 2)) || left(${name}, 6)`
        : name
  return column.type === undefined ? value : `CAST(${value} AS ${column.type})`
}
