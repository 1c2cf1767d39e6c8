/** Verify, a checkpoint: whether it says what the commits before it say, in what readers rely on. */
import { isDeepStrictEqual } from 'node:util'
import type { AddFile } from '../delta/actions.ts'
import { HASH_TAG } from '../delta/relation.ts'
import type { Replay } from '../delta/replay.ts'

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
