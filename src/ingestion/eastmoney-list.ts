/** The stock list: EastMoney's companies, the delisted ones too, with the exchanges' dates of delisting. */
import { shanghaiDate } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import { describedField } from '../model/standard-tables.ts'
import { boardOf } from '../model/symbol.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, BatchRequest, CollectedTable, CollectorTools } from './collector.ts'
import { F10_PATH, endpointOf, fetchReport } from './datacenter.ts'
import type { SourceRow } from './datacenter.ts'
import type { DelistedStock } from './delisted.ts'
import { fetchDelisted } from './delisted.ts'
import { dateOf, symbolOf } from './eastmoney-columns.ts'

const REPORT = 'RPT_F10_BASIC_ORGINFO'
const COLUMNS = 'SECUCODE,SECURITY_CODE,SECURITY_NAME_ABBR,EM2016,LISTING_DATE'
const REQUESTS_GUESS = 40

/** The list as one batch. */
export function stockListBatches(request: BatchRequest): Batch[] {
  if (!request.tables.includes('stock_basic')) return []
  const period = request.today
  return [{ kind: 'whole', period, tables: ['stock_basic'], requests: REQUESTS_GUESS }]
}

/** Fetches the list. A company that leaves it stays in the lake. */
export async function collectStockList(
  baseUrl: string,
  tools: CollectorTools,
): Promise<CollectedTable> {
  const period = shanghaiDate(tools.nowMs)
  const { rows, repeated } = await fetchReport(tools.http, {
    endpoint: endpointOf(baseUrl, F10_PATH),
    report: REPORT,
    filter: '',
    columns: COLUMNS,
    sortColumns: 'SECUCODE',
    client: 'HSF10',
    onPage: (page, pages, count) =>
      tools.onEvent({
        type: 'page',
        source: 'eastmoney',
        period,
        table: 'stock_basic',
        page,
        pages,
        rows: count,
      }),
  })
  const warnings = repeated > 0 ? [`stock_basic: ${repeated} rows came twice`] : []
  const delisted = await delistedOrWarning(baseUrl, tools, warnings)
  const stocks = [...mergedStocks(rows, delisted).values()]
  return {
    table: 'stock_basic',
    rows: stocks.filter((row) => !tools.symbols || tools.symbols.has(row['symbol'] as string)),
    fields: [describedField('industry', 'string', { source: 'EM2016', label: '行业' })],
    warnings,
  }
}

/** Without the exchanges' dates the list is still good; what the lake knows of delistings stays. */
async function delistedOrWarning(
  baseUrl: string,
  tools: CollectorTools,
  warnings: string[],
): Promise<readonly DelistedStock[] | undefined> {
  try {
    return await fetchDelisted(baseUrl, tools.http)
  } catch (error) {
    if (!(error instanceof LakeError) || !error.code.startsWith('SOURCE_')) throw error
    warnings.push(`stock_basic: dates of delisting were not read: ${error.message}`)
    return undefined
  }
}

function mergedStocks(
  rows: readonly SourceRow[],
  delisted: readonly DelistedStock[] | undefined,
): Map<string, InputRow> {
  const stocks = new Map<string, InputRow>()
  for (const row of rows) {
    const symbol = symbolOf(row)
    const listDate = dateOf(row['LISTING_DATE'])
    if (symbol === undefined || boardOf(symbol) === undefined || listDate === null) continue
    const industry = row['EM2016']
    stocks.set(symbol, {
      ...stockOf(symbol, row['SECURITY_NAME_ABBR'], listDate),
      industry: typeof industry === 'string' && industry !== '' ? industry : null,
      ...(delisted && { delist_date: null, list_status: 'L' }),
    })
  }
  for (const { symbol, name, listDate, delistDate } of delisted ?? []) {
    const known = stocks.get(symbol)
    stocks.set(symbol, {
      ...stockOf(symbol, known?.['name'] ?? name, listDate ?? known?.['list_date'] ?? null),
      industry: known?.['industry'] ?? null,
      delist_date: delistDate,
      list_status: 'D',
    })
  }
  return stocks
}

function stockOf(symbol: string, name: unknown, listDate: unknown): InputRow {
  return {
    symbol,
    code: symbol.slice(0, 6),
    name: typeof name === 'string' ? name.replaceAll(/\s/g, '') : null,
    list_date: listDate,
    board: boardOf(symbol),
  }
}
