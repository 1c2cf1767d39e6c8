/** Sync: plans batches, fetches some at once, and commits each in one lake version, in the order of the plan. */
import { thinPeriods } from './completeness.ts'
import type { ThinPeriod } from './events.ts'
import { holdSources } from './holder.ts'
import type { BegunBatch } from './sync-batch.ts'
import { beginBatch, finishBatch } from './sync-batch.ts'
import type { PlannedBatch, SyncContext, SyncOptions, SyncResult } from './sync-options.ts'
import { planSync } from './sync-plan.ts'
import type { Run } from './sync-run.ts'
import { finishJournals, journalOf, newRun, resultOf, sourceOf } from './sync-run.ts'

/**
 * Runs a sync. It throws only before anything is begun, `LAKE_HELD` if another sync of one of the sources is at
 * work; later failures stand in the result.
 */
export async function sync(context: SyncContext, options: SyncOptions): Promise<SyncResult> {
  const names = options.sources.map(({ collector }) => collector.source)
  const hold = await holdSources(context.store, names)
  try {
    return await runHeld(context, options)
  } finally {
    await hold.close()
  }
}

async function runHeld(context: SyncContext, options: SyncOptions): Promise<SyncResult> {
  const plan = await planSync(context, options)
  const run = await newRun(context, options)
  const { batches, requests, skipped } = plan
  run.onEvent({ type: 'plan', batches: batches.length, requests, skipped })
  // Also a run that finds everything done comes to its end; else the one after it would find the same.
  for (const { collector } of options.sources) await journalOf(run, collector.source)
  await runBatches(run, batches)
  const thin = await lookForGaps(run, batches)
  const result = resultOf(run, plan, thin)
  await finishJournals(run, result)
  const { outcome, left } = result
  run.onEvent({ type: 'end', outcome, done: run.done, failed: run.failed.length, left })
  return result
}

/**
 * As many batches as `concurrency` of their source allows are fetched at once; each is committed when those before
 * it are, so that versions come in the order of the plan. Stopped, it takes no other batch and ends those begun.
 */
async function runBatches(run: Run, batches: readonly PlannedBatch[]): Promise<void> {
  const begun: BegunBatch[] = []
  let next = 0
  for (;;) {
    while (next < batches.length && mayBegin(run, begun.length, batches[next]!))
      begun.push(beginBatch(run, batches[next++]!))
    const first = begun.shift()
    if (!first) return
    await finishBatch(run, first)
  }
}

function mayBegin(run: Run, underWay: number, batch: PlannedBatch): boolean {
  if (run.signal.aborted || run.stopped) return false
  return underWay < Math.max(1, sourceOf(run, batch.source).settings.concurrency)
}

/** A look at the lake after the commits; what it cannot read is no reason to fail what was stored. */
async function lookForGaps(run: Run, batches: readonly PlannedBatch[]): Promise<ThinPeriod[]> {
  if (run.options.symbols || run.done === 0) return []
  const thin = await thinPeriods(run.context, batches).catch(() => [])
  for (const period of thin) run.onEvent({ type: 'thin', ...period })
  return thin
}
