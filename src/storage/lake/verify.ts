/** Verify: holds the logs against the files, and on demand every byte against its hash. */
import { join } from 'node:path'
import { hasCode, messageOf } from '../../model/errors.ts'
import { readCheckpoint } from '../delta/checkpoint-read.ts'
import { commitAt, loadSnapshot } from '../delta/load.ts'
import type { Snapshot } from '../delta/replay.ts'
import { apply, emptyReplay } from '../delta/replay.ts'
import { listLog } from '../delta/segment.ts'
import { keptVersions } from './horizon.ts'
import { readRecord, recordVersions } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { appIdOf, tableDirectory } from './store.ts'
import { frozenBy } from './tables.ts'
import { sameState } from './verify-checkpoint.ts'
import { fileProblem } from './verify-file.ts'
import type { Problem, VerifyOptions } from './verify-file.ts'
import { commitProblems, pastProblems } from './verify-past.ts'
import { tableView } from './view.ts'

/** Checks the lake log and every table of a record. */
export async function verifyLake(
  store: Store,
  record: LakeRecord,
  options: VerifyOptions,
): Promise<Problem[]> {
  const problems = await verifyRecords(store, record)
  for (const name of Object.keys(record.tables).toSorted()) {
    options.signal?.throwIfAborted()
    problems.push(...(await verifyTable(store, record, name, options)))
  }
  problems.push(...(await commitProblems(store, record)))
  problems.push(...(await pastProblems(store, record, options)))
  return problems
}

/** Every version from the horizon to the head, and every tagged one, has a record that can be read. */
async function verifyRecords(store: Store, head: LakeRecord): Promise<Problem[]> {
  const problems: Problem[] = []
  const there = new Set(await recordVersions(store))
  for (const version of keptVersions(head, head.horizon, [])) {
    const problem = there.has(version)
      ? await recordProblem(store, head, version)
      : 'the record is missing'
    if (problem !== undefined) problems.push({ table: null, file: `_lake/${version}`, problem })
  }
  return problems
}

async function recordProblem(
  store: Store,
  head: LakeRecord,
  version: number,
): Promise<string | undefined> {
  try {
    const record = await readRecord(store, version)
    return record && record.lakeId !== head.lakeId ? 'it belongs to another lake' : undefined
  } catch (error) {
    return messageOf(error)
  }
}

async function verifyTable(
  store: Store,
  record: LakeRecord,
  name: string,
  options: VerifyOptions,
): Promise<Problem[]> {
  let snapshot: Snapshot
  try {
    snapshot = (await tableView(store, record, name)).snapshot
  } catch (error) {
    return [{ table: name, file: null, problem: messageOf(error) }]
  }
  const directory = tableDirectory(store, record.tables[name]!.path)
  const problems: Problem[] = []
  for (const file of snapshot.files.values()) {
    options.signal?.throwIfAborted()
    const problem = await fileProblem(store, directory, file, options)
    if (problem !== undefined) problems.push({ table: name, file: file.path, problem })
  }
  const log = await logProblems(store, record, name, directory)
  return [...problems, ...log.map((problem) => ({ table: name, file: '_delta_log', problem }))]
}

/** The log has no hole, its checkpoints say what its commits say, and it ends where the lake says. */
async function logProblems(
  store: Store,
  record: LakeRecord,
  name: string,
  directory: string,
): Promise<string[]> {
  const problems: string[] = []
  const listing = await listLog(store.files, directory)
  const { commits = [], checkpoints = [] } = listing ?? {}
  const hole = commits.find((version, i) => i > 0 && version !== commits[i - 1]! + 1)
  if (hole !== undefined) problems.push(`version ${hole - 1} is missing from the log`)
  for (const checkpoint of checkpoints) {
    const problem = await checkpointProblem(store, directory, listing!, checkpoint)
    if (problem !== undefined) problems.push(problem)
  }
  const behind = await isBehind(store, record, name, directory)
  if (behind)
    problems.push(
      'the last lake commit is not in the Delta log yet; the next write or `doctor --fix` brings it there',
    )
  const entry = record.tables[name]!
  const frozen = store.frozen.get(entry.path) ?? frozenBy(entry, entry.path)
  if (frozen) problems.push(`frozen by version ${frozen.version}: ${frozen.reason}`)
  return problems
}

async function checkpointProblem(
  store: Store,
  directory: string,
  listing: NonNullable<Awaited<ReturnType<typeof listLog>>>,
  checkpoint: (typeof listing.checkpoints)[number],
): Promise<string | undefined> {
  try {
    const replay = emptyReplay()
    apply(
      replay,
      checkpoint.version,
      await readCheckpoint(store.files, listing.directory, checkpoint),
    )
    if (listing.commits[0] !== 0) return undefined
    const folded = emptyReplay()
    for (let version = 0; version <= checkpoint.version; version++) {
      const commit = await commitAt(store.files, directory, version)
      if (commit) apply(folded, version, commit)
    }
    if (sameState(replay, folded)) return undefined
    return `checkpoint ${checkpoint.version} does not say what the commits say`
  } catch (error) {
    return `checkpoint ${checkpoint.version}: ${messageOf(error)}`
  }
}

async function isBehind(
  store: Store,
  record: LakeRecord,
  name: string,
  directory: string,
): Promise<boolean> {
  if (!record.commits.some((commit) => commit.table === name)) return false
  try {
    const newest = await loadSnapshot(store.files, directory)
    return (newest?.txns.get(appIdOf(store.lakeId))?.version ?? -1) < record.version
  } catch (error) {
    if (hasCode(error, 'CORRUPT_LOG')) return false
    throw error
  }
}

/** Temporary files of writers that are gone, by directory; they are harmless and can be removed. */
export async function temporaryFiles(
  store: Store,
  record: LakeRecord,
  olderThanMs: number,
): Promise<string[]> {
  const directories = [
    join(store.root, '_lake'),
    join(store.root, '_lake', 'actions'),
    join(store.root, '_lake', 'leases'),
    ...Object.values(record.tables).map((entry) =>
      join(tableDirectory(store, entry.path), '_delta_log'),
    ),
  ]
  const found: string[] = []
  for (const directory of directories) {
    for (const name of await store.files.list(directory)) {
      if (!/^\..*\.tmp$/.test(name)) continue
      const path = join(directory, name)
      const stat = await store.files.stat(path)
      if (stat && stat.modifiedMs < olderThanMs) found.push(path)
    }
  }
  return found
}
