/** Restore: a new version whose tables hold what they held at an older one. */
import { LakeError } from '../../model/errors.ts'
import { shapeOf } from '../../model/table.ts'
import type { Metadata } from '../delta/actions.ts'
import { loadSnapshot } from '../delta/load.ts'
import { columnTypes, withColumnTypes } from '../delta/metadata.ts'
import { filePath } from '../delta/paths.ts'
import type { Snapshot } from '../delta/replay.ts'
import type { StageContext, Staged } from '../delta/stage.ts'
import { noRows, removeOf } from '../delta/stage.ts'
import { rowsOf } from '../delta/stats.ts'
import type { AddFile } from '../delta/actions.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { newWork } from './table-work.ts'
import type { TableWork } from './table-work.ts'
import type { Transaction } from './transaction.ts'
import { noTable, tableView } from './view.ts'

/** Stages the state of `target` for some tables, or for all; then tables that came later are unmapped. */
export async function stageRestore(
  store: Store,
  tx: Transaction,
  target: LakeRecord,
  names?: readonly string[],
): Promise<void> {
  for (const name of names ?? []) if (!target.tables[name]) throw noTable(target, name)
  for (const name of names ?? Object.keys(target.tables)) {
    const then = (await tableView(store, target, name)).snapshot
    const now = tx.base.tables[name]
    if (now?.path !== target.tables[name]!.path) {
      if (now) await tx.drop(name)
      tx.works.set(name, await revive(store, target, name))
    } else {
      // Also where nothing has to change: rows that come meanwhile would stay.
      tx.reads.set(name, now)
    }
    await tx.apply(name, {
      mode: 'restore',
      stage: (context) => restoreTable(store, context, then),
    })
  }
  tx.change = { ...tx.change, keeps: target.version, allTables: names === undefined }
  if (names) return
  for (const name of Object.keys(tx.base.tables)) if (!target.tables[name]) await tx.drop(name)
}

/** A table that was dropped since comes back on top of what its log has now. */
async function revive(store: Store, target: LakeRecord, name: string): Promise<TableWork> {
  const { path } = target.tables[name]!
  const directory = tableDirectory(store, path)
  const base = await loadSnapshot(store.files, directory)
  if (!base) throw noTable(target, name)
  const shape = shapeOf(base.metadata.configuration)
  return { ...newWork({ name, path, directory, shape, base }), revived: true }
}

async function restoreTable(
  store: Store,
  context: StageContext,
  then: Snapshot,
): Promise<Staged & { metadata?: Metadata }> {
  const { snapshot } = context
  const adds = [...then.files].flatMap(([key, file]) =>
    snapshot.files.has(key) ? [] : [{ ...file, dataChange: true }],
  )
  const removes = [...snapshot.files].flatMap(([key, file]) =>
    then.files.has(key) ? [] : [removeOf(file, context.effects.now())],
  )
  await checkPresent(store, context, adds)
  const metadata = restoredMetadata(then, snapshot)
  const rows = (files: readonly AddFile[]): number =>
    files.reduce((sum, f) => sum + (rowsOf(f) ?? 0), 0)
  const gone = [...snapshot.files].flatMap(([key, file]) => (then.files.has(key) ? [] : [file]))
  return {
    adds,
    removes,
    counts: { ...noRows, inserted: rows(adds), deleted: rows(gone) },
    ...(metadata && { metadata }),
  }
}

/** Types of columns that came later are remembered: their names keep them. */
function restoredMetadata(then: Snapshot, now: Snapshot): Metadata | undefined {
  if (then.metadata.schemaString === now.metadata.schemaString) return undefined
  const metadata = { ...now.metadata, schemaString: then.metadata.schemaString }
  return withColumnTypes(metadata, columnTypes(now.metadata))
}

async function checkPresent(
  store: Store,
  context: StageContext,
  adds: readonly AddFile[],
): Promise<void> {
  for (const add of adds) {
    const stat = await store.files.stat(filePath(context.directory, add.path))
    if (stat?.sizeBytes === add.size) continue
    throw new LakeError(
      'VERSION_VACUUMED',
      `a file of the version to restore is gone: ${add.path}`,
      {
        details: { table: context.table, file: add.path },
        next: 'Choose a newer version, or restore from a backup.',
      },
    )
  }
}
