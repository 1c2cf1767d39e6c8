/** One batch of a sync: its tables are fetched and checked as a whole, then committed in one lake version. */
import { LakeError, messageOf } from '../model/errors.ts'
import { addCounts, noRows } from '../storage/delta/stage.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Unit } from '../storage/lake/record.ts'
import type { CollectedTable } from './collector.ts'
import type { Journal } from './journal.ts'
import { sourceMemory } from './memory.ts'
import { storeTable } from './store-table.ts'
import type { PlannedBatch } from './sync-options.ts'
import type { Run } from './sync-run.ts'
import { httpOf, journalOf, sourceOf } from './sync-run.ts'

/** A batch that is being fetched. */
export interface BegunBatch {
  readonly batch: PlannedBatch
  /** Never rejects. */
  readonly fetched: Promise<Fetched>
}

type Fetched =
  | { readonly kind: 'whole'; readonly tables: readonly CollectedTable[] }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Begins to fetch a batch. */
export function beginBatch(run: Run, batch: PlannedBatch): BegunBatch {
  const { source, period, tables } = batch
  run.onEvent({ type: 'start', source, period, tables })
  const fetched = collect(run, batch).then(
    (found): Fetched => ({ kind: 'whole', tables: found }),
    (error: unknown): Fetched => ({ kind: 'failed', error }),
  )
  return { batch, fetched }
}

/** Waits for a batch and commits it, or notes why nothing of it is stored. */
export async function finishBatch(run: Run, { batch, fetched }: BegunBatch): Promise<void> {
  const journal = await journalOf(run, batch.source)
  try {
    const found = await fetched
    // After a commit that ended in doubt nothing more is stored.
    if (run.stopped === 'conflict' || run.stopped === 'unknown') return
    if (found.kind === 'failed') throw found.error
    const outcome = await store(run, batch, found.tables)
    await settleBatch(run, batch, found.tables, outcome, journal)
  } catch (error) {
    if (isInterrupt(error)) return
    await failBatch(run, batch, error, journal)
  }
}

/** The first interruption lets a batch finish; only a second one, or a lost connection to it, ends it. */
function isInterrupt(error: unknown): boolean {
  return error instanceof LakeError && error.code === 'CANCELLED'
}

function collect(run: Run, batch: PlannedBatch): Promise<readonly CollectedTable[]> {
  const { collector } = sourceOf(run, batch.source)
  const { effects, files } = run.context.store
  return collector.collect(batch, {
    http: httpOf(run, batch.source),
    memory: sourceMemory(files, run.directory, batch.source),
    signal: new AbortController().signal,
    onEvent: run.onEvent,
    nowMs: effects.now(),
    ...(run.options.symbols && { symbols: new Set(run.options.symbols) }),
  })
}

/** All tables of the batch in one lake commit. */
function store(
  run: Run,
  batch: PlannedBatch,
  collected: readonly CollectedTable[],
): Promise<LakeOutcome> {
  const { collector } = sourceOf(run, batch.source)
  const whole = run.options.symbols === undefined
  return run.context.write(
    `${batch.source} ${batch.period}`,
    async (tx) => {
      const units: Unit[] = []
      for (const item of collected) {
        const rows = await storeTable(tx, item, collector.dated, run.addedColumns)
        units.push({ source: batch.source, table: item.table, period: batch.period, rows })
      }
      if (whole) tx.change = { units }
    },
    { operation: 'SYNC' },
  )
}

function unitsOf(batch: PlannedBatch, collected: readonly CollectedTable[]): Unit[] {
  return collected.map(({ table, rows }) => ({
    source: batch.source,
    table,
    period: batch.period,
    rows: rows.length,
  }))
}

async function settleBatch(
  run: Run,
  batch: PlannedBatch,
  collected: readonly CollectedTable[],
  outcome: LakeOutcome,
  journal: Journal,
): Promise<void> {
  if (outcome.kind !== 'committed') {
    run.stopped = outcome.kind
    if (outcome.kind === 'unknown') [run.version, run.txnId] = [outcome.version, outcome.txnId]
    await failBatch(run, batch, new LakeError('WRITE_CONFLICT', outcome.reason), journal)
    return
  }
  const counts = Object.values(outcome.counts).reduce(addCounts, noRows)
  run.counts = addCounts(run.counts, counts)
  run.done++
  if (outcome.changed) {
    run.commits++
    run.version = outcome.version
    run.txnId = outcome.txnId
  }
  const checkedMs = Math.floor(run.context.store.effects.now())
  if (run.options.symbols === undefined) {
    for (const unit of unitsOf(batch, collected)) {
      await journal.write({ type: 'unit', ...unit, changed: outcome.changed, checkedMs })
    }
  }
  const warnings = [...collected.flatMap((c) => c.warnings), ...outcome.warnings]
  for (const message of warnings) run.onEvent({ type: 'warning', message })
  const { source, period, tables } = batch
  run.onEvent({
    type: outcome.changed ? 'committed' : 'unchanged',
    source,
    period,
    tables,
    version: outcome.version,
    inserted: counts.inserted,
    updated: counts.updated,
    unchanged: counts.unchanged,
    timeMs: checkedMs,
  })
}

const HOPELESS = new Set(['SOURCE_UNAVAILABLE', 'IO_ERROR'])

async function failBatch(
  run: Run,
  batch: PlannedBatch,
  error: unknown,
  journal: Journal,
): Promise<void> {
  const { source, period, tables } = batch
  run.undone++
  const code = error instanceof LakeError ? error.code : 'INTERNAL'
  const message = messageOf(error)
  const next = error instanceof LakeError ? error.next : undefined
  const timeMs = Math.floor(run.context.store.effects.now())
  for (const table of tables) {
    run.failed.push({ source, table, period, code, message, ...(next !== undefined && { next }) })
    await journal.write({ type: 'failed', source, table, period, code, message, timeMs })
  }
  run.onEvent({ type: 'failed', source, period, tables, code, message })
  // A source that cannot be reached, and a disk that is full, fail every further batch in the same way.
  const final = error instanceof LakeError && error.details['final'] === true
  if (final || HOPELESS.has(code)) run.stopped ??= 'failed'
}
