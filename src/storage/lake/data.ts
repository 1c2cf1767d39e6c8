/** The answers that the lake protocol needs about rows, given by DuckDB. */
import type { RowTest } from '../delta/conflict.ts'
import { filePath } from '../delta/paths.ts'
import { repeatsKey, rowTest } from '../delta/row-test.ts'
import type { Database, Session } from '../parquet/database.ts'
import { fileSchema, misfit } from '../parquet/inspect.ts'
import type { LakeData } from './store.ts'

/** Answers from an engine that is started at the first question. */
export function duckdbData(database: () => Promise<Database>): LakeData {
  const ask = async <T>(question: (session: Session) => Promise<T>): Promise<T> =>
    (await database()).using(question)
  return {
    rowTest: (directory): RowTest => ({
      keysOverlap: (...args) => ask((session) => rowTest(session, directory).keysOverlap(...args)),
      matches: (...args) => ask((session) => rowTest(session, directory).matches(...args)),
    }),
    repeatsKey: (directory, snapshot, files, key) =>
      ask((session) => repeatsKey(session, directory, snapshot, files, key)),
    misfit: (directory, snapshot, files) =>
      ask(async (session) => {
        for (const file of files) {
          const schema = await fileSchema(session, filePath(directory, file.path))
          const reason = misfit(schema, snapshot.schema)
          if (reason !== undefined) return `${file.path}: ${reason}`
        }
        return undefined
      }),
  }
}
