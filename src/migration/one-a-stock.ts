/** Old files with a table a stock: tables of the same columns whose names end in a stock's code are one table. */
import { parseSymbol } from '../model/symbol.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'

/** Tables that belong together. */
export interface StockTables {
  /** What their names have in common, `stocks` if nothing; numbered where a table or another group has that name. */
  readonly name: string
  readonly members: readonly { readonly table: string; readonly symbol: string }[]
}

/** A few tables of one form may be something else. */
const MEMBERS_MIN = 20
const NAME = /^(.*?)[_.-]?((?:sh|sz|bj)?[._]?\d{6}(?:[._]?(?:sh|sz|bj))?)$/i

/** The groups of an attached file, under its alias. */
export async function stockTables(session: Session, alias: string): Promise<StockTables[]> {
  const rows = await session.rows<{ table: string; columns: string }>(
    `SELECT table_name AS "table", string_agg(column_name || ' ' || data_type, ',' ORDER BY column_index) AS columns
     FROM duckdb_columns() WHERE database_name = ${literal(alias)} AND schema_name = 'main' AND NOT internal
     GROUP BY 1 ORDER BY 1`,
  )
  const groups = new Map<string, StockGroup>()
  for (const { table, columns } of rows) {
    const match = NAME.exec(table)
    const symbol = match && parseSymbol(match[2]!.replaceAll(/[._]/g, ''))
    if (!symbol) continue
    const name = match[1] === '' ? 'stocks' : match[1]!
    const key = `${name.toLowerCase()}\n${columns}`
    const group = groups.get(key) ?? { name, members: [] }
    group.members.push({ table, symbol })
    groups.set(key, group)
  }
  const found = [...groups.values()].filter((group) => group.members.length >= MEMBERS_MIN)
  const tables = rows.map(({ table }) => table)
  return named(found, tables)
}

interface StockGroup extends StockTables {
  readonly members: { table: string; symbol: string }[]
}

/** Tables of one prefix and of two forms are two groups, and the prefix may be a table as well: names stay distinct. */
function named(groups: readonly StockGroup[], tables: readonly string[]): StockTables[] {
  const members = new Set(groups.flatMap((group) => group.members.map(({ table }) => table)))
  const others = tables.filter((table) => !members.has(table))
  const taken = new Set(others.map((table) => table.toLowerCase()))
  return groups.map((group) => {
    let name = group.name
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${group.name}_${String(n)}`
    taken.add(name.toLowerCase())
    return { ...group, name }
  })
}

/** Tables in one statement; more make it slow to plan. */
const CHUNK = 200

/** Statements that gather a group into one table with the column `symbol`, in another database. */
export function gatherSql(group: StockTables, from: string, to: string): string[] {
  const rows = group.members.map(
    ({ table, symbol }) =>
      `SELECT ${literal(symbol)} AS symbol, * FROM ${identifier(from)}.main.${identifier(table)}`,
  )
  const target = `${identifier(to)}.main.${identifier(group.name)}`
  const statements = [`CREATE TABLE ${target} AS ${rows[0]!} LIMIT 0`]
  for (let i = 0; i < rows.length; i += CHUNK)
    statements.push(`INSERT INTO ${target} ${rows.slice(i, i + CHUNK).join(' UNION ALL ')}`)
  return statements
}
