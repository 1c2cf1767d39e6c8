/** Verify, checkpoints: whether they say what the commits before them say, in what readers rely on. */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../../model/errors.ts'
import type { AddFile } from '../delta/actions.ts'
import { readCheckpoint } from '../delta/checkpoint-read.ts'
import { commitAt } from '../delta/load.ts'
import { HASH_TAG } from '../delta/relation.ts'
import type { Replay } from '../delta/replay.ts'
import { apply, emptyReplay } from '../delta/replay.ts'
import type { LogListing } from '../delta/segment.ts'
import type { Files } from '../files/files.ts'

/** Holds each checkpoint against the commits since version 0 or, where those are gone, since the one before it. */
export async function checkpointProblems(
  files: Files,
  directory: string,
  listing: LogListing,
): Promise<string[]> {
  const problems: string[] = []
  let folded = listing.commits[0] === 0 ? emptyReplay() : undefined
  for (const checkpoint of listing.checkpoints.toReversed()) {
    const { version } = checkpoint
    try {
      const replay = emptyReplay()
      apply(replay, version, await readCheckpoint(files, listing.directory, checkpoint))
      folded = folded && (await foldUpTo(files, directory, folded, version))
      if (folded && !sameState(replay, folded))
        problems.push(`checkpoint ${version} does not say what the commits say`)
      folded ??= replay
    } catch (error) {
      problems.push(`checkpoint ${version}: ${messageOf(error)}`)
    }
  }
  return problems
}

/** A state with the commits up to a version; undefined where one is missing. */
async function foldUpTo(
  files: Files,
  directory: string,
  state: Replay,
  version: number,
): Promise<Replay | undefined> {
  while (state.version < version) {
    const commit = await commitAt(files, directory, state.version + 1)
    if (!commit) return undefined
    apply(state, state.version + 1, commit)
  }
  return state
}

/** True if a checkpoint has the files, the columns and the settings that the commits have. */
export function sameState(checkpoint: Replay, commits: Replay): boolean {
  if (checkpoint.files.size !== commits.files.size) return false
  const { schemaString, partitionColumns, configuration } = commits.metadata ?? {}
  const there = checkpoint.metadata
  return (
    there?.schemaString === schemaString &&
    isDeepStrictEqual(there?.partitionColumns, partitionColumns) &&
    isDeepStrictEqual({ ...there?.configuration }, { ...configuration }) &&
    [...commits.files].every(([key, file]) => sameFile(checkpoint.files.get(key), file))
  )
}

function sameFile(one: AddFile | undefined, other: AddFile): boolean {
  return (
    one?.size === other.size &&
    one.tags?.[HASH_TAG] === other.tags?.[HASH_TAG] &&
    isDeepStrictEqual({ ...one.partitionValues }, { ...other.partitionValues }) &&
    agree(parsed(one.stats), parsed(other.stats))
  )
}

function parsed(stats: string | undefined): unknown {
  return stats === undefined ? undefined : JSON.parse(stats)
}

/** Other engines leave statistics out of a checkpoint; what they do not leave out must be the same. */
function agree(one: unknown, other: unknown): boolean {
  if (one === undefined || one === null || other === undefined || other === null) return true
  if (typeof one !== 'object' || typeof other !== 'object') return one === other
  return Object.entries(one).every(([name, value]) =>
    agree(value, (other as Record<string, unknown>)[name]),
  )
}
