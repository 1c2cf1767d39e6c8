/** Disk usage: what the newest version needs, what history keeps, what nobody needs. */
import { join } from 'node:path'
import { LOG_DIRECTORY } from '../delta/names.ts'
import { keptVersions } from './horizon.ts'
import { logDirectory } from './lake-log.ts'
import { listLeases } from './lease.ts'
import { neededBy } from './needed.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { walkFiles } from './walk.ts'

/** Bytes of one table by what needs them. */
export interface TableUsage {
  readonly table: string
  readonly path: string
  /** Files of the newest version. */
  readonly liveBytes: number
  /** Files that only older versions, tags or leases need. */
  readonly historyBytes: number
  /** Files that nothing needs: left by a crash, or waiting for vacuum. */
  readonly unusedBytes: number
  readonly unusedFiles: number
  readonly logBytes: number
}

/** Usage of all tables, and of the lake log. */
export interface LakeUsage {
  readonly tables: readonly TableUsage[]
  readonly lakeLogBytes: number
}

/** Measures a lake by listing its directories. */
export async function lakeUsage(store: Store, head: LakeRecord): Promise<LakeUsage> {
  const { versions } = await listLeases(store).catch(() => ({ versions: [] }))
  const { tables: needed } = await neededBy(store, head, keptVersions(head, head.horizon, versions))
  const names = new Map(Object.entries(head.tables).map(([name, entry]) => [entry.path, name]))
  const tables: TableUsage[] = []
  for (const { path, files, snapshot } of needed.values()) {
    const live = new Set(snapshot?.files.keys())
    const sums = { liveBytes: 0, historyBytes: 0, unusedBytes: 0 }
    let unusedFiles = 0
    for await (const file of walkFiles(store.files, tableDirectory(store, path))) {
      const key = file.path
      const kind = live.has(key) ? 'liveBytes' : files.has(key) ? 'historyBytes' : 'unusedBytes'
      sums[kind] += file.sizeBytes
      if (kind === 'unusedBytes') unusedFiles++
    }
    const logBytes = await directoryBytes(store, join(tableDirectory(store, path), LOG_DIRECTORY))
    tables.push({ table: names.get(path) ?? '(dropped)', path, ...sums, unusedFiles, logBytes })
  }
  return { tables, lakeLogBytes: await directoryBytes(store, logDirectory(store.root)) }
}

async function directoryBytes(store: Store, directory: string): Promise<number> {
  let bytes = 0
  for (const name of await store.files.list(directory)) {
    const stat = await store.files.stat(join(directory, name))
    if (stat?.kind === 'file') bytes += stat.sizeBytes
  }
  return bytes
}
