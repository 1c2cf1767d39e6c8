/** EastMoney's columns: which of a report's are measures, what they are called in the lake, and their values. */
import { LakeError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import { describedField } from '../model/standard-tables.ts'
import { measureOf } from '../model/measures.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { SourceRow } from './datacenter.ts'

/** Columns that identify or describe a row, or that the source rewrites when the next year's report comes. */
const NO_MEASURES = new Set([
  'ASSIGNDSCRPT',
  'DATATYPE',
  'DATAYEAR',
  'DATA_STATE',
  'DATEMMDD',
  'DATE_TYPE_CODE',
  'EITIME',
  'INDUSTRY_CODE',
  'INDUSTRY_NAME',
  'ISNEW',
  'LISTING_STATE',
  'MARKET',
  'NOTICE_DATE',
  'ORG_CODE',
  'ORG_TYPE',
  'PAYYEAR',
  'PUBLISHNAME',
  'QDATE',
  'REPORTDATE',
  'REPORT_DATE',
  'REPORT_DATE_NAME',
  'REPORT_TYPE',
  'REPORT_TYPE_CODE',
  'SECUCODE',
  'SECURITY_CODE',
  'SECURITY_NAME_ABBR',
  'SECURITY_TYPE',
  'SECURITY_TYPE_CODE',
  'TRADE_MARKET',
  'TRADE_MARKET_CODE',
  'TRADE_MARKET_ZJG',
  'UPDATE_DATE',
  'SJLHZ',
  'SJLTZ',
  'YSHZ',
  'YSTZ',
  'ZXGXL',
])
/** Ratios that are levels, not changes against the year before. */
const LEVEL_RATIOS = new Set(['CURRENT_RATIO', 'DEBT_ASSET_RATIO'])

/** Changes against the year before are recomputed by the source; only levels are stored. */
function isChange(name: string): boolean {
  return /_RATIO$|_YOY$|_QOQ$/.test(name) && !LEVEL_RATIOS.has(name)
}

/** The column of each of the source's names; new names widen the table under their lower-case form. */
export function measureFields(table: string, rows: readonly SourceRow[]): Map<string, Field> {
  const fields = new Map<string, Field>()
  for (const row of rows) {
    for (const [source, value] of Object.entries(row)) {
      if (fields.has(source) || NO_MEASURES.has(source) || isChange(source)) continue
      const field = fieldOf(table, source, value)
      if (field) fields.set(source, field)
    }
  }
  return fields
}

/** A name that is not known has the type of its first value; until one comes it is not stored. */
function fieldOf(table: string, source: string, value: unknown): Field | undefined {
  const known = measureOf(table, 'eastmoney', source)
  if (known) return describedField(known.name, 'double', { source, ...known.meaning })
  const type = typeof value === 'number' ? 'double' : typeof value === 'string' ? 'string' : null
  if (type === null || value === '-') return undefined
  // A name that means another item in the lake is not taken for it.
  const name = source.toLowerCase()
  const taken = measureOf(table, 'tushare', name) !== undefined
  return describedField(taken ? `${name}_em` : name, type, { source })
}

/** The value of a cell: a number or text as its column wants it, null where the source has none. */
export function measureValue(
  table: string,
  source: string,
  row: SourceRow,
  field: Field,
): number | string | null {
  const value = row[source]
  if (value === null || value === undefined || value === '-' || value === '') return null
  if (field.type === 'string' && typeof value === 'string') return value
  if (field.type === 'double' && typeof value === 'number' && Number.isFinite(value)) return value
  const wanted = field.type === 'double' ? 'number' : 'text'
  throw new LakeError(
    'SOURCE_FAILED',
    `${table}: ${source} of ${String(symbolOf(row))} is no ${wanted} any more`,
    {
      details: { table, column: source, expected: wanted, found: typeof value },
      next: 'Nothing of it was stored. The source changed the column; a newer version of marketlake may know it.',
    },
  )
}

/** Listed on the mainland's exchanges: the suffix tells, whatever a filter let through. */
export function symbolOf(row: SourceRow): string | undefined {
  const code = row['SECUCODE'] ?? row['SECURITY_CODE']
  return typeof code === 'string' ? parseSymbol(code) : undefined
}

/** The day of `2025-03-31 00:00:00`; null for everything that is no date. */
export function dateOf(value: unknown): string | null {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value) ? value.slice(0, 10) : null
}

/** The sentinel 1900-01-01 stands for an unknown date. */
export function noticeOf(row: SourceRow): string | null {
  const date = dateOf(row['NOTICE_DATE'])
  return date === '1900-01-01' ? null : date
}
