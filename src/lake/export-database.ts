/** `migrate export`: the lake, or one version of it, as a native `.duckdb` file, so that nobody is locked in. */
import { resolve } from 'node:path'
import type { ExportedTable } from '../analysis/export-database.ts'
import { writeDatabase } from '../analysis/export-database.ts'
import { LakeError } from '../model/errors.ts'
import { recordAt } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import { checkNotOfLake, replaceFile } from './export-file.ts'
import type { Lake } from './lake.ts'

/** What an export wrote. */
export interface ExportedDatabase {
  readonly path: string
  readonly version: number
  readonly txnId: string
  readonly tables: readonly ExportedTable[]
  readonly sizeBytes: number
}

/** Writes a version, by default the newest, into a new file, which appears whole or not at all. */
export async function exportDatabase(
  lake: Lake,
  target: string,
  options: { readonly at?: VersionSpec; readonly overwrite?: boolean } = {},
): Promise<ExportedDatabase> {
  const { store } = lake
  const path = resolve(target)
  await checkNotOfLake(lake.root, path)
  if (!options.overwrite && (await store.files.stat(path))) throw taken(path)
  const record = options.at === undefined ? await lake.head() : await recordAt(store, options.at)
  const database = await lake.database()
  const tables = await replaceFile(path, async (temporary) => {
    const written = await writeDatabase(store, record, database, temporary)
    // The log of the file that was there before would be taken for the new one's.
    await store.files.remove(`${path}.wal`)
    return written
  })
  const { sizeBytes } = (await store.files.stat(path))!
  return { path, version: record.version, txnId: record.txnId, tables, sizeBytes }
}

function taken(path: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `there is a file already: ${path}`, {
    details: { path },
    next: 'Name another one, or say --overwrite.',
  })
}
