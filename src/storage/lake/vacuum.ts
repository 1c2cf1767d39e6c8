/** Vacuum: deletes what no kept version, tag, lease, frozen table or young write can need. Nothing else. */
import { dirname, join } from 'node:path'
import { errnoOf } from '../files/io-error.ts'
import { filePath } from '../delta/paths.ts'
import { cleanLog } from '../delta/cleanup.ts'
import { loadSnapshot } from '../delta/load.ts'
import { LOG_DIRECTORY } from '../delta/names.ts'
import { amendLake } from './amend.ts'
import { dueHorizon, keptVersions } from './horizon.ts'
import { LEASES_DIRECTORY, actionsPath, listActions, logDirectory } from './lake-log.ts'
import { fileSystemNow, listLeases } from './lease.ts'
import { neededBy } from './needed.ts'
import type { Needed, NeededTable } from './needed.ts'
import type { LakeRecord } from './record.ts'
import { settle } from './settle.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { writeStubs } from './stub.ts'
import { LAKE_ID, hasSuffix } from './tables.ts'
import { walkFiles } from './walk.ts'

/** How a vacuum is run. */
export interface VacuumOptions {
  /** False: only count. */
  readonly apply: boolean
  /** Only what the logs say was removed, without listing directories. */
  readonly lite?: boolean
  /** Publishes the views at the head; a failure stops the vacuum, because their readers hold no lease. */
  readonly publishViews?: () => Promise<void>
  /** Stop before the next table once this returns true. */
  readonly stop?: () => boolean
}

/** What was deleted, or would be. */
export interface VacuumResult {
  readonly dryRun: boolean
  readonly files: number
  readonly bytes: number
  readonly horizon: number
}

interface Candidate {
  /** An absolute path. */
  readonly path: string
  readonly sizeBytes: number
}

/** Raises the horizon to what retention asks for and deletes what lies behind it. */
export async function vacuumLake(store: Store, options: VacuumOptions): Promise<VacuumResult> {
  const settled = await settle(store, Object.keys(store.head.tables))
  const stagedBefore = await stagedLimit(store)
  const horizon = await dueHorizon(store, settled)
  if (!options.apply) return count(store, settled, horizon, stagedBefore, options)
  await options.publishViews?.()
  const head = await announce(store, horizon, stagedBefore)
  const result = await deleteBehind(store, head, stagedBefore, options)
  return { dryRun: false, ...result, horizon: head.horizon }
}

/** By the file system's clock: younger files may belong to a write that is under way. */
async function stagedLimit(store: Store): Promise<number> {
  const directory = join(logDirectory(store.root), LEASES_DIRECTORY)
  return (await fileSystemNow(store, directory)) - store.retention.stagedMs
}

/** New readers must not start on a dying version, so the horizon is published before anything is deleted. */
async function announce(store: Store, horizon: number, stagedBefore: number): Promise<LakeRecord> {
  const { horizon: current, stagedBefore: before = 0 } = store.head
  if (horizon === current && stagedBefore - before < store.retention.stagedMs) return store.head
  return amendLake(store, 'VACUUM', (head) => ({
    horizon: Math.max(head.horizon, Math.min(horizon, head.version)),
    stagedBefore: Math.max(head.stagedBefore ?? 0, stagedBefore),
  }))
}

async function count(
  store: Store,
  head: LakeRecord,
  horizon: number,
  stagedBefore: number,
  options: VacuumOptions,
): Promise<VacuumResult> {
  const found = await candidates(store, head, horizon, stagedBefore, options)
  const bytes = found.reduce((sum, candidate) => sum + candidate.sizeBytes, 0)
  return { dryRun: true, files: found.length, bytes, horizon }
}

async function deleteBehind(
  store: Store,
  head: LakeRecord,
  stagedBefore: number,
  options: VacuumOptions,
): Promise<{ files: number; bytes: number }> {
  const limit = head.stagedBefore ?? stagedBefore
  const found = await candidates(store, head, head.horizon, limit, options)
  let [files, bytes] = [0, 0]
  for (const candidate of found) {
    if (options.stop?.()) return { files, bytes }
    if (!(await removeUnlessBusy(store, candidate.path))) continue
    files++
    bytes += candidate.sizeBytes
  }
  await removeEmptied(store, found)
  const { versions: leased, expired } = await listLeases(store)
  for (const path of expired) await store.files.remove(path)
  const needed = await neededBy(store, head, keptVersions(head, head.horizon, leased))
  await cleanLogs(store, needed)
  await writeStubs(store, head, needed.versions)
  return { files, bytes }
}

/** Windows does not delete a file that somebody has open: the next vacuum takes it. */
async function removeUnlessBusy(store: Store, path: string): Promise<boolean> {
  try {
    return await store.files.remove(path)
  } catch (error) {
    if (errnoOf(error) === 'EBUSY' || errnoOf(error) === 'EPERM') return false
    throw error
  }
}

/**
 * Directories of dropped tables and of symbols without files, inner ones first. One that is not empty stays. So does
 * the directory that bears a table's own name: a table made again under it would have files of the same names in its
 * log, and another vacuum that slept on its way would take them.
 */
async function removeEmptied(store: Store, found: readonly Candidate[]): Promise<void> {
  const log = logDirectory(store.root)
  const directories = new Set(found.map((candidate) => dirname(candidate.path)))
  for (const directory of [...directories].toSorted((a, b) => b.length - a.length)) {
    if (directory.startsWith(log)) continue
    if (directories.has(join(directory, LOG_DIRECTORY)) && !hasSuffix(directory)) continue
    await store.files.remove(directory).catch(() => false)
  }
}

