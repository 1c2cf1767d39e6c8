/** Names of an import: which old tables are reports that the lake has a table for, and what columns are called there. */
import { LakeError } from '../model/errors.ts'
import { allowedColumnName, checkTableName } from '../model/name.ts'
import { VINTAGE_COLUMNS, standardTable } from '../model/standard-tables.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier } from '../storage/parquet/sql.ts'
import { oldTable } from './old-file.ts'
import type { OldColumn } from './sides.ts'

/** Old names of the tables of reports. */
const REPORTS: readonly (readonly [pattern: RegExp, table: string])[] = [
  [/^(fin_|financial_statements?_)?balance(_?sheet)?s?$/i, 'balance'],
  [/^(fin_|financial_statements?_)?income(_?statement)?s?$/i, 'income'],
  [/^(fin_|financial_statements?_)?cash_?flow(_?statement)?s?$/i, 'cashflow'],
  [/^(fin_)?(fina_)?indicators?$/i, 'indicators'],
]

const SYMBOL = /^(symbol|code|ts_code|stock_code|secucode|security_code)$/i
const END_DATE = /^(end_date|report_date|reportdate|period|report_period)$/i
const NOTICE_DATE = /^(notice_date|ann_date|f_ann_date|publish_date|announce_date)$/i

/** Columns of a report that the lake fills in: an old one of such a name means something else. */
const FILLED_IN = new Set(
  VINTAGE_COLUMNS.filter((name) => !['symbol', 'end_date', 'notice_date'].includes(name)),
)

/** True for a column that names a stock. */
export function isSymbolColumn(name: string): boolean {
  return SYMBOL.test(name)
}

/** The lake's table for a table of reports, with a name for each column; undefined where it is none. */
export function toStandard(
  old: string,
  columns: readonly OldColumn[],
):
  | { readonly table: string; readonly symbol: string; readonly names: readonly string[] }
  | undefined {
  const table = REPORTS.find(([pattern]) => pattern.test(old))?.[1]
  const symbols = columns.filter((c) => SYMBOL.test(c.name))
  const ends = columns.filter((c) => END_DATE.test(c.name) && c.delta === 'date')
  const notice = columns.find((c) => NOTICE_DATE.test(c.name) && c.delta === 'date')
  if (table === undefined || symbols.length !== 1 || ends.length !== 1) return undefined
  const plain = lakeColumnNames(columns.map((c) => c.name))
  const names = columns.map((c, i) => {
    if (c === symbols[0]) return 'symbol'
    if (c === ends[0]) return 'end_date'
    return c === notice ? 'notice_date' : plain[i]!
  })
  const taken = names.some((name) => FILLED_IN.has(name.toLowerCase()))
  const distinct = new Set(names.map((name) => name.toLowerCase())).size === names.length
  return taken || !distinct ? undefined : { table, symbol: symbols[0]!.name, names }
}

/** How a column writes symbols: as the lake does, as a bare code, with a prefix; undefined for a mixture. */
export async function symbolForm(
  session: Session,
  table: string,
  column: string,
): Promise<'lake' | 'code' | 'prefix' | undefined> {
  const name = `CAST(${identifier(column)} AS VARCHAR)`
  const count = (condition: string): string => `count(*) FILTER (${condition})`
  const { n, lake, code, prefix } = await session.row<
    Record<'n' | 'lake' | 'code' | 'prefix', bigint>
  >(
    `SELECT count(${name}) AS n, ${count(`regexp_full_match(${name}, '\\d{6}\\.(SH|SZ|BJ)')`)} AS lake,
       ${count(`regexp_full_match(${name}, '\\d{6}')`)} AS code,
       ${count(`regexp_full_match(${name}, '(sh|sz|bj)\\d{6}')`)} AS prefix
     FROM ${oldTable(table)}`,
  )
  if (lake === n) return 'lake'
  if (code === n) return 'code'
  return prefix === n ? 'prefix' : undefined
}

/** Names that Delta allows: what it forbids becomes an underscore, and names stay distinct whatever their case. */
export function lakeColumnNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const clean = allowedColumnName(name)
    let free = clean
    for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${clean}_${String(n)}`
    taken.add(free.toLowerCase())
    return free
  })
}

/** Views of the lake's own tables, which a table of somebody's may not hide. */
const VIEWS = /^(fin_|financial_statements$|daily_(qfq|hfq)|valuation$)/i

/** The name of a table in the lake: letters, digits and underscores, beginning with a letter, and nobody else's. */
export function lakeTableName(old: string, chosen: boolean): string {
  if (chosen) {
    if (standardTable(old.toLowerCase()))
      throw new LakeError('INVALID_ARGUMENT', `${old} is a table of the lake's own`, {
        details: { table: old },
        next: 'Choose another name; tables of reports are mapped by their own names where their columns fit.',
      })
    return checkTableName(old)
  }
  const clean = old
    .replaceAll(/[^A-Za-z0-9_]/g, '_')
    .replace(/^(?![A-Za-z])/, 't_')
    .slice(0, 60)
  const own = VIEWS.test(clean) || standardTable(clean.toLowerCase()) !== undefined
  return checkTableName(own ? `old_${clean}`.slice(0, 63) : clean)
}
