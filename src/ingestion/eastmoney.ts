/** EastMoney's datacenter: indicators and the three statements by report period, the stock list, daily valuations. */
import { LakeError } from '../model/errors.ts'
import { addQuarters, quarterEndBefore, quarterEnds } from '../model/period.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, BatchRequest, CollectedTable, Collector, CollectorTools } from './collector.ts'
import { WEB_PATH, endpointOf, fetchReport } from './datacenter.ts'
import type { SourceRow } from './datacenter.ts'
import { dateOf, measureFields, measureValue, noticeOf, symbolOf } from './eastmoney-columns.ts'
import { collectStockList, stockListBatches } from './eastmoney-list.ts'
import { collectShares, shareBatches } from './eastmoney-shares.ts'
import { collectValuations, valuationBatches } from './eastmoney-valuation.ts'
import type { SourceSettings } from './http.ts'

/** A report by table: its name, its period column, and columns that make the order of its rows definite. */
interface Report {
  readonly report: string
  readonly period: string
  readonly sortColumns: string
}

const REPORTS: Readonly<Record<string, Report>> = {
  indicators: {
    report: 'RPT_LICO_FN_CPD',
    period: 'REPORTDATE',
    sortColumns: 'SECUCODE,UPDATE_DATE',
  },
  balance: dmsk('BALANCE'),
  income: dmsk('INCOME'),
  cashflow: dmsk('CASHFLOW'),
}
const REPORT_TABLES = Object.keys(REPORTS)

function dmsk(statement: string): Report {
  return {
    report: `RPT_DMSK_FN_${statement}`,
    period: 'REPORT_DATE',
    sortColumns: 'SECUCODE,NOTICE_DATE',
  }
}

/** A shares and depositary receipts; without it reports mix in the over-the-counter market. */
const A_SHARES = '(SECURITY_TYPE_CODE in ("058001001","058001008"))'

/** Pages of the whole market for planning. */
const PAGES_GUESS = 12
/** Up to so many symbols are asked for one by one, all periods at once. */
const SINGLE_SYMBOLS_MAX = 100

/** The collector for EastMoney's datacenter. */
export function eastmoneyCollector(settings: SourceSettings): Collector {
  const { baseUrl } = settings
  return {
    source: 'eastmoney',
    tables: [...REPORT_TABLES, 'stock_basic', 'share_capital', 'daily_valuation'],
    defaultTables: REPORT_TABLES,
    dated: false,
    batches: async (request) => [
      ...stockListBatches(request),
      ...reportBatches(request),
      ...(await shareBatches(request)),
      ...(await valuationBatches(request)),
    ],
    collect: async (batch, tools) => {
      if (batch.tables.includes('stock_basic')) return [await collectStockList(baseUrl, tools)]
      if (batch.tables.includes('share_capital')) return collectShares(baseUrl, batch, tools)
      if (batch.tables.includes('daily_valuation')) return collectValuations(baseUrl, batch, tools)
      return collectReports(endpointOf(baseUrl, WEB_PATH), batch, tools)
    },
  }
}

