/** Imports the demo's old file: of rows with equal keys the last one is taken, and the mapping says so. */
import { importDatabase, openLake } from '../../dist/index.js'
import { KEYS } from './monolith.mjs'

export async function importOldFile(lakeDirectory, old) {
  const lake = await openLake(lakeDirectory)
  try {
    const keys = Object.fromEntries(Object.entries(KEYS).map(([table, key]) => [table, key]))
    const { plan, outcome } = await importDatabase(lake, old, { keys, onDuplicate: 'last' })
    if (outcome?.kind !== 'committed') throw new Error(`import: ${outcome?.kind}`)
    return plan.tables.map((table) => table.old)
  } finally {
    await lake.close()
  }
}
