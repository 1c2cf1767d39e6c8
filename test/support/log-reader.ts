/** Reads and fills Delta tables made by hand: what the tests of other writers' shapes have in common. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { DeltaTable } from '../../src/storage/delta/index.ts'
import type { Session } from '../../src/storage/parquet/database.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { useEngine } from './engine.ts'

/** Tables opened through it are closed after each test. */
export interface LogReader {
  readonly session: () => Session
  readonly open: (directory: string) => Promise<DeltaTable>
  readonly rowsOf: (directory: string, sql?: string) => Promise<Row[]>
  /** Writes a data file below a table. */
  readonly dataFile: (directory: string, path: string, select: string) => Promise<void>
}

export function useLogReader(): LogReader {
  const { session } = useEngine()
  const tables: DeltaTable[] = []
  afterEach(async () => {
    for (const table of tables.splice(0)) await table.close()
  })
  const open = async (directory: string): Promise<DeltaTable> => {
    const table = await DeltaTable.open(directory, { threads: 1 })
    tables.push(table)
    return table
  }
  return {
    session,
    open,
    rowsOf: async (directory, sql = 'SELECT * FROM delta_table ORDER BY ALL') =>
      (await open(directory)).query(sql),
    dataFile: async (directory, path, select) => {
      const target = join(directory, path)
      mkdirSync(join(target, '..'), { recursive: true })
      await session().run(`COPY (${select}) TO '${target.replaceAll("'", "''")}' (FORMAT parquet)`)
    },
  }
}