async function cleanLogs(store: Store, { tables }: Needed): Promise<void> {
  for (const table of tables.values()) {
    if (table.frozen) continue
    await cleanLog(store.files, tableDirectory(store, table.path), table.oldestVersion)
  }
}

async function candidates(
  store: Store,
  head: LakeRecord,
  horizon: number,
  stagedBefore: number,
  options: VacuumOptions,
): Promise<Candidate[]> {
  const { versions: leased } = await listLeases(store)
  const needed = await neededBy(store, head, keptVersions(head, horizon, leased))
  const found: Candidate[] = []
  for (const table of needed.tables.values()) {
    if (options.stop?.()) return found
    if (table.frozen) continue
    found.push(...(await removedFiles(store, table)))
    if (!options.lite) found.push(...(await orphans(store, table, stagedBefore)))
  }
  if (!options.lite) {
    found.push(...(await droppedTables(store, needed.tables, stagedBefore)))
    found.push(...(await lostActions(store, needed, stagedBefore)))
  }
  return distinct(found)
}

/** Files that the log says were removed, and that no kept version needs. */
async function removedFiles(store: Store, table: NeededTable): Promise<Candidate[]> {
  const directory = tableDirectory(store, table.path)
  const found: Candidate[] = []
  for (const [key, tombstone] of table.snapshot?.tombstones ?? []) {
    if (table.files.has(key) || !tombstoneExpired(store, table, tombstone.deletionTimestamp ?? 0))
      continue
    const path = filePath(directory, tombstone.path)
    const stat = await store.files.stat(path)
    if (stat?.kind === 'file') found.push({ path, sizeBytes: stat.sizeBytes })
  }
  return found
}

/** Where other engines write too, their own rule counts besides: the age of the tombstone. */
function tombstoneExpired(store: Store, table: NeededTable, removedMs: number): boolean {
  if (!table.foreign) return true
  return removedMs < store.effects.now() - store.retention.filesMs
}

/** Files that no kept version names: left by a crash, or of versions below the horizon. */
async function orphans(
  store: Store,
  table: NeededTable,
  stagedBefore: number,
): Promise<Candidate[]> {
  const directory = tableDirectory(store, table.path)
  const found: Candidate[] = []
  for await (const file of walkFiles(store.files, directory)) {
    if (table.files.has(file.path) || file.modifiedMs >= stagedBefore) continue
    const tombstone = table.snapshot?.tombstones.get(file.path)
    if (tombstone && !tombstoneExpired(store, table, tombstone.deletionTimestamp ?? 0)) continue
    found.push({ path: join(directory, file.path), sizeBytes: file.sizeBytes })
  }
  return found
}

/** Directories of this lake's tables that no kept version maps: dropped, or never committed. */
async function droppedTables(
  store: Store,
  needed: ReadonlyMap<string, NeededTable>,
  stagedBefore: number,
): Promise<Candidate[]> {
  const found: Candidate[] = []
  for await (const directory of tableDirectories(store, join(store.root, 'warehouse'), 0)) {
    if ([...needed.keys()].some((path) => tableDirectory(store, path) === directory)) continue
    if (!(await belongsToLake(store, directory))) continue
    const files: Candidate[] = []
    let young = false
    for await (const file of allFiles(store, directory)) {
      young ||= file.modifiedMs >= stagedBefore
      files.push({ path: join(directory, file.path), sizeBytes: file.sizeBytes })
    }
    if (!young) found.push(...files)
  }
  return found
}

/** Actions of records that lost the race for their version while their writer died. */
async function lostActions(
  store: Store,
  { actionFiles }: Needed,
  stagedBefore: number,
): Promise<Candidate[]> {
  const found: Candidate[] = []
  for (const name of await listActions(store)) {
    const path = actionsPath(store.root, name)
    const stat = actionFiles.has(name) ? undefined : await store.files.stat(path)
    if (stat && stat.modifiedMs < stagedBefore) found.push({ path, sizeBytes: stat.sizeBytes })
  }
  return found
}

async function* tableDirectories(
  store: Store,
  directory: string,
  depth: number,
): AsyncGenerator<string> {
  if (depth > 4) return
  const names = await store.files.list(directory)
  if (names.includes(LOG_DIRECTORY)) {
    yield directory
    return
  }
  for (const name of names) {
    const path = join(directory, name)
    if ((await store.files.stat(path))?.kind === 'directory')
      yield* tableDirectories(store, path, depth + 1)
  }
}

async function belongsToLake(store: Store, directory: string): Promise<boolean> {
  const snapshot = await loadSnapshot(store.files, directory).catch(() => undefined)
  return snapshot?.metadata.configuration[LAKE_ID] === store.lakeId
}

async function* allFiles(
  store: Store,
  directory: string,
): AsyncGenerator<{ path: string; sizeBytes: number; modifiedMs: number }> {
  yield* walkFiles(store.files, directory)
  for (const name of await store.files.list(join(directory, LOG_DIRECTORY))) {
    const path = `${LOG_DIRECTORY}/${name}`
    const stat = await store.files.stat(join(directory, path))
    if (stat?.kind === 'file')
      yield { path, sizeBytes: stat.sizeBytes, modifiedMs: stat.modifiedMs }
  }
}

function distinct(found: readonly Candidate[]): Candidate[] {
  return [...new Map(found.map((candidate) => [candidate.path, candidate])).values()]
}
