/** Opens a table: finds its log, replays it, and follows it cheaply afterwards. */
import { join } from 'node:path'
import { LakeError, hasCode } from '../../model/errors.ts'
import type { Files } from '../files/files.ts'
import type { Commit } from './actions.ts'
import { corrupt } from './actions.ts'
import { openCheckpoint, readCommit } from './checkpoint-read.ts'
import { LOG_DIRECTORY, commitName } from './names.ts'
import type { Replay, Snapshot } from './replay.ts'
import { apply, emptyReplay, finish, replayFrom, replayOf } from './replay.ts'
import { commitsBetween, listLog, newestVersion, oldestVersion } from './segment.ts'
import type { LogListing } from './segment.ts'

/** A cleanup may remove files between listing and reading: then the log is listed again. */
const LIST_ATTEMPTS = 3
/** Commits read at the same time. */
const READ_AHEAD = 32

/** The snapshot of a table, by default the newest. `undefined` if there is no table. */
export async function loadSnapshot(
  files: Files,
  table: string,
  version?: number,
): Promise<Snapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    const listing = await listLog(files, table)
    if (!listing) return undefined
    try {
      return await buildSnapshot(files, table, listing, version ?? newestVersion(listing))
    } catch (error) {
      const vanished = hasCode(error, 'CORRUPT_LOG') && error.details['vanished'] === true
      if (!vanished || attempt === LIST_ATTEMPTS) throw error
    }
  }
}

async function buildSnapshot(
  files: Files,
  table: string,
  listing: LogListing,
  version: number,
): Promise<Snapshot> {
  checkKept(listing, version)
  const replay = await fromCheckpoint(files, listing, version)
  const wanted = commitsBetween(listing, replay.version, version)
  await applyCommits(files, listing.directory, replay, wanted)
  return finish(replay, table)
}

/** A broken checkpoint is not the end: an older one and more commits give the same state. */
async function fromCheckpoint(files: Files, listing: LogListing, version: number): Promise<Replay> {
  const failures: unknown[] = []
  for (const checkpoint of listing.checkpoints) {
    if (checkpoint.version > version) continue
    try {
      const state = await openCheckpoint(files, listing.directory, checkpoint)
      return replayOf(checkpoint.version, state)
    } catch (error) {
      if (!hasCode(error, 'CORRUPT_FILE') && !hasCode(error, 'CORRUPT_LOG')) throw error
      failures.push(error)
    }
  }
  if (listing.commits[0] !== 0 && failures.length > 0) throw failures[0]
  return emptyReplay()
}

function checkKept(listing: LogListing, version: number): void {
  const oldest = oldestVersion(listing)
  if (version >= oldest) return
  throw new LakeError(
    'VERSION_NOT_FOUND',
    `version ${version} of ${listing.directory} is cleaned up`,
    {
      details: { directory: listing.directory, version, oldest },
      next: `The oldest version that can be opened is ${oldest}.`,
    },
  )
}

async function applyCommits(
  files: Files,
  directory: string,
  replay: Replay,
  versions: readonly number[],
): Promise<void> {
  for (let from = 0; from < versions.length; from += READ_AHEAD) {
    const batch = versions.slice(from, from + READ_AHEAD)
    const commits = await Promise.all(
      batch.map((v) => readCommit(files, join(directory, commitName(v)))),
    )
    commits.forEach((commit, i) => {
      if (!commit) throw vanishedError(directory, batch[i]!)
      apply(replay, batch[i]!, commit)
    })
  }
}

function vanishedError(directory: string, version: number): LakeError {
  const error = corrupt(directory, `version ${version} vanished while it was read`)
  return new LakeError(error.code, error.message, { details: { ...error.details, vanished: true } })
}

/** The commit of a version, or undefined if it is not there (yet). */
export function commitAt(
  files: Files,
  table: string,
  version: number,
): Promise<Commit | undefined> {
  return readCommit(files, join(table, LOG_DIRECTORY, commitName(version)))
}

/**
 * Goes on from a snapshot to `version`, or to the newest, by reading only newer commits. The same object comes back
 * when there is nothing newer.
 */
export async function updateSnapshot(
  files: Files,
  table: string,
  snapshot: Snapshot,
  version: number = Number.POSITIVE_INFINITY,
): Promise<Snapshot> {
  let replay: Replay | undefined
  for (let next = snapshot.version + 1; next <= version; next++) {
    const commit = await commitAt(files, table, next)
    if (!commit) break
    replay ??= replayFrom(snapshot)
    apply(replay, next, commit)
  }
  if (replay) return finish(replay, table, snapshot)
  return snapshot.version < version ? acrossCleanup(files, table, snapshot, version) : snapshot
}

/**
 * A cleanup takes commits away from the oldest on. If our own is gone, so may be the next one, and its absence no
 * longer means that nobody committed: publishing there would write below the head, where nobody looks.
 */
async function acrossCleanup(
  files: Files,
  table: string,
  snapshot: Snapshot,
  version: number,
): Promise<Snapshot> {
  if (snapshot.version < 0) return snapshot
  const own = join(table, LOG_DIRECTORY, commitName(snapshot.version))
  if (await files.stat(own)) return snapshot
  const listing = await listLog(files, table)
  if (!listing || newestVersion(listing) <= snapshot.version) return snapshot
  const wanted = Math.min(version, newestVersion(listing))
  return (await loadSnapshot(files, table, wanted)) ?? snapshot
}
