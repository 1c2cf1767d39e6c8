/** History of a table: which commit did what, and when. */
import { join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import type { Files } from '../files/files.ts'
import type { Commit } from './actions.ts'
import { commitAt } from './load.ts'
import { LOG_DIRECTORY, commitName } from './names.ts'
import { listLog, newestVersion, noTable } from './segment.ts'
import { rowsOf } from './stats.ts'

/** A commit in the history of a table. */
export interface TableCommitInfo {
  readonly version: number
  /** Milliseconds since 1970; grows with every version. */
  readonly timestampMs: number
  readonly operation: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly engine: string
  readonly filesAdded: number
  readonly filesRemoved: number
  /** Rows of the added files; null if their statistics do not say. */
  readonly rowsAdded: number | null
}

/** The commits of a table whose log files are still there, newest first. */
export async function tableHistory(
  files: Files,
  table: string,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<TableCommitInfo[]> {
  const listing = await listLog(files, table)
  const versions = (listing?.commits ?? []).toReversed().slice(0, limit)
  const found: TableCommitInfo[] = []
  for (const version of versions) {
    const commit = await commitAt(files, table, version)
    if (commit) found.push(await describe(files, table, version, commit))
  }
  return found
}

async function describe(
  files: Files,
  table: string,
  version: number,
  commit: Commit,
): Promise<TableCommitInfo> {
  const info = commit.commitInfo ?? {}
  const text = (name: string, otherwise: string): string =>
    typeof info[name] === 'string' ? info[name] : otherwise
  return {
    version,
    timestampMs: await timestampOf(files, table, version, commit),
    operation: text('operation', 'UNKNOWN'),
    parameters: (info['operationParameters'] ?? {}) as Record<string, unknown>,
    engine: text('engineInfo', text('clientVersion', 'unknown engine')),
    filesAdded: commit.adds.length,
    filesRemoved: commit.removes.length,
    rowsAdded: commit.adds.reduce<number | null>((sum, add) => {
      const rows = rowsOf(add)
      return sum === null || rows === undefined ? null : sum + rows
    }, 0),
  }
}

/** In-commit timestamps where they are kept; else the time of the commit's file (PROTOCOL.md). */
async function timestampOf(
  files: Files,
  table: string,
  version: number,
  commit: Commit,
): Promise<number> {
  const inCommit = commit.commitInfo?.['inCommitTimestamp']
  if (typeof inCommit === 'number') return inCommit
  const stat = await files.stat(join(table, LOG_DIRECTORY, commitName(version)))
  return Math.floor(stat?.modifiedMs ?? 0)
}

/** The newest version at or before a moment. File times that go back are moved on, as others do. */
export async function versionAtTime(
  files: Files,
  table: string,
  timestampMs: number,
): Promise<number> {
  const listing = await listLog(files, table)
  if (!listing) throw noTable(table)
  let found: number | undefined
  let previous = Number.NEGATIVE_INFINITY
  for (const version of listing.commits) {
    const commit = await commitAt(files, table, version)
    if (!commit) continue
    previous = Math.max(previous + 1, await timestampOf(files, table, version, commit))
    if (previous <= timestampMs) found = version
  }
  if (found !== undefined) return found
  throw new LakeError('VERSION_NOT_FOUND', `${table} has no version at that time`, {
    details: {
      table,
      timestamp: new Date(timestampMs).toISOString(),
      newest: newestVersion(listing),
    },
  })
}
