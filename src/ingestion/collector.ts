/** What a source must offer: which batches there are, and the rows of one. */
import type { Field } from '../model/schema.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { EventSink } from './events.ts'
import type { Http } from './http.ts'

/** Rows of one table, complete and checked against what the source declared. */
export interface CollectedTable {
  readonly table: string
  readonly rows: readonly InputRow[]
  /** Columns of the rows beyond those that every table of its kind has; unknown ones widen the table. */
  readonly fields: readonly Field[]
  /** Things worth knowing that are no error. */
  readonly warnings: readonly string[]
  /** Set if the rows are the whole series of these symbols: what else is stored of them goes. */
  readonly seriesOf?: readonly string[]
  /** In place of `rows`, for data that does not belong in memory: stages itself. */
  readonly stage?: (
    tx: Transaction,
  ) => Promise<{ readonly rows: number; readonly addedColumns: readonly string[] }>
}

/** What a batch is a part of: reports of a quarter, bars of a day, all rows of some symbols, or a whole table. */
export type BatchKind = 'quarter' | 'day' | 'symbols' | 'whole'

/** Tables that are fetched and committed together. */
export interface Batch {
  readonly kind: BatchKind
  /**
   * Its name among the batches of its source and tables, beginning with a date: the report period, the trade
   * date, or the day up to which symbols or a whole table are fetched.
   */
  readonly period: string
  readonly tables: readonly string[]
  /** Requests it will take, as far as that is known before. */
  readonly requests: number
  /** The symbols of a batch of symbols. */
  readonly symbols?: readonly string[]
  /** The first day of a batch of symbols. */
  readonly since?: string
}

/** Which batches are wanted, and what the lake knows that helps to cut them. Dates are `YYYY-MM-DD`. */
export interface BatchRequest {
  readonly tables: readonly string[]
  /** Report periods of statements, trade dates of bars; left out: what the source refreshes each time. */
  readonly since?: string
  readonly until?: string
  /** Today in Shanghai. */
  readonly today: string
  /** Only these symbols; left out: the whole market. */
  readonly symbols?: readonly string[]
  /** Every stock of `stock_basic` by symbol, the delisted ones too. */
  listed(): Promise<readonly ListedSymbol[]>
  /** Open days of the lake's calendar, oldest first. */
  tradingDays(): Promise<readonly string[]>
  /** Periods of a table that this source has stored whole. */
  stored(table: string): Promise<ReadonlySet<string>>
  /** The last `trade_date` of each symbol in a table. */
  lastDates(table: string): Promise<ReadonlyMap<string, string>>
}

/** A stock of the lake's list. */
export interface ListedSymbol {
  readonly symbol: string
  readonly listDate: string | null
  readonly delistDate: string | null
}

/** Small facts that a collector found out and need not ask again. Losing them costs requests, nothing else. */
export interface Memory {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
}

/** What a collector works with. */
export interface CollectorTools {
  readonly http: Http
  readonly memory: Memory
  readonly signal: AbortSignal
  readonly onEvent: EventSink
  /** When the batch is fetched; milliseconds since 1970. */
  readonly nowMs: number
  /** Only these symbols; undefined for the whole market. */
  readonly symbols?: ReadonlySet<string>
}

/** A source. An example stands in `examples/`. */
export interface Collector {
  /** Its name in the `source` column. */
  readonly source: string
  /** Tables it can fill, in the order in which they are best fetched. */
  readonly tables: readonly string[]
  /** Tables it fills when none are named; left out: all. */
  readonly defaultTables?: readonly string[]
  /** True if it dates the versions of its reports, so that an older one may come again. */
  readonly dated: boolean
  /** Batches, oldest first. */
  batches(request: BatchRequest): readonly Batch[] | Promise<readonly Batch[]>
  /** Fetches a batch. A page that does not add up is an error: half a batch is never returned. */
  collect(batch: Batch, tools: CollectorTools): Promise<readonly CollectedTable[]>
}
