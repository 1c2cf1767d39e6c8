/** Log cleanup: deletes commits and checkpoints that no kept version is built from (PROTOCOL.md, "Metadata Cleanup"). */
import { join } from 'node:path'
import type { Files } from '../files/files.ts'
import { hintVersion } from './checkpoint-write.ts'
import { readCheckpoint } from './checkpoint-read.ts'
import { LAST_CHECKPOINT, LOG_DIRECTORY, parseLogName } from './names.ts'
import { listLog } from './segment.ts'
import type { CheckpointFiles, LogListing } from './segment.ts'

/**
 * Deletes log files below the newest readable checkpoint that is not above `oldestKept`, oldest first, so that
 * what is left never has a hole. The commit at the checkpoint's own version stays: it tells who wrote it.
 * Returns how many files were deleted.
 */
export async function cleanLog(files: Files, table: string, oldestKept: number): Promise<number> {
  const listing = await listLog(files, table)
  const checkpoint = listing && (await usableCheckpoint(files, listing, oldestKept))
  if (!listing || !checkpoint) return 0
  const hint = hintVersion(await files.read(join(table, LOG_DIRECTORY, LAST_CHECKPOINT)))
  const limit = Math.min(checkpoint.version, hint ?? checkpoint.version)
  const names = await files.list(listing.directory)
  const old = names
    .flatMap((name) => parseLogName(name) ?? [])
    .filter((entry) => entry.version < limit)
    .toSorted((a, b) => a.version - b.version)
  for (const entry of old) await files.remove(join(listing.directory, entry.name))
  return old.length
}

/** Deleting commits under a checkpoint that cannot be read would lose the table. */
async function usableCheckpoint(
  files: Files,
  listing: LogListing,
  oldestKept: number,
): Promise<CheckpointFiles | undefined> {
  for (const checkpoint of listing.checkpoints) {
    if (checkpoint.version > oldestKept) continue
    try {
      await readCheckpoint(files, listing.directory, checkpoint)
      return checkpoint
    } catch {
      // An older one may do.
    }
  }
  return undefined
}
