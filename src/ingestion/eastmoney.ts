/** Collector of EastMoney's datacenter: indicators and the three statements of the whole market by report period. */
import { LakeError } from '../model/errors.ts'
import { addQuarters, quarterEndBefore, quarterEnds } from '../model/period.ts'
import type { Field } from '../model/schema.ts'
import { MEASURES, describedField } from '../model/standard-tables.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, BatchRequest, CollectedTable, Collector, CollectorTools } from './collector.ts'
import { DATACENTER_URL, fetchReport } from './datacenter.ts'
import type { SourceRow } from './datacenter.ts'
import type { SourceSettings } from './http.ts'

/** Reports by table: their name and the name of their period column. */
const REPORTS: Readonly<Record<string, { readonly report: string; readonly period: string }>> = {
  indicators: { report: 'RPT_LICO_FN_CPD', period: 'REPORTDATE' },
  balance: { report: 'RPT_DMSK_FN_BALANCE', period: 'REPORT_DATE' },
  income: { report: 'RPT_DMSK_FN_INCOME', period: 'REPORT_DATE' },
  cashflow: { report: 'RPT_DMSK_FN_CASHFLOW', period: 'REPORT_DATE' },
}
const TABLES = Object.keys(REPORTS)

/** A shares and depositary receipts; without it the report mixes in the over-the-counter market. */
const A_SHARES = '(SECURITY_TYPE_CODE in ("058001001","058001008"))'

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
  'MARKET',
  'NOTICE_DATE',
  'ORG_CODE',
  'PAYYEAR',
  'PUBLISHNAME',
  'QDATE',
  'REPORTDATE',
  'REPORT_DATE',
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

/** Pages of the whole market for planning. */
const PAGES_GUESS = 12

/** The collector for EastMoney's datacenter. */
export function eastmoneyCollector(settings: SourceSettings): Collector {
  const baseUrl = settings.baseUrl === '' ? DATACENTER_URL : settings.baseUrl.replace(/\/+$/, '')
  return {
    source: 'eastmoney',
    tables: TABLES,
    dated: false,
    batches: (request) => batchesOf(request),
    collect: (batch, tools) => collectBatch(baseUrl, batch, tools),
  }
}

function batchesOf(request: BatchRequest): Batch[] {
  const tables = TABLES.filter((table) => request.tables.includes(table))
  if (tables.length === 0) return []
  // The notice dates of statements come from the indicators, so these are read in any case.
  const reports = tables.includes('indicators') ? tables.length : tables.length + 1
  const { since, until } = quarterRange(request)
  return quarterEnds(since, until).map((period) => ({
    kind: 'quarter',
    period,
    tables,
    requests: reports * PAGES_GUESS,
  }))
}

/** Quarters that are read again by default: reports are restated for about two years. */
const REFRESH_QUARTERS = 8

/** The quarters that are asked for. */
export function quarterRange(request: BatchRequest): { since: string; until: string } {
  const newest = quarterEndBefore(request.today)
  return {
    since: request.since ?? addQuarters(newest, 1 - REFRESH_QUARTERS),
    until: request.until ?? newest,
  }
}

async function collectBatch(
  baseUrl: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const indicators = newestOfEach(await readTable(baseUrl, 'indicators', batch.period, tools))
  const notices = new Map(indicators.rows.map((row) => [symbolOf(row), noticeOf(row)]))
  const collected: CollectedTable[] = []
  for (const table of batch.tables) {
    const found =
      table === 'indicators'
        ? indicators
        : newestOfEach(await readTable(baseUrl, table, batch.period, tools))
    collected.push(tableOf(table, batch.period, found.rows, notices, tools, found.repeated))
  }
  return collected
}

function readTable(
  baseUrl: string,
  table: string,
  period: string,
  tools: CollectorTools,
): Promise<SourceRow[]> {
  const { report, period: column } = REPORTS[table]!
  return fetchReport(tools.http, {
    baseUrl,
    report,
    filter: `(${column}='${period}')${table === 'indicators' ? A_SHARES : ''}`,
    sortColumns: 'SECUCODE',
    onPage: (page, pages, rows) =>
      tools.onEvent({ type: 'page', source: 'eastmoney', period, table, page, pages, rows }),
  })
}

