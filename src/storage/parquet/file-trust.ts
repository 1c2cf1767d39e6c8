/** Whether an engine believes that a file it has read before is still the same, or looks at it each time. */
import type { Database } from './database.ts'

/** Trust in files. Files of a lake are written once, so their engine trusts; other files may change at any time. */
export interface FileTrust {
  /** From when this resolves until the function it gives is called, every file is looked at again. */
  doubt(): Promise<() => Promise<void>>
}

/**
 * Lets an engine trust files. What it has read stays in memory, as far as its limit allows, without a file being
 * opened or asked for its time: a fifth to a third less of every question over files (measured in `bench/`).
 */
export async function trustFiles(database: Database): Promise<FileTrust> {
  const run = (sql: string): Promise<unknown> => database.using((session) => session.run(sql))
  let doubts = 0
  let last: Promise<unknown> = Promise.resolve()
  // One after the other, each by what is true when it runs: the last one leaves the right setting.
  const settle = (): Promise<unknown> => {
    const set = (): Promise<unknown> => run(validation(doubts > 0 ? 'VALIDATE_ALL' : TRUST))
    return (last = last.then(set, set))
  }
  // Only ranges that were fetched ahead are kept in memory; by default those of remote files.
  await run(`SET GLOBAL prefetch_all_parquet_files=true; ${validation(TRUST)}`)
  return {
    async doubt() {
      doubts++
      await settle()
      return async () => {
        doubts--
        if (database.isOpen) await settle()
      }
    },
  }
}

const TRUST = 'NO_VALIDATION'

function validation(mode: 'VALIDATE_ALL' | typeof TRUST): string {
  return `SET GLOBAL validate_external_file_cache='${mode}'`
}
