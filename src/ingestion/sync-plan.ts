/** The plan of a sync: the batches that sources want, without those that an unfinished run has done. */
import { LakeError } from '../model/errors.ts'
import type { Batch, Collector } from './collector.ts'
import { lakeFacts } from './facts.ts'
import { finishedUnits, unitKey } from './journal.ts'
import type { PlannedBatch, SyncContext, SyncOptions, SyncPlan } from './sync-options.ts'

/** Plans a sync: batches that an unfinished run has done are left out. */
export async function planSync(context: SyncContext, options: SyncOptions): Promise<SyncPlan> {
  refuseTurned(options)
  const batches: PlannedBatch[] = []
  let skipped = 0
  let minutes = 0
  for (const { collector, settings } of options.sources) {
    const wanted = await wantedBatches(context, collector, options)
    const done = options.restart
      ? new Set<string>()
      : await finishedUnits(context.store, collector.source)
    const open = wanted.filter((batch) => !isDone(collector.source, batch, done))
    skipped += wanted.length - open.length
    batches.push(...open.map((batch) => ({ ...batch, source: collector.source })))
    minutes += (open.reduce((sum, b) => sum + b.requests, 0) * settings.paceMs) / 60_000
  }
  const taken = batches.slice(0, options.limit ?? batches.length)
  const requests = taken.reduce((sum, batch) => sum + batch.requests, 0)
  return { batches: taken, skipped, requests, minutes: Math.ceil(minutes) }
}

/** To find nothing to do would look like success. */
function refuseTurned({ since, until }: SyncOptions): void {
  if (since === undefined || until === undefined || since <= until) return
  throw new LakeError('INVALID_ARGUMENT', `there is nothing between ${since} and ${until}`, {
    details: { since, until },
    next: 'Write the earlier date behind --since and the later one behind --until.',
  })
}

async function wantedBatches(
  context: SyncContext,
  collector: Collector,
  options: SyncOptions,
): Promise<readonly Batch[]> {
  const facts = lakeFacts(context, collector.source)
  return collector.batches({
    tables: options.tables ?? collector.defaultTables ?? collector.tables,
    ...facts,
    ...(options.since !== undefined && { since: options.since }),
    ...(options.until !== undefined && { until: options.until }),
    ...(options.symbols && { symbols: options.symbols }),
  })
}

function isDone(source: string, batch: Batch, done: ReadonlySet<string>): boolean {
  return batch.tables.every((table) => done.has(unitKey({ source, table, period: batch.period })))
}