function reportBatches(request: BatchRequest): Batch[] {
  const tables = REPORT_TABLES.filter((table) => request.tables.includes(table))
  if (tables.length === 0) return []
  // The notice dates of statements come from the indicators, so these are read in any case.
  const reports = tables.includes('indicators') ? tables.length : tables.length + 1
  const { since, until } = quarterRange(request)
  const { symbols } = request
  if (symbols && symbols.length <= SINGLE_SYMBOLS_MAX) {
    return symbols.map((symbol) => ({
      kind: 'symbols',
      period: `${until} ${symbol} from ${since}`,
      tables,
      requests: reports,
      symbols: [symbol],
      since,
    }))
  }
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

/** Rows of a report that are listed here and in the batch, and how many others came with them. */
interface Found {
  readonly rows: readonly SourceRow[]
  readonly repeated: number
  readonly foreign: number
}

async function collectReports(
  endpoint: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const indicators = await readTable(endpoint, 'indicators', batch, tools)
  const notices = firstNotices(indicators.rows)
  const collected: CollectedTable[] = []
  for (const table of batch.tables) {
    const own = table === 'indicators'
    const found = own ? indicators : await readTable(endpoint, table, batch, tools)
    const noticeFor = (row: SourceRow, key: string): string | null =>
      own ? noticeOf(row) : (notices.get(key) ?? null)
    collected.push(tableOf(table, batch, found, noticeFor, tools))
  }
  return collected
}

async function readTable(
  endpoint: string,
  table: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<Found> {
  const { report, period, sortColumns } = REPORTS[table]!
  const { kind, symbols } = batch
  const filter =
    kind === 'symbols' ? symbolFilter(table, symbols![0]!) : `(${period}='${batch.period}')`
  const { rows, repeated } = await fetchReport(tools.http, {
    endpoint,
    report,
    filter: `${filter}${kind === 'quarter' ? A_SHARES : ''}`,
    sortColumns: kind === 'symbols' ? period : sortColumns,
    onPage: (page, pages, count) =>
      tools.onEvent({
        type: 'page',
        source: 'eastmoney',
        period: batch.period,
        table,
        page,
        pages,
        rows: count,
      }),
  })
  const listed = rows.filter((row) => symbolOf(row) !== undefined && isWanted(batch, table, row))
  const newest = listed.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
  return { rows: newest, repeated, foreign: rows.length - listed.length }
}

/** The indicators have had a code without exchange for longer. */
function symbolFilter(table: string, symbol: string): string {
  return table === 'indicators'
    ? `(SECURITY_CODE="${symbol.slice(0, 6)}")`
    : `(SECUCODE="${symbol}")`
}

/** A row of another period than the one that was asked for means that the filter was not understood. */
function isWanted(batch: Batch, table: string, row: SourceRow): boolean {
  const end = endDateOf(table, row)
  if (batch.kind === 'symbols') return end >= batch.since! && end <= batch.period.slice(0, 10)
  if (end === batch.period) return true
  throw new LakeError('SOURCE_FAILED', `${table} ${batch.period}: a row of ${end} came with it`, {
    details: { table, period: batch.period, found: end },
    next: 'Nothing of it was stored. Run the command again later.',
  })
}

function endDateOf(table: string, row: SourceRow): string {
  return dateOf(row[REPORTS[table]!.period]) ?? 'an unknown period'
}

/** After a restatement a report may stand twice; the later one comes last. */
function orderOf(row: SourceRow): string {
  const entered = row['EITIME']
  return `${dateOf(row['UPDATE_DATE']) ?? ''}${typeof entered === 'string' ? entered : ''}`
}

/** The first notice of each report: statements repeat the date of the last report that showed them. */
function firstNotices(indicators: readonly SourceRow[]): Map<string, string> {
  const first = new Map<string, string>()
  for (const row of indicators) {
    const [key, notice] = [keyOf('indicators', row), noticeOf(row)]
    const known = first.get(key)
    if (notice !== null && (known === undefined || notice < known)) first.set(key, notice)
  }
  return first
}

function keyOf(table: string, row: SourceRow): string {
  return `${symbolOf(row)!}|${endDateOf(table, row)}`
}

function tableOf(
  table: string,
  batch: Batch,
  found: Found,
  noticeFor: (row: SourceRow, key: string) => string | null,
  tools: CollectorTools,
): CollectedTable {
  const fields = measureFields(table, found.rows)
  const knownAt = new Date(tools.nowMs)
  const wanted = found.rows.filter((row) => !tools.symbols || tools.symbols.has(symbolOf(row)!))
  const rows = wanted.map((row): InputRow => {
    const values: Record<string, unknown> = {
      symbol: symbolOf(row),
      end_date: endDateOf(table, row),
      source: 'eastmoney',
      notice_date: noticeFor(row, keyOf(table, row)),
      known_at: knownAt,
    }
    for (const [source, field] of fields)
      values[field.name] = measureValue(table, source, row, field)
    return values
  })
  const odd = [
    ...(found.repeated > 0 ? [`${found.repeated} rows came twice`] : []),
    ...(found.foreign > 0 && batch.kind === 'quarter'
      ? [`${found.foreign} rows are not listed on the exchanges of the mainland`]
      : []),
  ]
  const warnings = odd.map((text) => `${table} ${batch.period}: ${text}`)
  return { table, fields: [...fields.values()], rows, warnings }
}
