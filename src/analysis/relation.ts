/** A view or macro: its name, its SELECT, what it means, and which filters reach the files below it. */
import type { Schema } from '../model/schema.ts'
import { schemaOf } from '../model/schema.ts'
import { standardTable } from '../model/standard-tables.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'

/** A view or macro to create. */
export interface Relation {
  readonly name: string
  readonly kind: 'view' | 'table macro' | 'scalar macro'
  /** For a macro its parameters, for example `(as_of)`. */
  readonly parameters?: string
  /** The SELECT, or the expression of a scalar macro. */
  readonly sql: string
  /** What it shows, in Chinese, as it stands in `meta.relations` and in comments. */
  readonly label: string
  /** The same in English, for the documents. */
  readonly about: string
  /** True where a table of the name stands in memory, so that there is no view to make. */
  readonly inMemory?: boolean
  /** The tables it reads. */
  readonly tables: readonly string[]
  /** Columns by which a filter on it may leave out files of its tables without changing an answer. */
  readonly prunable: readonly string[] | 'all'
}

/** What relations are made from: the tables of a version, and how their rows are read. */
export interface Sources {
  readonly tables: ReadonlyMap<string, TableView>
  readonly prefer: readonly string[]
  /** A SELECT of all rows of a table that is there. */
  readonly tableSql: (view: TableView) => string
  /** For reports: where the rows of `is_latest` stand by themselves, if they do. */
  readonly latestSql: (table: string) => string | undefined
  /** True where the rows stand in memory as a table under the name of the view. */
  readonly inMemory?: (table: string) => boolean
  /** For reports: true if `latest` rows of one source only are stored, so that no window is needed. */
  readonly hasOneSource: (table: string) => boolean
}

/** The columns of a table at this version; of a standard table also before it is made. */
export function schemaOfTable(sources: Pick<Sources, 'tables'>, name: string): Schema {
  return sources.tables.get(name)?.snapshot.schema ?? standardTable(name)?.schema ?? schemaOf([])
}

/** View names of the vintage tables. */
export const VINTAGE_VIEWS: Readonly<Record<string, string>> = {
  indicators: 'fin_indicators',
  balance: 'fin_balance_sheet',
  income: 'fin_income_statement',
  cashflow: 'fin_cash_flow',
}

/** The view under which a table is queried. */
export function viewOfTable(table: string): string {
  return VINTAGE_VIEWS[table] ?? table
}

/** Sources in order of preference, the others behind them by name: an ORDER BY list. */
export function preference(prefer: readonly string[]): string {
  const ranks = prefer.map((source, i) => `WHEN ${literal(source)} THEN ${i}`)
  return ranks.length === 0
    ? 'source'
    : `CASE source ${ranks.join(' ')} ELSE ${prefer.length} END, source`
}

/** The statement that creates a relation, replacing an older one. */
export function createSql(relation: Relation, schema = 'main'): string {
  const name = `${identifier(schema)}.${identifier(relation.name)}`
  switch (relation.kind) {
    case 'view':
      return `CREATE OR REPLACE VIEW ${name} AS ${relation.sql}`
    case 'table macro':
      return `CREATE OR REPLACE MACRO ${name}${relation.parameters ?? '()'} AS TABLE ${relation.sql}`
    case 'scalar macro':
      return `CREATE OR REPLACE MACRO ${name}${relation.parameters ?? '()'} AS ${relation.sql}`
  }
}

/** The statement that removes a relation. */
export function dropSql(relation: Pick<Relation, 'name' | 'kind' | 'inMemory'>): string {
  const view = relation.inMemory ? 'TABLE' : 'VIEW'
  const words = { view, 'table macro': 'MACRO TABLE', 'scalar macro': 'MACRO' }
  return `DROP ${words[relation.kind]} IF EXISTS main.${identifier(relation.name)}`
}
