/** A copy of the old file for a comparison, made while nobody can write it. */
import { copyFile } from '../storage/files/copy-file.ts'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OldFileMark } from '../storage/lake/migration-state.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Session } from '../storage/parquet/database.ts'
import { markOf, withOldFile } from './old-file.ts'

/** A copy, which must be removed. */
export interface OldFileCopy {
  readonly path: string
  /** What the old file looked like when it was copied. */
  readonly mark: OldFileMark
  readonly remove: () => Promise<void>
}

/** Copies the file and its write-ahead log; while it is open for reading, no other process can write it. */
export async function copyOldFile(
  store: Store,
  session: Session,
  path: string,
  options: { readonly waitMs?: number } = {},
): Promise<OldFileCopy> {
  const target = join(tmpdir(), `marketlake-${store.effects.uuid()}.duckdb`)
  const { waitMs = 0 } = options
  const mark = await withOldFile(session, path, { waitMs }, async () => {
    await copyFile(path, target)
    if (await store.files.stat(`${path}.wal`)) await copyFile(`${path}.wal`, `${target}.wal`)
    return (await markOf(store.files, path))!
  })
  return {
    path: target,
    mark,
    remove: async () => {
      await store.files.remove(target)
      await store.files.remove(`${target}.wal`)
    },
  }
}
