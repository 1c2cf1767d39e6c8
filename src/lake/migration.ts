/** The steps of a migration on an open lake: status, comparison, dual writing, cut-over and back. */
import { VIEWS_FILE } from '../analysis/publish.ts'
import { attachSqlite } from '../analysis/sqlite.ts'
import { migrationStatus } from '../migration/status.ts'
import type { MigrationStatus } from '../migration/status.ts'
import { cutOver, rollBack, startDualWrite, stopDualWrite } from '../migration/switch.ts'
import type {
  CutoverOptions,
  RollbackOptions,
  RollbackResult,
  SwitchResult,
  WaitOptions,
} from '../migration/switch.ts'
import { verifyMigration } from '../migration/verify.ts'
import type { VerifyOptions, VerifyReport } from '../migration/verify.ts'
import type { CaughtUp } from '../migration/catch-up.ts'
import { LakeError, messageOf } from '../model/errors.ts'
import { beginMigration, migrationOf } from '../storage/lake/migration-state.ts'
import type { MigratedTable, Migration } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import { resolve } from 'node:path'
import { Database } from '../storage/parquet/database.ts'
import type { Lake } from './lake.ts'

/** What is mounted beside the lake after a cut-over. */
export interface Mount {
  /** The file with the views of the lake, of the old names (`old`), and of metadata (`meta`). */
  readonly views: string
  readonly sqlite: {
    readonly path: string
    readonly attached: boolean
    readonly reason: string | null
  } | null
}

/** Where the migration stands. */
export function statusOfMigration(lake: Lake): Promise<MigrationStatus> {
  return migrationStatus(lake.store, () => lake.database(), lake.config.read.source)
}

/**
 * Notes in the lake which old file its tables came from; from then on the old file is the read source. `batch` is the
 * newest one of the file's outbox when its tables were copied again, if they were: the lake has it and all before it.
 */
export function recordImport(
  lake: Lake,
  old: string,
  tables: readonly MigratedTable[],
  { batch }: Pick<Migration, 'batch'> = {},
): Promise<LakeOutcome> {
  return lake.write(
    old,
    async (tx) => {
      tx.change = {
        settings: (head) => {
          if (migrationOf({ settings: head.settings })?.phase === 'cut-over') throw begun(old)
          return beginMigration(head.settings, {
            old: resolve(old),
            tables,
            ...(batch && { batch }),
          })
        },
      }
    },
    { operation: 'MIGRATE IMPORT' },
  )
}

/** Compares the old file with the lake. */
export async function verifyOldFile(
  lake: Lake,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  return verifyMigration(lake.store, await lake.database(), options)
}

/** Begins dual writing, or brings into the lake what waits in the old file. */
export async function beginDualWrite(
  lake: Lake,
  options: WaitOptions = {},
): Promise<CaughtUp & { readonly started: boolean }> {
  return startDualWrite(lake.store, await lake.database(), options)
}

/** Stops dual writing; batches wait in the old file. */
export async function endDualWrite(lake: Lake): Promise<LakeOutcome> {
  return stopDualWrite(lake.store, await lake.database())
}

/** Makes the lake the read source, stops old writes, and mounts the metadata. */
export async function cutOverToLake(
  lake: Lake,
  options: CutoverOptions = {},
): Promise<SwitchResult & { readonly mount: Mount }> {
  const result = await cutOver(lake.store, await lake.database(), options)
  return { ...result, mount: await mount(lake) }
}

/** Makes the old file the read source again. */
export async function rollBackToOldFile(
  lake: Lake,
  options: RollbackOptions = {},
): Promise<RollbackResult> {
  return rollBack(lake.store, await lake.database(), options)
}

/** After the commit, and again by the same command if it failed: nothing depends on it. */
async function mount(lake: Lake): Promise<Mount> {
  await lake.publishViews({ keepRoot: true })
  const path = migrationOf(await lake.head())?.sqlite
  const views = `${lake.root}/${VIEWS_FILE}`
  if (path === undefined) return { views, sqlite: null }
  const database = await Database.open({ threads: 1, memoryLimit: '64MB' })
  try {
    await attachSqlite(database, path)
    return { views, sqlite: { path, attached: true, reason: null } }
  } catch (error) {
    return { views, sqlite: { path, attached: false, reason: messageOf(error) } }
  } finally {
    await database.close()
  }
}

function begun(old: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `the lake is past its cut-over; ${old} was not noted`, {
    next: 'Run `marketlake migrate rollback` first, or load the file as a table.',
  })
}
