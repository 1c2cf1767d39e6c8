/** EastMoney's changes of share capital, stock by stock. */
import type { InputRow } from '../storage/parquet/ingest.ts'
import { standardTable } from '../model/standard-tables.ts'
import type { Batch, BatchRequest, CollectedTable, CollectorTools } from './collector.ts'
import { F10_PATH, endpointOf, fetchReport } from './datacenter.ts'
import { dateOf, measureValue, noticeOf, symbolOf } from './eastmoney-columns.ts'
import { symbolSlices } from './slices.ts'

const TABLE = 'share_capital'
/** Changes begin before a stock was listed. */
const FIRST_DAY = '1980-01-01'

/** One request a symbol gives all its changes; asked for several, the source answers for the first alone. */
export function shareBatches(request: BatchRequest): Promise<Batch[]> {
  return symbolSlices(request, { tables: [TABLE], firstDay: FIRST_DAY, requestsPerSymbol: 1 })
}

/** Fetches the changes of a slice of symbols. */
export async function collectShares(
  baseUrl: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const rows: InputRow[] = []
  for (const symbol of batch.symbols!)
    rows.push(...(await changesOf(baseUrl, batch, symbol, tools)))
  return [{ table: TABLE, rows, fields: [], warnings: [] }]
}

async function changesOf(
  baseUrl: string,
  batch: Batch,
  symbol: string,
  tools: CollectorTools,
): Promise<InputRow[]> {
  const [total, float] = ['total_share', 'float_share'].map((name) =>
    standardTable(TABLE)!.schema.fields.find((field) => field.name === name)!,
  )
  const { rows } = await fetchReport(tools.http, {
    endpoint: endpointOf(baseUrl, F10_PATH),
    report: 'RPT_F10_EH_EQUITY',
    filter: `(SECUCODE="${symbol}")`,
    sortColumns: 'END_DATE',
    client: 'HSF10',
  })
  // Two changes of one day: the one that was told later holds.
  const byDay = new Map<string, InputRow>()
  const told = rows.toSorted((a, b) => ((noticeOf(a) ?? '') < (noticeOf(b) ?? '') ? -1 : 1))
  for (const row of told) {
    const day = dateOf(row['END_DATE'])
    if (symbolOf(row) !== symbol || day === null || day < batch.since!) continue
    byDay.set(day, {
      symbol,
      change_date: day,
      notice_date: noticeOf(row),
      total_share: measureValue(TABLE, 'TOTAL_SHARES', row, total!),
      float_share:
        measureValue(TABLE, 'LISTED_A_SHARES', row, float!) ??
        measureValue(TABLE, 'UNLIMITED_SHARES', row, float!),
    })
  }
  return [...byDay.values()]
}
