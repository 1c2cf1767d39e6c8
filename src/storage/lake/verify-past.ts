/** Verify, the past: what older versions show, file by file, and the Delta commits against the records that made them. */
import { LakeError, messageOf } from '../../model/errors.ts'
import { commitText } from '../delta/actions.ts'
import { commitAt } from '../delta/load.ts'
import { commitName } from '../delta/names.ts'
import { keptVersions } from './horizon.ts'
import { neededBy } from './needed.ts'
import type { NeededTable } from './needed.ts'
import type { LakeRecord, TableCommit } from './record.ts'
import { isOurs } from './roll-forward.ts'
import type { Store } from './store.ts'
import { tableDirectory } from './store.ts'
import { fileProblem } from './verify-file.ts'
import type { Problem, VerifyOptions } from './verify-file.ts'
import { tableCommitOf } from './view.ts'

/** Problems of files that the head does not show, but a version that can be opened does. */
export async function pastProblems(
  store: Store,
  head: LakeRecord,
  options: VerifyOptions,
): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const { path, files, later, snapshot, frozen } of await pastTables(store, head)) {
    // What stands in a frozen log is not the lake's alone.
    if (frozen) continue
    for (const [key, file] of files) {
      options.signal?.throwIfAborted()
      if (later.has(key) || snapshot?.files.has(key)) continue
      const problem = await fileProblem(store, tableDirectory(store, path), file, options)
      if (problem === undefined) continue
      const table = nameOf(head, path)
      problems.push({ table, file: file.path, problem: `${problem}; only older versions show it` })
    }
  }
  return problems
}

/** A log that cannot be read is a problem that others name. */
async function pastTables(store: Store, head: LakeRecord): Promise<NeededTable[]> {
  try {
    const { tables } = await neededBy(store, head, keptVersions(head, head.horizon, []))
    return [...tables.values()]
  } catch (error) {
    if (error instanceof LakeError) return []
    throw error
  }
}

/** Problems of the Delta commits of a record that do not say what it says. */
export async function commitProblems(store: Store, record: LakeRecord): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const commit of record.commits) {
    const problem = await commitProblem(store, record, commit).catch(messageOf)
    if (problem === undefined) continue
    const file = `_delta_log/${commitName(commit.version)}`
    problems.push({ table: commit.table, file, problem })
  }
  return problems
}

/** A commit of ours in its own place has nothing of others in it, so it is the record's to the letter. */
async function commitProblem(
  store: Store,
  record: LakeRecord,
  commit: TableCommit,
): Promise<string | undefined> {
  const directory = tableDirectory(store, record.tables[commit.table]!.path)
  const there = await commitAt(store.files, directory, commit.version)
  if (!there || !isOurs(store, record, there)) return undefined
  if (commitText(there) === commitText(tableCommitOf(record, commit))) return undefined
  return `it does not say what lake version ${record.version} says`
}

function nameOf(head: LakeRecord, path: string): string | null {
  return Object.entries(head.tables).find(([, entry]) => entry.path === path)?.[0] ?? null
}
