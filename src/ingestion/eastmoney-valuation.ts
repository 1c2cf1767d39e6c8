/** EastMoney's daily valuation of each stock, from 2018 on. */
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, BatchRequest, CollectedTable, CollectorTools } from './collector.ts'
import { WEB_PATH, endpointOf, fetchReport } from './datacenter.ts'
import { dateOf, measureValue, symbolOf } from './eastmoney-columns.ts'
import { symbolSlices } from './slices.ts'
import { standardTable } from '../model/standard-tables.ts'
import type { Field } from '../model/schema.ts'

const TABLE = 'daily_valuation'
/** This report gives more rows a page than others. */
const PAGE_ROWS = 5000

/** EastMoney's names of the columns. */
const NAMES: Readonly<Record<string, string>> = {
  CLOSE_PRICE: 'close',
  TOTAL_MARKET_CAP: 'total_mv',
  NOTLIMITED_MARKETCAP_A: 'circ_mv',
  TOTAL_SHARES: 'total_share',
  FREE_SHARES_A: 'float_share',
  PE_TTM: 'pe_ttm',
  PE_LAR: 'pe',
  PB_MRQ: 'pb',
  PS_TTM: 'ps_ttm',
  PCF_OCF_TTM: 'pcf_ocf_ttm',
  PEG_CAR: 'peg',
}

/** One request a symbol gives all its days. */
export function valuationBatches(request: BatchRequest): Promise<Batch[]> {
  return symbolSlices(request, { tables: [TABLE], resumeFrom: TABLE, requestsPerSymbol: 1 })
}

/** Fetches the valuations of a slice of symbols. */
export async function collectValuations(
  baseUrl: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const rows: InputRow[] = []
  for (const symbol of batch.symbols!)
    rows.push(...(await valuationsOf(baseUrl, batch, symbol, tools)))
  return [{ table: TABLE, rows, fields: [], warnings: [] }]
}

async function valuationsOf(
  baseUrl: string,
  batch: Batch,
  symbol: string,
  tools: CollectorTools,
): Promise<InputRow[]> {
  const fields = new Map(
    standardTable(TABLE)!.schema.fields.map((f): [string, Field] => [f.name, f]),
  )
  const { rows } = await fetchReport(tools.http, {
    endpoint: endpointOf(baseUrl, WEB_PATH),
    report: 'RPT_VALUEANALYSIS_DET',
    filter: `(SECURITY_CODE="${symbol.slice(0, 6)}")(TRADE_DATE>='${batch.since!}')`,
    sortColumns: 'TRADE_DATE',
    pageRows: PAGE_ROWS,
  })
  return rows.flatMap((row) => {
    const tradeDate = dateOf(row['TRADE_DATE'])
    const until = batch.period.slice(0, 10)
    if (symbolOf(row) !== symbol || tradeDate === null || tradeDate > until) return []
    const values: Record<string, unknown> = { symbol, trade_date: tradeDate, source: 'eastmoney' }
    for (const [source, name] of Object.entries(NAMES))
      values[name] = measureValue(TABLE, source, row, fields.get(name)!)
    return [values]
  })
}
