/** Tushare's reports of a period: every version with its date, whole market. */
import { LakeError } from '../model/errors.ts'
import { extraMeasures, measureOf } from '../model/measures.ts'
import type { Field } from '../model/schema.ts'
import { MEASURES, describedField } from '../model/standard-tables.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, CollectedTable, CollectorTools } from './collector.ts'
import { compactDay, dayOf, fetchTushare, numberOf, symbolOf } from './tushare-protocol.ts'
import type { TushareAccess, TushareRequest, TushareRow } from './tushare-protocol.ts'

interface ReportApi {
  /** Of one stock; with `_vip` behind it of the whole market. */
  readonly api: string
  readonly required: readonly string[]
  /** Asked for by name where the default columns lack what is required. */
  readonly fields?: readonly string[]
}

const STATEMENT = ['ts_code', 'ann_date', 'f_ann_date', 'end_date', 'report_type', 'update_flag']
const INDICATOR = ['ts_code', 'ann_date', 'end_date', 'update_flag']

/** Interfaces by table. */
export const REPORT_APIS: Readonly<Record<string, ReportApi>> = {
  indicators: {
    api: 'fina_indicator',
    required: INDICATOR,
    fields: [...INDICATOR, 'eps', ...indicatorColumns()],
  },
  balance: { api: 'balancesheet', required: STATEMENT },
  income: { api: 'income', required: STATEMENT },
  cashflow: { api: 'cashflow', required: STATEMENT },
}

/** Columns of the lake that Tushare has under the same name. */
function indicatorColumns(): string[] {
  const theirs = new Set(['roe_waa', 'bps', 'ocfps', 'grossprofit_margin'])
  const core = MEASURES['indicators']!.flatMap(([name]) => (theirs.has(name) ? [name] : []))
  return [...core, ...extraMeasures('indicators').map(({ name }) => name)]
}

/** Columns that say which version of which report a row is. */
const NO_MEASURES = new Set([
  'ts_code',
  'ann_date',
  'f_ann_date',
  'end_date',
  'report_type',
  'comp_type',
  'end_type',
  'update_flag',
])
/** Merged statements as published last; other types are parents', single quarters' or adjusted ones. */
const MERGED = '1'

/** Fetches a report of a period, or of a stock. */
export async function collectReport(
  access: TushareAccess,
  table: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable> {
  const { api, required, fields } = REPORT_APIS[table]!
  const { kind, period, symbols } = batch
  const request: TushareRequest = {
    ...(kind === 'symbols'
      ? { api, parameters: { ts_code: symbols![0]! } }
      : { api: `${api}_vip`, parameters: { period: compactDay(period) } }),
    required,
    ...(fields && { fields }),
    onPage: (page, rows) =>
      tools.onEvent({ type: 'page', source: 'tushare', period, table, page, pages: page, rows }),
  }
  const { rows, repeated } = await fetchTushare(access, request)
  const versions = rows.filter((row) => isVersion(request, batch, row))
  const columns = measureColumns(table, versions)
  const wanted = versions.filter((row) => !tools.symbols || tools.symbols.has(symbolOf(row)!))
  const knownAt = new Date(tools.nowMs)
  return {
    table,
    fields: [...columns.values()],
    rows: wanted.toSorted(byVersion).map((row) => versionRow(request, row, columns, knownAt)),
    warnings: repeated > 0 ? [`${table} ${period}: ${repeated} rows came twice`] : [],
  }
}

/** A row of the merged report of a listed company; one of another period means the filter was not understood. */
function isVersion(request: TushareRequest, batch: Batch, row: TushareRow): boolean {
  const end = dayOf(row['end_date'])
  if (batch.kind === 'symbols') {
    if (end === null || end < batch.since! || end > batch.period.slice(0, 10)) return false
  } else if (end !== batch.period) {
    throw new LakeError(
      'SOURCE_FAILED',
      `tushare ${request.api} ${batch.period}: a row of ${String(row['end_date'])} came with it`,
      {
        details: { api: request.api, period: batch.period, found: row['end_date'] },
        next: 'Nothing of it was stored. Run the command again later.',
      },
    )
  }
  const type = row['report_type']
  const merged = type === undefined || type === null || type === MERGED || type === 1
  return merged && symbolOf(row) !== undefined
}

/** Of two rows of one date, the one that the source calls newest is the later. */
function byVersion(a: TushareRow, b: TushareRow): number {
  const text = (row: TushareRow): string =>
    `${versionDate(row) ?? ''}|${JSON.stringify(row['update_flag'])}`
  return text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0
}

/** The date of the version; the interface of indicators knows only the first. */
function versionDate(row: TushareRow): string | null {
  return dayOf(row['f_ann_date']) ?? dayOf(row['ann_date'])
}

function measureColumns(table: string, rows: readonly TushareRow[]): Map<string, Field> {
  const columns = new Map<string, Field>()
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (columns.has(name) || NO_MEASURES.has(name)) continue
      const known = measureOf(table, 'tushare', name)
      if (!known && typeof value !== 'number') continue
      const meaning = { source: name, ...known?.meaning }
      columns.set(name, describedField(known?.name ?? name.toLowerCase(), 'double', meaning))
    }
  }
  return columns
}

function versionRow(
  request: TushareRequest,
  row: TushareRow,
  columns: ReadonlyMap<string, Field>,
  knownAt: Date,
): InputRow {
  const values: Record<string, unknown> = {
    symbol: symbolOf(row),
    end_date: dayOf(row['end_date']),
    source: 'tushare',
    notice_date: versionDate(row),
    known_at: knownAt,
  }
  for (const [name, field] of columns) values[field.name] = numberOf(request, name, row)
  return values
}
