/** All views and macros of a lake version, in the order in which they can be created. */
import { schemaOf } from '../model/schema.ts'
import type { Schema } from '../model/schema.ts'
import { STANDARD_TABLES } from '../model/standard-tables.ts'
import { boundsOf } from '../storage/delta/stats.ts'
import type { TableView } from '../storage/lake/view.ts'
import { castColumn } from '../storage/parquet/types.ts'
import { barRelations } from './bar-relations.ts'
import { flowRelations } from './flow-relations.ts'
import type { Knowledge } from './knowledge.ts'
import { knownRows } from './knowledge.ts'
import { referenceRelations, symbolMacro } from './reference-relations.ts'
import type { Relation, Sources } from './relation.ts'
import { VINTAGE_VIEWS, schemaOfTable } from './relation.ts'
import { reportRelations, statementsRelation } from './report-relations.ts'
import { valuationRelations } from './valuation-relations.ts'

/** The relations of a version, and the tables that knowledge of a date leaves out. */
export interface Relations {
  readonly relations: readonly Relation[]
  readonly withheld: readonly string[]
}

/** All views and macros, at everything that is stored or at the knowledge of a date. */
export function relationsOf(sources: Sources, knowledge?: Knowledge): Relations {
  const withheld: string[] = []
  const own: Relation[] = []
  for (const table of allTables(sources)) {
    const schema = schemaOfTable(sources, table)
    const view = sources.tables.get(table)
    const all = view ? sources.tableSql(view) : emptySql(schema)
    const rows = knowledge ? knownRows(table, all, schema, knowledge) : all
    if (rows === undefined) withheld.push(table)
    else if (table in VINTAGE_VIEWS)
      own.push(...reportRelations(sources, table, rows, knowledge ? KNOWN_PRUNABLE : 'all'))
    else {
      const relation = tableRelation(table, rows, knowledge ? KNOWN_PRUNABLE : 'all')
      own.push({ ...relation, inMemory: sources.inMemory?.(table) ?? false })
    }
  }
  const derived = [
    statementsRelation(sources),
    ...flowRelations(),
    ...barRelations(),
    ...valuationRelations(sources.prefer),
    ...referenceRelations(),
  ]
  return { relations: [symbolMacro(), ...own, ...derived], withheld }
}

/** True for the name of a table of one's own under which other rows than its own are shown. */
export function isTaken(name: string): boolean {
  const own = STANDARD_TABLES.some((table) => table.name === name && !(name in VINTAGE_VIEWS))
  return !own && takenNames().has(name.toLowerCase())
}

let taken: ReadonlySet<string> | undefined

function takenNames(): ReadonlySet<string> {
  if (taken) return taken
  const tables = new Map<string, never>()
  const none = { tables, prefer: [], tableSql: () => '', latestSql: () => undefined }
  const { relations } = relationsOf({ ...none, hasOneSource: () => true })
  return (taken = new Set(relations.map((relation) => relation.name.toLowerCase())))
}

/** Standard tables have their views even before they are synced. */
function allTables(sources: Sources): string[] {
  return [...new Set([...STANDARD_TABLES.map((t) => t.name), ...sources.tables.keys()])]
}

function emptySql(schema: Schema): string {
  const fields = schema.fields.length > 0 ? schema.fields : schemaOf([]).fields
  return `SELECT ${fields.map((f) => castColumn(f, 'NULL')).join(', ')} WHERE false`
}

const LABELS: Readonly<Record<string, readonly [label: string, about: string]>> = {
  stock_basic: ['股票列表，含已退市', 'Listed stocks, also the delisted ones.'],
  name_history: ['股票曾用名与ST状态', 'Names and ST flags over time.'],
  share_capital: ['股本变动', 'Share counts over time.'],
  trade_cal: ['交易日历', 'The trading calendar.'],
  daily: ['日线行情，不复权', 'Daily bars, unadjusted; volume in shares, amount in yuan.'],
  adj_factor: ['复权因子', 'Adjustment factors.'],
}

/** Knowledge of a date replaces some columns, and its windows reach over others. */
const KNOWN_PRUNABLE = ['symbol', 'trade_date']

function tableRelation(table: string, sql: string, prunable: Relation['prunable']): Relation {
  const [label, about] = LABELS[table] ?? [table, `The table \`${table}\`.`]
  return { name: table, kind: 'view', tables: [table], prunable, sql, label, about }
}

/** True if all files of a table say that they hold one and the same source: a filter on a flag costs next to nothing. */
export function hasOneSource(view: TableView | undefined): boolean {
  const sources = new Set<unknown>()
  for (const file of view?.snapshot.files.values() ?? []) {
    const bounds = boundsOf(file, 'source', 'string')
    if (!bounds || bounds.min !== bounds.max) return false
    sources.add(bounds.min)
  }
  return sources.size <= 1
}
