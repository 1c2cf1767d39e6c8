/** A copy of the old file for a comparison, made while nobody can write it. */
import { copyFile } from '../storage/files/copy-file.ts'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OldFileMark } from '../storage/lake/migration-state.ts'
import { migrationOf } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Session } from '../storage/parquet/database.ts'
import { LakeError, hasCode } from '../model/errors.ts'
import { markOf, withOldFile } from './old-file.ts'

/** A copy, which must be removed. */
export interface OldFileCopy {
  readonly path: string
  /** What the old file looked like when it was copied. */
  readonly mark: OldFileMark
  /** The lake while it was copied: a batch of a dual writer is in both, or in the outbox of the copy. */
  readonly record: LakeRecord
  readonly remove: () => Promise<void>
}

/**
 * Copies the file and its write-ahead log. While it is open for reading, no other process can write it; where its
 * writer holds it, it is copied beside him, again until neither a checkpoint nor a batch that came into the lake fell
 * into the copying. What he had not yet committed is then not in the copy.
 */
export async function copyOldFile(
  store: Store,
  session: Session,
  path: string,
  options: { readonly waitMs?: number } = {},
): Promise<OldFileCopy> {
  const target = join(tmpdir(), `marketlake-${store.effects.uuid()}.duckdb`)
  const { waitMs = 0 } = options
  const remove = async (): Promise<void> => {
    await store.files.remove(target)
    await store.files.remove(`${target}.wal`)
  }
  try {
    const made = await withOldFile(session, path, { waitMs }, () => copyOnce(store, path, target))
    return { path: target, ...made, remove }
  } catch (error) {
    await remove()
    if (!hasCode(error, 'LAKE_HELD')) throw error
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await refreshHead(store)
    const made = await copyOnce(store, path, target)
    if (sameBatch(before, made.record) && (await isWhole(store, path, made.mark)))
      return { path: target, ...made, remove }
    await remove()
    await store.effects.sleep(PAUSE_MS)
  }
  throw new LakeError('LAKE_HELD', `${path} is written so busily that no copy of it is whole`, {
    details: { path },
    next: 'Wait for its writer (--wait 1m), or try again.',
  })
}

const ATTEMPTS_MAX = 10
const PAUSE_MS = 200

async function copyOnce(
  store: Store,
  path: string,
  target: string,
): Promise<Pick<OldFileCopy, 'mark' | 'record'>> {
  const mark = (await markOf(store.files, path))!
  await copyFile(path, target)
  if (await store.files.stat(`${path}.wal`)) await copyFile(`${path}.wal`, `${target}.wal`)
  return { mark, record: await refreshHead(store) }
}

/** The write-ahead log only grows, and its last, unfinished entry is passed over; blocks of the file change at checkpoints. */
async function isWhole(store: Store, path: string, mark: OldFileMark): Promise<boolean> {
  const after = await markOf(store.files, path)
  return after?.sizeBytes === mark.sizeBytes && after.modifiedMs === mark.modifiedMs
}

/** True if no batch of a dual writer came into the lake between two records. */
function sameBatch(a: LakeRecord, b: LakeRecord): boolean {
  const [one, other] = [migrationOf(a)?.batch, migrationOf(b)?.batch]
  return one?.outbox === other?.outbox && one?.seq === other?.seq
}
