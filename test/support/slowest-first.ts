/** The order of test files: the slowest first, so that no worker is left alone with one of them at the end. */
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

/** Those that take five seconds or more on two cores; of what a machine has run before, vitest itself knows the times. */
const SLOW = [
  'torture/torture',
  'cli/sync',
  'storage/lake/crash-states',
  'storage/lake/interleavings',
  'migration/killed',
  'storage/lake/vintage',
  'migration/migration',
  'storage/delta/order',
  'ingestion/resume',
  'migration/import',
  'analysis/publish',
  'storage/delta/table',
  'storage/lake/faults',
]

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = SLOW.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return rank === -1 ? SLOW.length : rank
}

/** Puts the slow files before all others. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}
