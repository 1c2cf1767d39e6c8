/** Batches of symbols: the market cut into slices, each fetched symbol by symbol from the day that is missing. */
import { addDays } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import type { Batch, BatchRequest } from './collector.ts'

/** How a table is cut. */
export interface SliceOptions {
  readonly tables: readonly string[]
  /** The table whose last dates say from where on rows are missing; left out: everything is fetched each time. */
  readonly resumeFrom?: string
  /** The day from which a symbol is fetched of which nothing is stored; by default two years back. */
  readonly firstDay?: string
  readonly requestsPerSymbol: number
}

/** Symbols of one commit. */
const SLICE_SYMBOLS = 50
/** Days of bars that a first sync fetches, unless `--since` says otherwise. */
const FIRST_DAYS = 730
/** Days that are fetched again: late corrections, and the ratio of adjustment that comes with them. */
const OVERLAP_DAYS = 7

/** Cuts the wanted symbols into slices; delisted ones are left out where they ended before the range. */
export async function symbolSlices(request: BatchRequest, options: SliceOptions): Promise<Batch[]> {
  const tables = options.tables.filter((table) => request.tables.includes(table))
  if (tables.length === 0) return []
  const until = request.until ?? request.today
  const last = options.resumeFrom
    ? await request.lastDates(options.resumeFrom)
    : new Map<string, string>()
  const sinceOf = (symbol: string): string =>
    request.since ?? sinceAfter(last.get(symbol), until, options.firstDay)
  const symbols = await wantedSymbols(request, sinceOf, until)
  const batches: Batch[] = []
  for (let at = 0; at < symbols.length; at += SLICE_SYMBOLS) {
    const slice = symbols.slice(at, at + SLICE_SYMBOLS)
    const since = slice.map(sinceOf).toSorted()[0]!
    batches.push({
      kind: 'symbols',
      period: `${until} ${slice[0]!}..${slice.at(-1)!} from ${since}`,
      tables,
      requests: slice.length * options.requestsPerSymbol,
      symbols: slice,
      since,
    })
  }
  return batches
}

function sinceAfter(last: string | undefined, until: string, firstDay?: string): string {
  if (last !== undefined) return addDays(last, -OVERLAP_DAYS)
  return firstDay ?? addDays(until, -FIRST_DAYS)
}

async function wantedSymbols(
  request: BatchRequest,
  sinceOf: (symbol: string) => string,
  until: string,
): Promise<string[]> {
  if (request.symbols) return request.symbols.toSorted()
  const listed = await request.listed()
  if (listed.length === 0) throw noList()
  return listed
    .filter(({ symbol, listDate, delistDate }) => {
      const ended = delistDate !== null && delistDate < sinceOf(symbol)
      return !ended && (listDate === null || listDate <= until)
    })
    .map(({ symbol }) => symbol)
    .toSorted()
}

function noList(): LakeError {
  return new LakeError('INVALID_ARGUMENT', 'the lake has no list of stocks yet', {
    next: 'Fetch it first: marketlake sync --tables stock_basic. Or name stocks: --symbols 600519,000001.',
  })
}
