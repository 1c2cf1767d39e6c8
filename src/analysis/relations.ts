/** The views of a lake version: names, columns and SQL, built from the snapshots of its tables. */
import type { Field, Schema } from '../model/schema.ts'
import { findField, schemaOf } from '../model/schema.ts'
import { STANDARD_TABLES, standardTable } from '../model/standard-tables.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import { boundsOf } from '../storage/delta/stats.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import { castColumn } from '../storage/parquet/types.ts'

/** A view or macro to create. */
export interface Relation {
  readonly name: string
  /** The table whose change makes it new; undefined for what stands on several. */
  readonly tables: readonly string[]
  readonly kind: 'view' | 'macro'
  /** For a macro its parameters, for example `(as_of)`. */
  readonly parameters?: string
  /** The SELECT. */
  readonly sql: string
  readonly comment?: string
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

/** All views and macros of a lake version, in the order in which they can be created. */
export function relationsOf(views: readonly TableView[], record: LakeRecord): Relation[] {
  const tables = new Map(views.map((view) => [view.name, view]))
  const schemaOfTable = (name: string): Schema =>
    tables.get(name)?.snapshot.schema ?? standardTable(name)?.schema ?? schemaOf([])
  return [
    ...allTables(views).flatMap((name) =>
      name in VINTAGE_VIEWS
        ? vintageRelations(name, tables.get(name), schemaOfTable(name), record)
        : [plainRelation(name, tables.get(name), schemaOfTable(name))],
    ),
    statementsRelation(schemaOfTable),
    ...adjustedRelations(),
  ]
}

/** Standard tables have their views even before they are synced. */
function allTables(views: readonly TableView[]): string[] {
  const names = new Set([...STANDARD_TABLES.map((t) => t.name), ...views.map((v) => v.name)])
  return [...names]
}

function tableSql(view: TableView | undefined, schema: Schema): string {
  if (view) return snapshotSql(view.directory, view.snapshot)
  return `SELECT ${schema.fields.map((f) => castColumn(f, 'NULL')).join(', ')} WHERE false`
}

function plainRelation(name: string, view: TableView | undefined, schema: Schema): Relation {
  return { name, tables: [name], kind: 'view', sql: tableSql(view, schema) }
}

/** Reports: everything, the newest of the preferred source, and what was visible on a day. */
function vintageRelations(
  table: string,
  view: TableView | undefined,
  schema: Schema,
  record: LakeRecord,
): Relation[] {
  const name = VINTAGE_VIEWS[table]!
  const all = `${name}_all`
  const columns = identifiers(schema.fields.map((f) => f.name))
  const source = preference(record.settings.prefer)
  const first = hasOneSource(view)
    ? ''
    : ` QUALIFY row_number() OVER (PARTITION BY symbol, end_date ORDER BY ${source}) = 1`
  const asOf = `QUALIFY row_number() OVER (PARTITION BY symbol, end_date
    ORDER BY ${source}, visible_date DESC, vintage DESC) = 1`
  const tables = [table]
  return [
    { name: all, tables, kind: 'view', sql: tableSql(view, schema) },
    { name, tables, kind: 'view', sql: `SELECT ${columns} FROM ${all} WHERE is_latest${first}` },
    {
      name: `${name}_asof`,
      tables,
      kind: 'macro',
      parameters: '(as_of)',
      sql: `SELECT ${columns} FROM ${all} WHERE visible_date <= CAST(as_of AS DATE) ${asOf}`,
    },
  ]
}

/** Sources in order of preference, the others behind them by name. */
export function preference(prefer: readonly string[]): string {
  const ranks = prefer.map((source, i) => `WHEN ${literal(source)} THEN ${i}`)
  return ranks.length === 0
    ? 'source'
    : `CASE source ${ranks.join(' ')} ELSE ${prefer.length} END, source`
}

/** With one source in all files no window is needed: a filter on a stored flag costs next to nothing. */
function hasOneSource(view: TableView | undefined): boolean {
  const sources = new Set<unknown>()
  for (const file of view?.snapshot.files.values() ?? []) {
    const bounds = boundsOf(file, 'source', 'string')
    if (!bounds || bounds.min !== bounds.max) return false
    sources.add(bounds.min)
  }
  return sources.size <= 1
}

const STATEMENTS = ['balance', 'income', 'cashflow'] as const

/** The three statements in one relation, told apart by `type`. */
function statementsRelation(schemaOfTable: (name: string) => Schema): Relation {
  const columns = new Map<string, Field>()
  for (const table of STATEMENTS) {
    for (const f of schemaOfTable(table).fields) if (!columns.has(f.name)) columns.set(f.name, f)
  }
  const parts = STATEMENTS.map((table) => {
    const schema = schemaOfTable(table)
    const select = [...columns.values()].map((f) =>
      findField(schema, f.name) ? identifier(f.name) : castColumn(f, 'NULL'),
    )
    return `SELECT ${literal(table)} AS type, ${select.join(', ')} FROM ${VINTAGE_VIEWS[table]}`
  })
  return {
    name: 'financial_statements',
    tables: [...STATEMENTS],
    kind: 'view',
    sql: parts.join(' UNION ALL '),
  }
}

const PRICES = ['open', 'high', 'low', 'close', 'pre_close'] as const

/** Adjusted bars: raw prices times the factor of the day, and for `qfq` over the newest factor. */
function adjustedRelations(): Relation[] {
  const tables = ['daily', 'adj_factor']
  const prices = (factor: string): string =>
    PRICES.map((price) => `d.${price} * ${factor} AS ${price}`).join(', ')
  const rest = 'd.volume, d.amount, d.source'
  const joined = `FROM daily d ASOF LEFT JOIN adj_factor f
    ON d.symbol = f.symbol AND d.trade_date >= f.trade_date`
  const newest = `(SELECT symbol, max_by(adj_factor, trade_date) AS newest FROM adj_factor GROUP BY symbol)`
  const anchored = (anchor: string): string =>
    `SELECT d.symbol, d.trade_date, ${prices('f.adj_factor / nullif(n.newest, 0)')}, ${rest}
     ${joined} LEFT JOIN ${anchor} n ON d.symbol = n.symbol`
  return [
    {
      name: 'daily_hfq',
      tables,
      kind: 'view',
      sql: `SELECT d.symbol, d.trade_date, ${prices('f.adj_factor')}, ${rest} ${joined}`,
    },
    { name: 'daily_qfq', tables, kind: 'view', sql: anchored(newest) },
    {
      name: 'daily_qfq_between',
      tables,
      kind: 'macro',
      parameters: '(from_date, to_date)',
      sql: `${anchored(
        `(SELECT symbol, max_by(adj_factor, trade_date) AS newest FROM adj_factor
          WHERE trade_date <= CAST(to_date AS DATE) GROUP BY symbol)`,
      )} WHERE d.trade_date BETWEEN CAST(from_date AS DATE) AND CAST(to_date AS DATE)`,
    },
  ]
}

/** The statement that creates a relation, replacing an older one. */
export function createSql(relation: Relation, schema = 'main'): string {
  const name = `${identifier(schema)}.${identifier(relation.name)}`
  return relation.kind === 'view'
    ? `CREATE OR REPLACE VIEW ${name} AS ${relation.sql}`
    : `CREATE OR REPLACE MACRO ${name}${relation.parameters ?? '()'} AS TABLE ${relation.sql}`
}
