/** One engine for the tests of a file. */
import { afterAll, beforeAll } from 'vitest'
import { Database } from '../../src/storage/parquet/database.ts'
import type { Session } from '../../src/storage/parquet/database.ts'

/** Opens an engine before the tests and closes it after them. */
export function useEngine(): {
  readonly database: () => Database
  readonly session: () => Session
} {
  let database: Database | undefined
  let session: Session | undefined
  beforeAll(async () => {
    database = await Database.open({ threads: 2 })
    session = await database.connect()
  })
  afterAll(() => database?.close())
  return { database: () => database!, session: () => session! }
}
