/** Tushare's bars and factors: the whole market of a day, or all days of a stock. */
import { shanghaiDate } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import { groupBy } from '../model/group.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Bar } from './bars.ts'
import { checkBars, medianRatio } from './bars.ts'
import type { Batch, CollectedTable, CollectorTools } from './collector.ts'
import { compactDay, dayOf, fetchTushare, numberOf, symbolOf } from './tushare-protocol.ts'
import type { TushareAccess, TushareRequest, TushareRow } from './tushare-protocol.ts'

const APIS: Readonly<Record<string, { readonly api: string; readonly fields: readonly string[] }>> =
  {
    daily: {
      api: 'daily',
      fields: [
        'ts_code',
        'trade_date',
        'open',
        'high',
        'low',
        'close',
        'pre_close',
        'vol',
        'amount',
      ],
    },
    adj_factor: { api: 'adj_factor', fields: ['ts_code', 'trade_date', 'adj_factor'] },
  }

/** Amounts come in thousands of yuan, volumes in lots of 100 shares. */
const YUAN_PER_THOUSAND = 1000
const SHARES_PER_LOT = 100
/** The source counts for all stocks alike, so the whole day shows its units. */
const RATIO_MIN = 0.9
const RATIO_MAX = 1.1

/** Bars and factors of a trading day. Nothing comes back while the day is not published. */
export async function collectDay(
  access: TushareAccess,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const parameters = { trade_date: compactDay(batch.period) }
  const collected: CollectedTable[] = []
  for (const table of batch.tables) {
    const found = await fetchTable(access, table, parameters, batch, tools)
    if (found.rows.length > 0) {
      collected.push({ table, fields: [], ...found })
      continue
    }
    // Today's bars come in the evening; a day of the past without any is a fault of the source.
    if (batch.period !== shanghaiDate(tools.nowMs)) throw emptyDay(table, batch.period)
    const message = `tushare ${table}: ${batch.period} is not published yet`
    tools.onEvent({ type: 'warning', message })
  }
  return collected
}

/** Bars in a range, and the whole series of factors, of one stock. */
export async function collectSymbol(
  access: TushareAccess,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const symbol = batch.symbols![0]!
  const range = {
    ts_code: symbol,
    start_date: compactDay(batch.since!),
    end_date: compactDay(batch.period.slice(0, 10)),
  }
  const collected: CollectedTable[] = []
  for (const table of batch.tables) {
    const series = table === 'adj_factor'
    const parameters = series ? { ts_code: symbol } : range
    const found = await fetchTable(access, table, parameters, batch, tools)
    const replace = series && found.rows.length > 0
    collected.push({ table, fields: [], ...found, ...(replace && { seriesOf: [symbol] }) })
  }
  return collected
}

async function fetchTable(
  access: TushareAccess,
  table: string,
  parameters: Readonly<Record<string, string>>,
  batch: Batch,
  tools: CollectorTools,
): Promise<{ rows: readonly InputRow[]; warnings: readonly string[] }> {
  const { api, fields } = APIS[table]!
  const { period } = batch
  const request: TushareRequest = {
    api,
    parameters,
    fields,
    required: fields,
    onPage: (page, rows) =>
      tools.onEvent({ type: 'page', source: 'tushare', period, table, page, pages: page, rows }),
  }
  const { rows } = await fetchTushare(access, request)
  const wanted = rows.filter((row) => isWanted(request, row, batch, tools))
  if (table === 'daily') return barRows(request, wanted)
  return { rows: wanted.map((row) => factorRow(request, row)), warnings: [] }
}

function isWanted(
  request: TushareRequest,
  row: TushareRow,
  batch: Batch,
  tools: CollectorTools,
): boolean {
  const day = dayOf(row['trade_date'])
  if (day === null || (batch.kind === 'day' && day !== batch.period)) {
    throw new LakeError(
      'SOURCE_FAILED',
      `tushare ${request.api}: a row of ${String(row['trade_date'])} came with ${batch.period}`,
      {
        details: { api: request.api, period: batch.period, found: row['trade_date'] },
        next: 'Nothing of it was stored. Run the command again later.',
      },
    )
  }
  const symbol = symbolOf(row)
  return symbol !== undefined && (!tools.symbols || tools.symbols.has(symbol))
}

function barRows(
  request: TushareRequest,
  rows: readonly TushareRow[],
): { rows: readonly InputRow[]; warnings: readonly string[] } {
  const bars = rows.map((row) => barOf(request, row))
  checkUnits(request, bars)
  const checked = [...groupBy(bars, (bar) => bar.symbol).values()].map((own) =>
    checkBars(own, { source: 'tushare', sharesOf: () => 1 }),
  )
  return {
    rows: checked.flatMap((c) => c.rows),
    warnings: checked.flatMap((c) => c.warnings),
  }
}

function barOf(request: TushareRequest, row: TushareRow): Bar {
  const number = (name: string): number => numberOf(request, name, row) ?? Number.NaN
  const amount = numberOf(request, 'amount', row)
  return {
    symbol: symbolOf(row)!,
    date: dayOf(row['trade_date'])!,
    open: number('open'),
    high: number('high'),
    low: number('low'),
    close: number('close'),
    preClose: numberOf(request, 'pre_close', row),
    volume: Math.round(number('vol') * SHARES_PER_LOT),
    amount: amount === null ? null : Math.round(amount * YUAN_PER_THOUSAND * 100) / 100,
  }
}

function checkUnits(request: TushareRequest, bars: readonly Bar[]): void {
  const ratio = medianRatio(bars)
  if (ratio === undefined || (ratio > RATIO_MIN && ratio < RATIO_MAX)) return
  throw new LakeError(
    'SOURCE_FAILED',
    `tushare ${request.api}: volumes and amounts do not fit: their ratio to the price is ${ratio.toPrecision(4)}`,
    {
      details: { api: request.api, ratio },
      next: 'Nothing of it was stored. The source changed its units; a newer version of marketlake may know them.',
    },
  )
}

function factorRow(request: TushareRequest, row: TushareRow): InputRow {
  return {
    symbol: symbolOf(row),
    trade_date: dayOf(row['trade_date']),
    adj_factor: numberOf(request, 'adj_factor', row),
    source: 'tushare',
  }
}

function emptyDay(table: string, day: string): LakeError {
  return new LakeError('SOURCE_FAILED', `tushare ${table}: no rows on ${day}, an open day`, {
    details: { table, day },
    next: 'Nothing of it was stored. Run the command again later, or check trade_cal.',
  })
}
