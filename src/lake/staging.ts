/** A database of its own in place of an old file: on disk, because it may be large, and gone afterwards. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OLD } from '../migration/old-file.ts'
import type { Session } from '../storage/parquet/database.ts'
import { WITHOUT_LOG, identifier, literal } from '../storage/parquet/sql.ts'
import type { Lake } from './lake.ts'

/** The path of a database that is removed after `use`. */
export async function withStagingFile<T>(
  lake: Lake,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(tmpdir(), `marketlake-${lake.store.effects.uuid()}.duckdb`)
  try {
    return await use(path)
  } finally {
    await lake.store.files.remove(path).catch(() => false)
    await lake.store.files.remove(`${path}.wal`).catch(() => false)
  }
}

/** Attaches a database for writing while `use` runs; one that is not there is made. */
export async function attachedAs<T>(
  session: Session,
  path: string,
  alias: string,
  use: () => Promise<T>,
): Promise<T> {
  await session.run(`ATTACH ${literal(path)} AS ${identifier(alias)} (${WITHOUT_LOG})`)
  try {
    const result = await use()
    await session.run(`CHECKPOINT ${identifier(alias)}`)
    return result
  } finally {
    await session.run(`DETACH ${identifier(alias)}`)
  }
}

/** A fresh database, attached as the old file. */
export async function withStaging<T>(
  lake: Lake,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const database = await lake.database()
  return withStagingFile(lake, (path) =>
    database.using((session) => attachedAs(session, path, OLD, () => use(session))),
  )
}
