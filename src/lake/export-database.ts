/** `migrate export`: the lake, or one version of it, as a native `.duckdb` file, so that nobody is locked in. */
import type { ExportedDatabase } from '../analysis/export-database.ts'
import { exportRecord } from '../analysis/export-database.ts'
import { recordAt } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import type { Lake } from './lake.ts'

/** Writes a version, by default the newest, into a new file. */
export async function exportDatabase(
  lake: Lake,
  path: string,
  options: { readonly at?: VersionSpec; readonly overwrite?: boolean } = {},
): Promise<ExportedDatabase> {
  const record =
    options.at === undefined ? await lake.head() : await recordAt(lake.store, options.at)
  return exportRecord(lake.store, record, await lake.database(), path, options)
}
