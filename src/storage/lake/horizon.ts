/** The horizon: the oldest lake version that may still be opened, and which versions are kept below it. */
import { LakeError } from '../../model/errors.ts'
import { readRecord } from './lake-log.ts'
import { EVERY_VERSION } from './lease.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'

/** A clock this far behind the newest record is wrong, and nothing is deleted by it. */
const CLOCK_TOLERANCE_MS = 60_000

/**
 * The horizon that retention asks for: the oldest version younger than `retention.versionsMs`. A version's age
 * counts from the timestamp of its successor, and the head has none. It never goes back.
 */
export async function dueHorizon(store: Store, head: LakeRecord): Promise<number> {
  const nowMs = store.effects.now()
  if (nowMs < head.timestamp - CLOCK_TOLERANCE_MS) {
    throw new LakeError('CHECK_FAILED', 'the clock is behind the newest version of the lake', {
      details: { now: new Date(nowMs).toISOString(), head: new Date(head.timestamp).toISOString() },
      next: 'Set the clock; nothing is deleted until then.',
    })
  }
  const limit = nowMs - store.retention.versionsMs
  // Timestamps grow with versions: the first version whose successor is young is found by halving.
  let [low, high] = [head.horizon, head.version]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const successor = await readRecord(store, middle + 1)
    if (successor && successor.timestamp > limit) high = middle
    else low = middle + 1
  }
  return low
}

/** Versions that must stay readable: from the horizon to the head, tags, and leases below. */
export function keptVersions(
  head: LakeRecord,
  horizon: number,
  leased: readonly number[],
): number[] {
  const kept = new Set<number>()
  const from = leased.includes(EVERY_VERSION) ? 0 : horizon
  for (let version = from; version <= head.version; version++) kept.add(version)
  for (const tag of Object.values(head.tags)) kept.add(tag.version)
  for (const version of leased) kept.add(version)
  return [...kept]
    .filter((version) => version >= 0 && version <= head.version)
    .toSorted((a, b) => a - b)
}
