/** Tushare's reference data, each table as a whole: the calendar, the list of stocks, the history of names. */
import { LakeError } from '../model/errors.ts'
import { describedField } from '../model/standard-tables.ts'
import { boardOf } from '../model/symbol.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, CollectedTable, CollectorTools } from './collector.ts'
import { dayOf, fetchTushare, symbolOf } from './tushare-protocol.ts'
import type { TushareAccess, TushareRequest, TushareRow } from './tushare-protocol.ts'

type Collect = (
  access: TushareAccess,
  batch: Batch,
  tools: CollectorTools,
) => Promise<Omit<CollectedTable, 'table'>>

const COLLECT: Readonly<Record<string, Collect>> = {
  trade_cal: collectCalendar,
  stock_basic: collectList,
  name_history: collectNames,
}

/** Fetches a table of reference data. */
export async function collectReference(
  access: TushareAccess,
  table: string,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable> {
  return { table, ...(await COLLECT[table]!(access, batch, tools)) }
}

/** Both exchanges of the mainland keep the same days; the one in Shanghai is asked. */
async function collectCalendar(
  access: TushareAccess,
  batch: Batch,
): Promise<Omit<CollectedTable, 'table'>> {
  const fields = ['exchange', 'cal_date', 'is_open']
  const year = Number(batch.period.slice(0, 4))
  const { rows } = await fetchTushare(access, {
    api: 'trade_cal',
    parameters: { exchange: 'SSE', start_date: '19901219', end_date: `${year + 1}1231` },
    fields,
    required: fields,
  })
  const days = new Map<string, InputRow>()
  for (const row of rows) {
    const [date, open] = [dayOf(row['cal_date']), String(row['is_open'])]
    if (date === null || !/^[01]$/.test(open)) throw changed('trade_cal', row)
    days.set(date, { date, is_open: open === '1' })
  }
  return { rows: [...days.values()], fields: [], warnings: [] }
}

const STATES = ['L', 'D', 'P'] as const

/** Listed, delisted and paused stocks. A stock that leaves the list stays in the lake. */
async function collectList(
  access: TushareAccess,
  _batch: Batch,
  tools: CollectorTools,
): Promise<Omit<CollectedTable, 'table'>> {
  const fields = [
    'ts_code',
    'name',
    'industry',
    'market',
    'list_status',
    'list_date',
    'delist_date',
  ]
  const stocks = new Map<string, InputRow>()
  for (const state of STATES) {
    const { rows } = await fetchTushare(access, {
      api: 'stock_basic',
      parameters: { list_status: state },
      fields,
      required: fields,
    })
    if (state === 'L' && rows.length === 0) throw empty('stock_basic')
    for (const row of rows) {
      const symbol = symbolOf(row)
      if (symbol === undefined || (tools.symbols && !tools.symbols.has(symbol))) continue
      stocks.set(symbol, {
        symbol,
        code: symbol.slice(0, 6),
        name: textOf(row['name']),
        industry: textOf(row['industry']),
        board: textOf(row['market']) ?? boardOf(symbol) ?? null,
        list_status: state,
        list_date: dayOf(row['list_date']),
        delist_date: dayOf(row['delist_date']),
      })
    }
  }
  const industry = describedField('industry', 'string', { source: 'industry', label: '行业' })
  return { rows: [...stocks.values()], fields: [industry], warnings: [] }
}

/** Names a stock has had. ST stands in the name itself. */
async function collectNames(
  access: TushareAccess,
  _batch: Batch,
  tools: CollectorTools,
): Promise<Omit<CollectedTable, 'table'>> {
  const fields = ['ts_code', 'name', 'start_date', 'end_date', 'ann_date', 'change_reason']
  const request: TushareRequest = {
    api: 'namechange',
    parameters: {},
    fields,
    required: ['ts_code', 'name', 'start_date', 'end_date'],
  }
  const { rows, repeated } = await fetchTushare(access, request)
  if (rows.length === 0) throw empty('namechange')
  const names = new Map<string, InputRow>()
  const later = rows.toSorted((a, b) => (String(a['ann_date']) < String(b['ann_date']) ? -1 : 1))
  for (const row of later) {
    const [symbol, start, name] = [symbolOf(row), dayOf(row['start_date']), textOf(row['name'])]
    if (symbol === undefined || start === null || name === null) continue
    if (tools.symbols && !tools.symbols.has(symbol)) continue
    names.set(`${symbol}|${start}`, {
      symbol,
      start_date: start,
      end_date: dayOf(row['end_date']),
      name,
      is_st: /ST/i.test(name),
    })
  }
  const warnings = repeated > 0 ? [`name_history: ${repeated} rows came twice`] : []
  return { rows: [...names.values()], fields: [], warnings }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function empty(api: string): LakeError {
  return new LakeError('SOURCE_FAILED', `tushare ${api}: the answer is empty`, {
    details: { api },
    next: 'Nothing of it was stored. Run the command again later.',
  })
}

function changed(api: string, row: TushareRow): LakeError {
  return new LakeError('SOURCE_FAILED', `tushare ${api}: a row is not what it was`, {
    details: { api, row },
    next: 'Nothing of it was stored. A newer version of marketlake may know it.',
  })
}
