/** Maintenance: folding small files, checkpoints and vacuum, by hand or by themselves when they are due. */
import { optimizeIsDue, stageOptimize } from '../storage/delta/optimize.ts'
import { loadSnapshot } from '../storage/delta/load.ts'
import { writeCheckpoint } from '../storage/delta/checkpoint-write.ts'
import { fileSystemNow } from '../storage/lake/lease.ts'
import { tableDirectory } from '../storage/lake/store.ts'
import { logDirectory, readRecord } from '../storage/lake/lake-log.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { CHECKPOINT_INTERVAL } from '../storage/lake/tables.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import { vacuumLake } from '../storage/lake/vacuum.ts'
import type { VacuumResult } from '../storage/lake/vacuum.ts'
import { tableView } from '../storage/lake/view.ts'
import type { Database } from '../storage/parquet/database.ts'

/** What maintenance needs of a lake. */
export interface MaintenanceContext {
  readonly store: Store
  readonly database: () => Promise<Database>
  readonly write: (
    note: string,
    callback: (tx: Transaction) => Promise<void>,
    options: { readonly operation: string },
  ) => Promise<LakeOutcome>
}

/** A table that was folded. */
export interface OptimizedTable {
  readonly table: string
  readonly filesBefore: number
  readonly filesAfter: number
  readonly outcome: LakeOutcome['kind']
}

/** Folds the files of a table in a commit of its own. `all`: also what is not due. */
export async function optimizeTable(
  context: MaintenanceContext,
  table: string,
  options: { readonly all: boolean; readonly stop?: () => boolean },
): Promise<OptimizedTable> {
  const count = async (): Promise<number> => {
    const record = context.store.head
    return (await tableView(context.store, record, table)).snapshot.files.size
  }
  const filesBefore = await count()
  const outcome = await context.write(
    `fold files of ${table}`,
    async (tx) => {
      await tx.apply(table, { mode: 'optimize', stage: (stage) => stageOptimize(stage, options) })
    },
    { operation: 'OPTIMIZE' },
  )
  return { table, filesBefore, filesAfter: await count(), outcome: outcome.kind }
}

/**
 * Keeps opening a table cheap: every so many commits its log gets a checkpoint, of what the log says: the record may
 * have asked for a version that another engine took.
 */
export async function writeDueCheckpoints(
  context: MaintenanceContext,
  record: LakeRecord,
): Promise<void> {
  const { store } = context
  for (const { table, version } of record.commits) {
    if (version === 0 || version % CHECKPOINT_INTERVAL !== 0) continue
    const { files, effects } = store
    const directory = tableDirectory(store, record.tables[table]!.path)
    const snapshot = await loadSnapshot(files, directory, version)
    if (!snapshot) continue
    const database = await context.database()
    await database.using((session) =>
      writeCheckpoint({ files, effects, session, directory }, snapshot),
    )
  }
}

/** Folds what is due among some tables. Stops between tables when time is up. */
export async function optimizeDue(
  context: MaintenanceContext,
  tables: readonly string[],
  stop: () => boolean,
): Promise<void> {
  for (const table of tables) {
    const record = context.store.head
    if (stop() || !record.tables[table]) return
    const view = await tableView(context.store, record, table)
    if (optimizeIsDue({ ...view, table })) await optimizeTable(context, table, { all: false, stop })
  }
}

const VACUUM_INTERVAL_MS = 86_400_000

/** Vacuums once a day, or as often as versions grow old where that is sooner, by the time of the last vacuum that the lake itself tells. */
export async function vacuumDue(
  context: MaintenanceContext,
  stop: () => boolean,
  publishViews: () => Promise<void>,
): Promise<VacuumResult | undefined> {
  const { store } = context
  const nowMs = await fileSystemNow(store, logDirectory(store.root))
  const intervalMs = Math.min(VACUUM_INTERVAL_MS, store.retention.versionsMs)
  if (nowMs - (await lastVacuumMs(store)) < intervalMs) return undefined
  return vacuumLake(store, { apply: true, stop, publishViews })
}

/** A lake that was never vacuumed counts from its birth. */
async function lastVacuumMs(store: Store): Promise<number> {
  const { stagedBefore } = store.head
  if (stagedBefore !== undefined) return stagedBefore + store.retention.stagedMs
  return (await readRecord(store, 0))?.timestamp ?? 0
}
