/** Freshness: when each table was last checked against its source, and when it last changed. */
import type { JournalRun } from '../storage/lake/journal.ts'
import type { LakeRecord } from '../storage/lake/record.ts'

/** Freshness of one table. */
export interface Freshness {
  readonly table: string
  /** The last complete check, also one that changed nothing. */
  readonly lastCheckedMs?: number
  readonly lastChangedMs?: number
  /** The newest report period or trade date that was stored. */
  readonly newestPeriod?: string
}

/** Freshness by table. Units stand in records when they changed something, and in journals always. */
export function freshnessOf(
  records: readonly LakeRecord[],
  runs: readonly JournalRun[],
  tables: readonly string[],
): Freshness[] {
  return tables.toSorted().map((table) => {
    const stored = records.filter((r) => r.units.some((unit) => unit.table === table))
    const changed = records.filter((r) => r.commits.some((commit) => commit.table === table))
    const checks = runs.flatMap((run) => run.units.filter((unit) => unit.table === table))
    const times = [...stored.map((r) => r.timestamp), ...checks.map((unit) => unit.checkedMs)]
    const periods = [
      ...stored.flatMap((r) => r.units.filter((unit) => unit.table === table)),
      ...checks,
      // The name of a slice of symbols goes on after its day.
    ].map((unit) => unit.period.slice(0, 10))
    return {
      table,
      ...(times.length > 0 && { lastCheckedMs: Math.max(...times) }),
      ...(changed.length > 0 && { lastChangedMs: Math.max(...changed.map((r) => r.timestamp)) }),
      ...(periods.length > 0 && { newestPeriod: periods.toSorted().at(-1)! }),
    }
  })
}
