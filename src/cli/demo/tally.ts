/** What readers count: queries, errors, torn reads and how long queries took. */

/** Counts of one reader since it last reported. */
export interface Tally {
  readonly queries: number
  readonly errors: number
  readonly torn: number
  /** Milliseconds of each query. */
  readonly latenciesMs: readonly number[]
  /** The last error, for people. */
  readonly lastError?: string
}

/** No queries yet. */
export const noTally: Tally = { queries: 0, errors: 0, torn: 0, latenciesMs: [] }

/** The sum of two tallies. */
export function addTally(a: Tally, b: Tally): Tally {
  const lastError = b.lastError ?? a.lastError
  return {
    queries: a.queries + b.queries,
    errors: a.errors + b.errors,
    torn: a.torn + b.torn,
    latenciesMs: [...a.latenciesMs, ...b.latenciesMs],
    ...(lastError !== undefined && { lastError }),
  }
}

/** Half and ninety-nine of a hundred queries took no longer, in milliseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
}

/** Percentiles of latencies, rounded to a tenth. */
export function latencyOf(tally: Tally): Latency {
  const sorted = tally.latenciesMs.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) /
    10
  return { p50: at(0.5), p99: at(0.99) }
}