/** Listed on the mainland's exchanges: the suffix tells, whatever the filter let through. */
function symbolOf(row: SourceRow): string | undefined {
  const code = row['SECUCODE'] ?? row['SECURITY_CODE']
  const symbol = typeof code === 'string' ? parseSymbol(code) : undefined
  return symbol
}

function dateOf(value: unknown): string | null {
  return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value) ? value.slice(0, 10) : null
}

/** The sentinel 1900-01-01 stands for an unknown date. */
function noticeOf(row: SourceRow): string | null {
  const date = dateOf(row['NOTICE_DATE'])
  return date === '1900-01-01' ? null : date
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

interface Newest {
  readonly rows: readonly SourceRow[]
  readonly repeated: number
}

/** After a restatement a report may stand twice; rows that come twice by paging are the same row. */
function newestOfEach(rows: readonly SourceRow[]): Newest {
  const distinct = new Map<string, SourceRow>()
  for (const row of rows) {
    const symbol = symbolOf(row)
    if (symbol !== undefined) distinct.set(`${symbol}|${JSON.stringify(row)}`, row)
  }
  const kept = [...distinct.values()]
  const order = (row: SourceRow): string =>
    `${dateOf(row['UPDATE_DATE']) ?? ''}${textOf(row['EITIME'])}`
  return {
    rows: kept.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)),
    repeated: rows.length - kept.length,
  }
}

function tableOf(
  table: string,
  period: string,
  rows: readonly SourceRow[],
  notices: ReadonlyMap<string | undefined, string | null>,
  tools: CollectorTools,
  repeated: number,
): CollectedTable {
  const fields = measureFields(table, rows)
  const knownAt = new Date(tools.nowMs)
  const wanted = rows.filter((row) => {
    const symbol = symbolOf(row)
    return symbol !== undefined && (!tools.symbols || tools.symbols.has(symbol))
  })
  return {
    table,
    fields: [...fields.values()],
    rows: wanted.map((row) => measureRow(table, period, row, fields, notices, knownAt)),
    warnings:
      repeated > 0
        ? [`${table} ${period}: ${repeated} rows came twice or are not listed here`]
        : [],
  }
}

/** The column of each of the source's names; new names widen the table under their lower-case form. */
function measureFields(table: string, rows: readonly SourceRow[]): Map<string, Field> {
  const known = new Map(
    MEASURES[table]!.map(([name, source, label, unit]) => [source, { name, label, unit }]),
  )
  const fields = new Map<string, Field>()
  for (const row of rows) {
    for (const source of Object.keys(row)) {
      if (fields.has(source) || NO_MEASURES.has(source) || isChange(source)) continue
      const meaning = known.get(source)
      if (!meaning && typeof row[source] !== 'number') continue
      const { name = source.toLowerCase(), ...rest } = meaning ?? {}
      fields.set(source, describedField(name, 'double', { source, ...rest }))
    }
  }
  return fields
}

/** Changes against the year before are recomputed by the source; only levels are stored. */
function isChange(name: string): boolean {
  return (/_RATIO$|_YOY$/.test(name) || name === 'TOI_RATIO') && !LEVEL_RATIOS.has(name)
}

function measureRow(
  table: string,
  period: string,
  row: SourceRow,
  fields: ReadonlyMap<string, Field>,
  notices: ReadonlyMap<string | undefined, string | null>,
  knownAt: Date,
): InputRow {
  const symbol = symbolOf(row)
  const values: Record<string, unknown> = {
    symbol,
    end_date: period,
    source: 'eastmoney',
    notice_date: notices.get(symbol) ?? null,
    known_at: knownAt,
  }
  for (const [source, field] of fields) values[field.name] = numberOf(table, source, row)
  return values
}

function numberOf(table: string, source: string, row: SourceRow): number | null {
  const value = row[source]
  if (value === null || value === undefined || value === '-') return null
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new LakeError(
    'SOURCE_FAILED',
    `${table}: ${source} of ${String(symbolOf(row))} is no number any more`,
    {
      details: { table, column: source, found: typeof value },
      next: 'Nothing of it was stored. The source changed the column; a newer version of marketlake may know it.',
    },
  )
}
