/** Brings batches of the outbox into the lake: each once, however often it is tried. */
import { LakeError } from '../model/errors.ts'
import { fieldOf } from '../model/schema.ts'
import { duckdbType } from '../storage/parquet/types.ts'
import { commitLake } from '../storage/lake/commit.ts'
import type { CommitOptions } from '../storage/lake/commit.ts'
import type { MigratedTable, Migration } from '../storage/lake/migration-state.ts'
import { columnsOf, migrationOf, withMigration } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { settle } from '../storage/lake/settle.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import { relationSchema } from '../storage/parquet/inspect.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import type { PendingBatch, PendingPart } from './outbox.ts'
import { forgetBatches, pendingBatches, pendingRows } from './outbox.ts'
import { lakeColumnNames } from './import-names.ts'
import { prepareSymbols, toLake } from './sides.ts'

/** What was brought into the lake. */
export interface CaughtUp {
  readonly batches: number
  /** Batches that still wait. */
  readonly behind: number
  /** The outcome of the last commit; undefined if there was nothing to do. */
  readonly outcome: LakeOutcome | undefined
}

/** Batches in one commit of the lake. */
const BATCHES_MAX = 50

/** Applies what waits in the old file, which is attached for writing on `session`. */
export async function catchUp(
  store: Store,
  database: Database,
  session: Session,
  options: CommitOptions = {},
): Promise<CaughtUp> {
  let [batches, outcome] = [0, undefined as LakeOutcome | undefined]
  for (;;) {
    // Seen is not durable: a batch may leave the outbox only when the record that holds it is on disk.
    const migration = migrationOf(await settle(store, []))
    const pending = await pendingBatches(session, migration?.batch)
    if (pending.length === 0 || !migration) {
      if (migration?.batch) await forgetBatches(session, migration.batch.seq)
      return { batches, behind: 0, outcome }
    }
    const now = pending.slice(0, BATCHES_MAX)
    outcome = await applyBatches(store, database, now, options)
    if (outcome.kind !== 'committed') return { batches, behind: pending.length, outcome }
    batches += now.length
  }
}

/** One commit holds the rows and the number of the newest batch, so a batch is never applied twice. */
async function applyBatches(
  store: Store,
  database: Database,
  batches: readonly PendingBatch[],
  options: CommitOptions,
): Promise<LakeOutcome> {
  const last = batches.at(-1)!
  const batch = { outbox: last.outbox, seq: last.seq }
  return commitLake(
    store,
    () => Promise.resolve(database),
    async (tx) => {
      const migration = migrationOf(tx.base)
      if (!migration || isApplied(migration, batch)) return
      await prepareSymbols(tx.session)
      const tables = [...migration.tables]
      for (const part of batches.flatMap(({ parts }) => parts)) {
        const at = tables.findIndex((t) => t.old.toLowerCase() === part.table.toLowerCase())
        if (at < 0) continue
        tables[at] = await withNewColumns(tx, tables[at]!, part)
        await stagePart(tx, tables[at], part)
      }
      tx.change = { settings: (head) => applied(head, migration, { batch, tables }) }
    },
    { operation: 'DUAL WRITE', note: `batch ${last.seq}`, ...options },
  )
}

function isApplied({ batch }: Migration, wanted: NonNullable<Migration['batch']>): boolean {
  return batch?.outbox === wanted.outbox && batch.seq >= wanted.seq
}

/** Nobody else can have applied a batch meanwhile, because who does holds the old file; if it happened, stop. */
function applied(
  head: LakeRecord,
  base: Migration,
  change: Pick<Migration, 'batch' | 'tables'>,
): ReturnType<typeof withMigration> {
  const now = migrationOf(head)
  if (now && now.batch?.seq === base.batch?.seq) return withMigration(head.settings, change)
  throw new LakeError('WRITE_CONFLICT', 'another process applied the batches meanwhile', {
    next: 'Run the command again.',
  })
}

async function stagePart(
  tx: Transaction,
  migrated: MigratedTable,
  part: PendingPart,
): Promise<void> {
  const sql = await lakeRows(tx, migrated, pendingRows(part), part.columns)
  await (part.mode === 'append' && migrated.key.length === 0
    ? tx.append(migrated.table, { sql })
    : tx.upsert(migrated.table, { sql }))
}

/** Columns that the old table got since the import become columns of the lake. */
async function withNewColumns(
  tx: Transaction,
  migrated: MigratedTable,
  part: PendingPart,
): Promise<MigratedTable> {
  const known = new Set(columnsOf(migrated).map((c) => c.old.toLowerCase()))
  const fresh = part.columns.filter((name) => !known.has(name.toLowerCase()))
  if (fresh.length === 0) return migrated
  const { schema, columns } = await relationSchema(
    tx.session,
    `SELECT ${identifiers(fresh)} FROM (${pendingRows(part)})`,
  )
  const taken = columnsOf(migrated).map((c) => c.new)
  const names = lakeColumnNames([...taken, ...fresh]).slice(taken.length)
  const fields = schema.fields.map((f, i) => ({ ...f, name: names[i]! }))
  await tx.widen(migrated.table, fields)
  const added = columns.map(({ name: old, duckdbType: type }, i) => {
    const { name, type: stored } = fields[i]!
    const same = duckdbType(stored) === type
    return same && old === name ? old : { old, new: name, ...(!same && { type }) }
  })
  return { ...migrated, columns: [...migrated.columns, ...added] }
}

/** Rows of an old table as the lake stores them. */
export async function lakeRows(
  tx: Transaction,
  migrated: MigratedTable,
  rows: string,
  names: readonly string[],
): Promise<string> {
  const { current, shape } = await tx.work(migrated.table)
  const given = new Set(names.map((name) => name.toLowerCase()))
  const columns = columnsOf(migrated)
    .filter((column) => given.has(column.old.toLowerCase()))
    .map((column) => {
      const type = duckdbType(fieldOf(current.schema, column.new, migrated.table).type)
      return `${toLake(column, type)} AS ${identifier(column.new)}`
    })
  if (shape.vintage) columns.push(`${literal(migrated.source ?? 'file')} AS source`)
  return `SELECT ${columns.join(', ')} FROM (${rows})`
}
