/** Delta tables of a test, closed after it. */
import { afterEach } from 'vitest'
import { DeltaTable } from '../../src/storage/delta/index.ts'
import type { NewTable, TableOptions } from '../../src/storage/delta/index.ts'
import { temporaryDirectory } from './temporary.ts'

/** Opens and makes tables that are closed after each test. */
export function useDeltaTables(): {
  readonly opened: (directory: string, options?: TableOptions) => Promise<DeltaTable>
  readonly created: (table: NewTable, directory?: string) => Promise<DeltaTable>
} {
  const open: DeltaTable[] = []
  afterEach(async () => {
    for (const table of open.splice(0)) await table.close()
  })
  const kept = (table: DeltaTable): DeltaTable => {
    open.push(table)
    return table
  }
  return {
    opened: async (directory, options = {}) =>
      kept(await DeltaTable.open(directory, { threads: 1, ...options })),
    created: async (table, directory = temporaryDirectory()) =>
      kept(await DeltaTable.create(directory, table, { threads: 1 })),
  }
}
