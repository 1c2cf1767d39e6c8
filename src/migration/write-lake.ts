/** Rows under the names of the old file, written into the lake alone: what sync code does after the cut-over. */
import { LakeError } from '../model/errors.ts'
import { fieldOf, schemaOf } from '../model/schema.ts'
import type { Schema } from '../model/schema.ts'
import { temporaryName } from '../storage/delta/stage.ts'
import { commitLake } from '../storage/lake/commit.ts'
import type { MigratedColumn, MigratedTable, Migration } from '../storage/lake/migration-state.ts'
import { columnsOf, migrationOf } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Database } from '../storage/parquet/database.ts'
import { receiveInput } from '../storage/parquet/ingest.ts'
import { identifier } from '../storage/parquet/sql.ts'
import { lakeRows } from './catch-up.ts'
import type { OldRows } from './outbox.ts'
import { prepareSymbols } from './sides.ts'

/** Writes rows of some tables in one commit. */
export function writeToLake(
  store: Store,
  database: Database,
  migration: Migration,
  parts: readonly OldRows[],
): Promise<LakeOutcome> {
  return commitLake(
    store,
    () => Promise.resolve(database),
    async (tx) => {
      tx.change = { follows: refuseRolledBack }
      await prepareSymbols(tx.session)
      for (const part of parts) {
        const migrated = migration.tables.find((t) => t.old === part.table)!
        await writePart(tx, migrated, part)
      }
    },
    { operation: 'WRITE', note: 'old names' },
  )
}

/** After a roll-back the old file is read, and rows in the lake alone would not be seen. */
function refuseRolledBack(head: LakeRecord): void {
  if (migrationOf(head)?.phase === 'cut-over') return
  throw new LakeError('WRITE_CONFLICT', 'the migration was rolled back meanwhile', {
    next: 'Write again: both sides are written now.',
  })
}

async function writePart(tx: Transaction, migrated: MigratedTable, part: OldRows): Promise<void> {
  const { current } = await tx.work(migrated.table)
  const old = schemaOf(
    columnsOf(migrated).map((c) => ({ ...oldField(c, current.schema, part.table), name: c.old })),
  )
  const name = temporaryName('old_rows')
  const { schema: given } = await receiveInput(tx.session, name, old, part.rows, part.table)
  const names = given.fields.map((f) => f.name)
  const sql = await lakeRows(tx, migrated, `SELECT * FROM ${identifier(name)}`, names)
  await (migrated.key.length === 0
    ? tx.append(migrated.table, { sql })
    : tx.upsert(migrated.table, { sql }))
}

function oldField(column: MigratedColumn, schema: Schema, table: string): Schema['fields'][number] {
  return { ...fieldOf(schema, column.new, table), nullable: true }
}
