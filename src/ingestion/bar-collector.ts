/** Bars and factors symbol by symbol: what the sources of bars without a token have in common. */
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { Batch, CollectedTable, Collector, CollectorTools } from './collector.ts'
import { symbolSlices } from './slices.ts'

/** Days that are asked for, both included. */
export interface DayRange {
  readonly since: string
  readonly until: string
}

/** What a source of bars does. */
export interface BarSource {
  readonly source: string
  /** Requests for the bars of a symbol. */
  readonly requestsPerSymbol: number
  readonly bars: (
    symbol: string,
    range: DayRange,
    tools: CollectorTools,
  ) => Promise<{ readonly rows: readonly InputRow[]; readonly warnings: readonly string[] }>
  /** The whole series of factors of a symbol. */
  readonly factors: (symbol: string, tools: CollectorTools) => Promise<readonly InputRow[]>
}

const TABLES = ['daily', 'adj_factor']

/** A collector of `daily` and `adj_factor`. */
export function barCollector(source: BarSource): Collector {
  return {
    source: source.source,
    tables: TABLES,
    dated: false,
    batches: (request) =>
      symbolSlices(request, {
        tables: TABLES,
        ...(request.tables.includes('daily') && { resumeFrom: 'daily' }),
        requestsPerSymbol: TABLES.filter((table) => request.tables.includes(table)).length,
      }),
    collect: (batch, tools) => collectSlice(source, batch, tools),
  }
}

async function collectSlice(
  source: BarSource,
  batch: Batch,
  tools: CollectorTools,
): Promise<CollectedTable[]> {
  const range = { since: batch.since!, until: batch.period.slice(0, 10) }
  const symbols = batch.symbols!
  const collected: CollectedTable[] = []
  if (batch.tables.includes('daily')) collected.push(await barsOf(source, symbols, range, tools))
  if (batch.tables.includes('adj_factor')) collected.push(await factorsOf(source, symbols, tools))
  return collected
}

async function barsOf(
  source: BarSource,
  symbols: readonly string[],
  range: DayRange,
  tools: CollectorTools,
): Promise<CollectedTable> {
  const rows: InputRow[] = []
  const warnings: string[] = []
  const without: string[] = []
  for (const [i, symbol] of symbols.entries()) {
    const found = await source.bars(symbol, range, tools)
    if (found.rows.length === 0) without.push(symbol)
    rows.push(...found.rows)
    warnings.push(...found.warnings)
    progress(source, range, 'daily', i, symbols.length, found.rows.length, tools)
  }
  if (without.length > 0) warnings.push(`${source.source}: no bars of ${without.join(', ')}`)
  return { table: 'daily', rows, fields: [], warnings }
}

async function factorsOf(
  source: BarSource,
  symbols: readonly string[],
  tools: CollectorTools,
): Promise<CollectedTable> {
  const rows: InputRow[] = []
  // A symbol without factors keeps those it has: the source may have lost it for a while.
  const found: string[] = []
  for (const symbol of symbols) {
    const factors = await source.factors(symbol, tools)
    if (factors.length > 0) found.push(symbol)
    rows.push(...factors)
  }
  return { table: 'adj_factor', rows, fields: [], warnings: [], seriesOf: found }
}

function progress(
  { source }: BarSource,
  range: DayRange,
  table: string,
  at: number,
  symbols: number,
  rows: number,
  tools: CollectorTools,
): void {
  tools.onEvent({
    type: 'page',
    source,
    period: range.until,
    table,
    page: at + 1,
    pages: symbols,
    rows,
  })
}
