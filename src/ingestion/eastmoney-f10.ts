/** EastMoney's full statements, company by company: some 300 columns, by kind of company. */
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, CollectedTable, Collector, CollectorTools } from './collector.ts'
import { F10_PATH, endpointOf, fetchReport } from './datacenter.ts'
import type { SourceRow } from './datacenter.ts'
import { dateOf, measureFields, measureValue, noticeOf, symbolOf } from './eastmoney-columns.ts'
import type { SourceSettings } from './http.ts'
import { symbolSlices } from './slices.ts'

/**
 * A source of its own: its statements have other columns than those by report period, and a column that one
 * source lacks must not look like a restatement.
 */
const SOURCE = 'eastmoney_f10'
const STATEMENTS: Readonly<Record<string, string>> = {
  balance: 'BALANCE',
  income: 'INCOME',
  cashflow: 'CASHFLOW',
}
const TABLES = Object.keys(STATEMENTS)

/** Kinds of companies in the order in which they are tried: general, bank, broker, insurer. */
const KINDS = ['G', 'B', 'S', 'I'] as const
type Kind = (typeof KINDS)[number]

const PAGE_ROWS = 200
/** Every period there is comes in one request. */
const FIRST_DAY = '1990-01-01'

/** The collector of full statements; an optional depth, since it asks for every company apart. */
export function eastmoneyF10Collector(settings: SourceSettings): Collector {
  const endpoint = endpointOf(settings.baseUrl, F10_PATH)
  return {
    source: SOURCE,
    tables: TABLES,
    dated: false,
    batches: (request) =>
      symbolSlices(request, { tables: TABLES, firstDay: FIRST_DAY, requestsPerSymbol: 3 }),
    collect: (batch, tools) => collectSlice(endpoint, batch, tools),
  }
}

async function collectSlice(
  endpoint: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const found = new Map<string, SourceRow[]>(batch.tables.map((table) => [table, []]))
  const unknown: string[] = []
  for (const symbol of batch.symbols!) {
    const kind = await kindOf(endpoint, symbol, tools)
    if (!kind) unknown.push(symbol)
    for (const table of kind ? batch.tables : []) {
      const rows = await fetchStatement(endpoint, kind!, table, symbol, tools)
      found.get(table)!.push(...rows.filter((row) => inRange(row, batch)))
    }
  }
  const warnings =
    unknown.length > 0 ? [`${SOURCE}: no statements of ${unknown.slice(0, 5).join(', ')}`] : []
  return batch.tables.map((table, i) => ({
    ...tableOf(table, found.get(table)!, tools),
    warnings: i === 0 ? warnings : [],
  }))
}

/** Asked once and remembered; a company does not change its kind. */
async function kindOf(
  endpoint: string,
  symbol: string,
  tools: CollectorTools,
): Promise<Kind | undefined> {
  const key = `kind ${symbol}`
  const known = await tools.memory.get(key)
  const remembered = KINDS.find((kind) => kind === known)
  if (remembered) return remembered
  for (const kind of KINDS) {
    const rows = await fetchStatement(endpoint, kind, 'balance', symbol, tools)
    if (rows.length === 0) continue
    await tools.memory.set(key, kind)
    return kind
  }
  return undefined
}

async function fetchStatement(
  endpoint: string,
  kind: Kind,
  table: string,
  symbol: string,
  tools: CollectorTools,
): Promise<readonly SourceRow[]> {
  const { rows } = await fetchReport(tools.http, {
    endpoint,
    report: `RPT_F10_FINANCE_${kind}${STATEMENTS[table]!}`,
    filter: `(SECUCODE="${symbol}")`,
    sortColumns: 'REPORT_DATE',
    pageRows: PAGE_ROWS,
    client: 'HSF10',
  })
  return rows.filter((row) => symbolOf(row) === symbol && dateOf(row['REPORT_DATE']) !== null)
}

function inRange(row: SourceRow, batch: Batch): boolean {
  const end = dateOf(row['REPORT_DATE'])!
  return end >= batch.since! && end <= batch.period.slice(0, 10)
}

function tableOf(
  table: string,
  rows: readonly SourceRow[],
  tools: CollectorTools,
): Omit<CollectedTable, 'warnings'> {
  const fields = measureFields(table, rows)
  const knownAt = new Date(tools.nowMs)
  return {
    table,
    fields: [...fields.values()],
    rows: rows.map((row): InputRow => {
      const values: Record<string, unknown> = {
        symbol: symbolOf(row),
        end_date: dateOf(row['REPORT_DATE']),
        source: SOURCE,
        // The first notice. UPDATE_DATE moves when the next report shows the period again, with the same values.
        notice_date: noticeOf(row),
        known_at: knownAt,
      }
      for (const [source, field] of fields)
        values[field.name] = measureValue(table, source, row, field)
      return values
    }),
  }
}
