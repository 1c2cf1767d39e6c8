/** Tushare Pro: dated versions of reports, bars and factors of the whole market by day, calendar, list and names. */
import { addDays } from '../model/date.ts'
import { quarterEnds } from '../model/period.ts'
import type { Batch, BatchRequest, CollectedTable, Collector, CollectorTools } from './collector.ts'
import { quarterRange } from './eastmoney.ts'
import type { SourceSettings } from './http.ts'
import { collectDay, collectSymbol } from './tushare-bars.ts'
import { collectReference } from './tushare-reference.ts'
import { REPORT_APIS, collectReport } from './tushare-reports.ts'
import type { TushareAccess } from './tushare-protocol.ts'

const REPORT_TABLES = Object.keys(REPORT_APIS)
const REFERENCE_TABLES = ['trade_cal', 'stock_basic', 'name_history']
const BAR_TABLES = ['daily', 'adj_factor']

/** Up to so many symbols are asked for one by one, which needs fewer points. */
const SINGLE_SYMBOLS_MAX = 100
/** Requests for a report of the whole market. */
const REPORT_REQUESTS = 2
const REFERENCE_REQUESTS: Readonly<Record<string, number>> = {
  trade_cal: 2,
  stock_basic: 4,
  name_history: 4,
}

/** The collector of Tushare Pro. The token goes into requests and nowhere else. */
export function tushareCollector(settings: SourceSettings): Collector {
  return {
    source: 'tushare',
    tables: [...REFERENCE_TABLES, ...REPORT_TABLES, ...BAR_TABLES],
    dated: true,
    batches: async (request) => [
      ...referenceBatches(request),
      ...reportBatches(request),
      ...(await barBatches(request)),
    ],
    collect: async (batch, tools) => {
      const access = accessOf(settings, tools)
      switch (batch.kind) {
        case 'whole':
          return [await collectReference(access, batch.tables[0]!, batch, tools)]
        case 'quarter':
          return collectReports(access, batch, tools)
        case 'day':
          return collectDay(access, batch, tools)
        case 'symbols':
          return batch.tables.every((table) => table in REPORT_APIS)
            ? collectReports(access, batch, tools)
            : collectSymbol(access, batch, tools)
      }
    },
  }
}

function accessOf(settings: SourceSettings, tools: CollectorTools): TushareAccess {
  return { http: tools.http, baseUrl: settings.baseUrl, token: settings.token }
}

function referenceBatches(request: BatchRequest): Batch[] {
  return REFERENCE_TABLES.filter((table) => request.tables.includes(table)).map((table) => ({
    kind: 'whole',
    period: request.today,
    tables: [table],
    requests: REFERENCE_REQUESTS[table]!,
  }))
}

function reportBatches(request: BatchRequest): Batch[] {
  const tables = REPORT_TABLES.filter((table) => request.tables.includes(table))
  if (tables.length === 0) return []
  const { since, until } = quarterRange(request)
  const { symbols } = request
  if (symbols && symbols.length <= SINGLE_SYMBOLS_MAX)
    return symbolBatches(symbols, tables, since, until)
  return quarterEnds(since, until).map((period) => ({
    kind: 'quarter',
    period,
    tables,
    requests: tables.length * REPORT_REQUESTS,
  }))
}

async function collectReports(
  access: TushareAccess,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const collected: CollectedTable[] = []
  for (const table of batch.tables) collected.push(await collectReport(access, table, batch, tools))
  return collected
}

/** A first sync of bars goes back two years, unless `--since` says otherwise. */
const FIRST_DAYS = 730
/** Days that are fetched again each time: corrections come late. */
const REFRESH_DAYS = 5

/** One batch a trading day; of symbols that are named, all days in one request. */
async function barBatches(request: BatchRequest): Promise<Batch[]> {
  const tables = BAR_TABLES.filter((table) => request.tables.includes(table))
  if (tables.length === 0) return []
  const until = request.until ?? request.today
  const since = request.since ?? addDays(until, -FIRST_DAYS)
  if (request.symbols) return symbolBatches(request.symbols, tables, since, until)
  const open = (await request.tradingDays()).filter((day) => day >= since && day <= until)
  // Each table by itself: factors that are refused beside another source's must not keep bars away.
  const batches: Batch[] = []
  for (const table of tables) {
    for (const period of await missingDays(request, table, open))
      batches.push({ kind: 'day', period, tables: [table], requests: REPORT_REQUESTS })
  }
  return batches.toSorted((a, b) => (a.period < b.period ? -1 : a.period > b.period ? 1 : 0))
}

/** Without `--since` only the days that are missing, and the last ones again. */
async function missingDays(
  request: BatchRequest,
  table: string,
  open: readonly string[],
): Promise<readonly string[]> {
  if (request.since !== undefined) return open
  const stored = await request.stored(table)
  const recent = new Set(open.slice(-REFRESH_DAYS))
  return open.filter((day) => recent.has(day) || !stored.has(day))
}

/** One batch a stock. Factors are taken as whole series, so that Tushare can take it over from another source. */
function symbolBatches(
  symbols: readonly string[],
  tables: readonly string[],
  since: string,
  until: string,
): Batch[] {
  return symbols.map((symbol) => ({
    kind: 'symbols',
    period: `${until} ${symbol} from ${since}`,
    tables,
    requests: tables.length,
    symbols: [symbol],
    since,
  }))
}
