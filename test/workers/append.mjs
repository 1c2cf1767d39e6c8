/** Appends rows to a Delta table, one commit each. Arguments: directory, writer, count. */
import { DeltaTable } from '../../dist/storage/delta/index.js'

const [directory, writer, count] = process.argv.slice(2)
const table = await DeltaTable.open(directory, { threads: 1 })
for (let i = 0; i < Number(count); i++) {
  const outcome = await table.append([{ w: Number(writer), i }])
  if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome.kind))
}
await table.close()
