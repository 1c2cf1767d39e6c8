/** Stages what was collected of one table: new columns widen it, whole series replace what is stored of them. */
import type { Transaction } from '../storage/lake/transaction.ts'
import type { CollectedTable } from './collector.ts'

/** Stages the rows of one table and gives their number; the names of new columns are added to `addedColumns`. */
export async function storeTable(
  tx: Transaction,
  collected: CollectedTable,
  dated: boolean,
  addedColumns: Set<string>,
): Promise<number> {
  const { table, rows, fields, seriesOf, stage } = collected
  if (stage) {
    const staged = await stage(tx)
    for (const name of staged.addedColumns) addedColumns.add(`${table}.${name}`)
    return staged.rows
  }
  if (rows.length === 0 && !seriesOf) return 0
  await widen(tx, table, fields, addedColumns)
  if (seriesOf) await tx.replaceSeries(table, seriesOf, rows)
  else await tx.upsert(table, rows, { dated })
  return rows.length
}

async function widen(
  tx: Transaction,
  table: string,
  fields: CollectedTable['fields'],
  addedColumns: Set<string>,
): Promise<void> {
  await tx.ensureStandard(table)
  const before = new Set((await tx.work(table)).current.schema.fields.map((f) => f.name))
  const added = fields.filter((f) => !before.has(f.name))
  if (added.length === 0) return
  await tx.widen(table, added)
  for (const f of added) addedColumns.add(`${table}.${f.name}`)
}
