/** Relations of reports: everything, the newest of the preferred source, what was visible on a day, and the union. */
import type { Field } from '../model/schema.ts'
import { findField } from '../model/schema.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import { castColumn } from '../storage/parquet/types.ts'
import type { Relation, Sources } from './relation.ts'
import { VINTAGE_VIEWS, preference, schemaOfTable } from './relation.ts'

const LABELS: Readonly<Record<string, readonly [label: string, about: string]>> = {
  indicators: ['主要财务指标', 'headline indicators'],
  balance: ['资产负债表', 'balance sheets'],
  income: ['利润表', 'income statements'],
  cashflow: ['现金流量表', 'cash flow statements'],
}

/** The three relations of one table of reports. `rows` is the SELECT of everything in it. */
export function reportRelations(
  sources: Sources,
  table: string,
  rows: string,
  prunable: Relation['prunable'],
): Relation[] {
  const name = VINTAGE_VIEWS[table]!
  const all = `${name}_all`
  const fields = schemaOfTable(sources, table).fields
  const columns = identifiers(fields.map((f) => f.name))
  const shown = identifiers(fields.map((f) => f.name).filter((n) => n !== 'is_latest'))
  const source = preference(sources.prefer)
  const first = sources.hasOneSource(table)
    ? ''
    : ` QUALIFY row_number() OVER (PARTITION BY symbol, end_date ORDER BY ${source}) = 1`
  const newest = `QUALIFY row_number() OVER (PARTITION BY symbol, end_date
    ORDER BY ${source}, visible_date DESC, vintage DESC) = 1`
  const [label, about] = LABELS[table]!
  const tables = [table]
  return [
    {
      name: all,
      kind: 'view',
      tables,
      prunable,
      sql: rows,
      label: `${label}：全部来源、全部版本`,
      about: `All ${about}: every source and every vintage.`,
    },
    {
      name,
      kind: 'view',
      inMemory: sources.inMemory?.(table) ?? false,
      tables,
      prunable: ['symbol', 'end_date'],
      sql: `SELECT ${columns} FROM ${sources.latestSql(table) ?? `${all} WHERE is_latest`}${first}`,
      label: `${label}：每期最新版本`,
      about: `The newest ${about}: one row per symbol and period, of the first source in the lake's order that has one.`,
    },
    {
      name: `${name}_asof`,
      kind: 'table macro',
      parameters: '(as_of)',
      tables,
      prunable: ['symbol', 'end_date'],
      sql: `SELECT ${shown}, true AS is_latest FROM ${all} WHERE visible_date <= CAST(as_of AS DATE) ${newest}`,
      label: `${label}：截至某日可见的版本`,
      about: `The ${about} that were visible on a day, each in the version visible then.`,
    },
  ]
}

const STATEMENTS = ['balance', 'income', 'cashflow'] as const

/** The three statements in one relation, told apart by `type`. */
export function statementsRelation(sources: Sources): Relation {
  const columns = new Map<string, Field>()
  for (const table of STATEMENTS) {
    for (const f of schemaOfTable(sources, table).fields)
      if (!columns.has(f.name)) columns.set(f.name, f)
  }
  const parts = STATEMENTS.map((table) => {
    const schema = schemaOfTable(sources, table)
    const select = [...columns.values()].map((f) =>
      findField(schema, f.name) ? identifier(f.name) : castColumn(f, 'NULL'),
    )
    return `SELECT ${literal(table)} AS type, ${select.join(', ')} FROM ${VINTAGE_VIEWS[table]}`
  })
  return {
    name: 'financial_statements',
    kind: 'view',
    tables: [...STATEMENTS],
    prunable: ['symbol', 'end_date'],
    sql: parts.join(' UNION ALL '),
    label: '三大报表合并，type 区分',
    about: 'The newest three statements in one relation, told apart by `type`.',
  }
}
