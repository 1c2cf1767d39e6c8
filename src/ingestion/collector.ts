/** What a source must offer: which batches there are, and the rows of one. */
import type { Field } from '../model/schema.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import type { EventSink } from './events.ts'
import type { Http } from './http.ts'

/** Rows of one table for one period, complete and checked against what the source declared. */
export interface CollectedTable {
  readonly table: string
  readonly rows: readonly InputRow[]
  /** Columns of the rows beyond those that every table of its kind has; unknown ones widen the table. */
  readonly fields: readonly Field[]
  /** Things worth knowing that are no error. */
  readonly warnings: readonly string[]
}

/** Tables that are fetched and committed together. */
export interface Batch {
  /** A report period (quarter end) or a trade date. */
  readonly period: string
  readonly tables: readonly string[]
  /** Requests it will take, as far as that is known before. */
  readonly requests: number
}

/** Which batches are wanted. */
export interface BatchRequest {
  readonly tables: readonly string[]
  readonly since: string
  readonly until: string
}

/** What a collector works with. */
export interface CollectorTools {
  readonly http: Http
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
  /** Tables it can fill. */
  readonly tables: readonly string[]
  /** True if it dates the versions of its reports, so that an older one may come again. */
  readonly dated: boolean
  /** Batches, oldest first. */
  batches(request: BatchRequest): readonly Batch[]
  /** Fetches a batch. A page that does not add up is an error: half a batch is never returned. */
  collect(batch: Batch, tools: CollectorTools): Promise<readonly CollectedTable[]>
}
