/** A SQLite file beside the views, where DuckDB's sqlite extension is on this machine; nothing is ever fetched. */
import { LakeError, messageOf } from '../model/errors.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'

/** The name under which the file is attached. */
export const SQLITE = 'sqlite_meta'

/** Attaches the file for reading; an error says what is missing. */
export async function attachSqlite(database: Database, path: string): Promise<void> {
  await database.using(async (session) => {
    await loadExtension(session)
    try {
      await session.run(`ATTACH ${literal(path)} AS ${identifier(SQLITE)} (TYPE sqlite, READ_ONLY)`)
    } catch (cause) {
      throw new LakeError('IO_ERROR', `${path} cannot be attached: ${messageOf(cause)}`, {
        details: { path },
        cause,
        next: 'Check that it is a SQLite file that this user may read.',
      })
    }
  })
}

async function loadExtension(session: Session): Promise<void> {
  try {
    await session.run('LOAD sqlite')
  } catch (cause) {
    throw new LakeError('UNSUPPORTED_FEATURE', "DuckDB's sqlite extension is not on this machine", {
      details: { extension: 'sqlite' },
      cause,
      next: 'Install it once where there is a network (`INSTALL sqlite` in DuckDB 1.5.6), or go on without the SQLite file: everything else works.',
    })
  }
}
