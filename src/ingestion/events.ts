/** What a sync tells while it works: one stream of typed events, shown by the terminal, as JSON lines or by a callback. */

/** A batch: the tables of one source that are fetched and committed together for one period. */
export interface BatchName {
  readonly source: string
  readonly period: string
  readonly tables: readonly string[]
}

/** A period of a source in which far fewer stocks stand than in the ones beside it. */
export interface ThinPeriod {
  readonly source: string
  readonly table: string
  readonly period: string
  /** Stocks with a report of the period. */
  readonly symbols: number
  /** Stocks that the thinner of its neighbours has. */
  readonly expected: number
}

/** An event of a sync. Times are milliseconds since 1970. */
export type SyncEvent =
  | {
      readonly type: 'plan'
      readonly batches: number
      readonly requests: number
      readonly skipped: number
    }
  | ({ readonly type: 'start' } & BatchName)
  | {
      readonly type: 'page'
      readonly source: string
      readonly period: string
      readonly table: string
      readonly page: number
      readonly pages: number
      readonly rows: number
    }
  | {
      readonly type: 'wait'
      readonly source: string
      readonly reason: string
      readonly timeMs: number
    }
  | ({
      readonly type: 'committed' | 'unchanged'
      readonly version: number
      readonly inserted: number
      readonly updated: number
      readonly unchanged: number
      readonly timeMs: number
    } & BatchName)
  | ({ readonly type: 'failed'; readonly code: string; readonly message: string } & BatchName)
  | ({ readonly type: 'thin' } & ThinPeriod)
  | { readonly type: 'warning'; readonly message: string }
  | {
      readonly type: 'end'
      readonly outcome: string
      readonly done: number
      readonly failed: number
      readonly left: number
    }

/** Takes events; it must not throw and not take long. */
export type EventSink = (event: SyncEvent) => void
