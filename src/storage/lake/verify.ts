/** Verify: holds the logs against the files, and on demand every byte against its hash. */
import { join } from 'node:path'
import { hasCode, messageOf } from '../../model/errors.ts'
import { loadSnapshot } from '../delta/load.ts'
import type { Snapshot } from '../delta/replay.ts'
import { listLog } from '../delta/segment.ts'
import { keptVersions } from './horizon.ts'
import { readRecord } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { appIdOf, tableDirectory } from './store.ts'
import { frozenBy } from './tables.ts'
import { checkpointProblems } from './verify-checkpoint.ts'
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
  problems.push(...(await pastProblems(store, record, options)))
  return problems
}

/** Every version from the horizon to the head, and every tagged one, has a record that can be read and was carried out. */
async function verifyRecords(store: Store, head: LakeRecord): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const version of keptVersions(head, head.horizon, [])) {
    const broken = (problem: string): Problem => ({
      table: null,
      file: `_lake/${version}`,
      problem,
    })
    try {
      const record = await readRecord(store, version)
      if (!record) problems.push(broken('the record is missing'))
      else if (record.lakeId !== head.lakeId) problems.push(broken('it belongs to another lake'))
      else problems.push(...(await commitProblems(store, record)))
    } catch (error) {
      problems.push(broken(messageOf(error)))
    }
  }
  return problems
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
  const commits = listing?.commits ?? []
  const hole = commits.find((version, i) => i > 0 && version !== commits[i - 1]! + 1)
  if (hole !== undefined) problems.push(`version ${hole - 1} is missing from the log`)
  if (listing) problems.push(...(await checkpointProblems(store.files, directory, listing)))
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
    join(store.root, '_lake', 'sources'),
    ...Object.values(record.tables).map((entry) =>
      join(tableDirectory(store, entry.path), '_delta_log'),
    ),
  ]
  const found: string[] = []
  for (const directory of [store.root, ...directories]) {
    // Beside the lake's own there may be files of others in its directory.
    const left = directory === store.root ? /^\.analysis\..*\.tmp$/ : /^\..*\.tmp$/
    for (const name of await store.files.list(directory)) {
      if (!left.test(name)) continue
      const path = join(directory, name)
      const stat = await store.files.stat(path)
      if (stat && stat.modifiedMs < olderThanMs) found.push(path)
    }
  }
  return found
}
