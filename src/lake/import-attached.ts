/** The tables of an attached database become tables of the lake: planned, checked, and copied in one commit. */
import type { ImportChoices, ImportPlan, PlannedTable } from '../migration/import-plan.ts'
import { importSql, planImport } from '../migration/import-plan.ts'
import { pendingBatches } from '../migration/outbox.ts'
import { prepareSymbols } from '../migration/sides.ts'
import { LakeError } from '../model/errors.ts'
import { findField, schemaOf } from '../model/schema.ts'
import { standardTable } from '../model/standard-tables.ts'
import { beginMigration, migrationOf } from '../storage/lake/migration-state.ts'
import type { MigratedTable, Migration } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Session } from '../storage/parquet/database.ts'
import type { Lake } from './lake.ts'

/** How a file is imported. */
export interface ImportOptions extends ImportChoices {
  /** Only look: nothing is written. */
  readonly dryRun?: boolean
  /** Read a copy, made beside its writer if there is one. */
  readonly copy?: boolean
  /** How long to wait for whoever holds the file. */
  readonly waitMs?: number
  readonly onTable?: (table: PlannedTable) => void
}

/** What an import did. */
export interface ImportResult {
  readonly plan: ImportPlan
  /** Undefined for a dry run. */
  readonly outcome: LakeOutcome | undefined
}

const TIMEOUT_MS = 6 * 3_600_000

/**
 * Imports the database that is attached as the old file, in one commit. `old` is the file that the lake notes; without
 * one there is nothing to come back to.
 */
export async function importAttached(
  lake: Lake,
  session: Session,
  options: ImportOptions,
  old?: string,
): Promise<ImportResult> {
  await prepareSymbols(session)
  const plan = await planImport(session, options)
  if (old !== undefined && options.tables === undefined && plan.tables.length === 0)
    throw nothingToImport(plan, old)
  if (options.dryRun) return { plan, outcome: undefined }
  refuseProblems(plan)
  const head = await lake.head()
  const migration = migrationOf(head)
  const follows = (now: Pick<LakeRecord, 'settings'>): void =>
    refuseLate(migrationOf(now), plan, old)
  follows(head)
  const before = await mappedBefore(lake, migration)
  // What waits in the file's outbox is in its tables, so it comes with them and not again.
  const waiting = await pendingBatches(session, migration?.batch)
  const last = waiting.at(-1)
  const batch = last && { outbox: last.outbox, seq: last.seq }
  const outcome = await lake.write(
    old ?? 'adopted',
    async (tx) => {
      tx.change = { follows }
      await prepareSymbols(tx.session)
      for (const table of plan.tables) {
        await copyTable(tx, table, before)
        options.onTable?.(table)
      }
      if (old === undefined) return
      const tables = plan.tables.map(noted)
      tx.change = {
        follows,
        settings: (now) => beginMigration(now.settings, { old, tables, ...(batch && { batch }) }),
      }
    },
    { operation: old === undefined ? 'MIGRATE ADOPT' : 'MIGRATE IMPORT', timeoutMs: TIMEOUT_MS },
  )
  return { plan, outcome }
}

/** Tables of the lake that an earlier import or adoption made: they may be replaced. */
async function mappedBefore(
  lake: Lake,
  migration: Migration | undefined,
): Promise<ReadonlySet<string>> {
  const noted = migration?.tables.map(({ table }) => table) ?? []
  const records = await lake.history({ limit: HISTORY_MAX })
  const adopted = records.filter(({ operation }) => operation === 'MIGRATE ADOPT')
  return new Set([...noted, ...adopted.flatMap(({ tables }) => Object.keys(tables))])
}

const HISTORY_MAX = 10_000

async function copyTable(
  tx: Transaction,
  planned: PlannedTable,
  before: ReadonlySet<string>,
): Promise<void> {
  const { table, key, fields } = planned
  const sql = importSql(planned)
  if (standardTable(table)) {
    await tx.ensureStandard(table)
    const { current } = await tx.work(table)
    await tx.widen(
      table,
      fields.filter((f) => !findField(current.schema, f.name)),
    )
    await tx.upsert(table, { sql })
    return
  }
  const made = await tx.ensure({ name: table, schema: schemaOf(fields), key })
  if (made === 'created') {
    if (planned.rows > 0) await tx.append(table, { sql })
  } else if (before.has(table)) await tx.replace(table, { sql })
  else throw exists(planned)
}

function noted({ old, table, key, columns, source, onDuplicate }: PlannedTable): MigratedTable {
  return {
    old,
    table,
    key,
    columns,
    ...(source !== undefined && { source }),
    ...(onDuplicate && { onDuplicate }),
  }
}

/** Throws if anything stands in the way of an import, with all of it. */
export function refuseProblems({ tables }: ImportPlan): void {
  const problems = tables.flatMap(({ old, problems: found }) =>
    found.map((problem) => ({ table: old, ...problem })),
  )
  const [first] = problems
  if (!first) return
  const lines = problems.map(
    ({ table, message, rows, examples }) =>
      `${table}: ${message}${rows > 0 ? ` in ${String(rows)} rows` : ''}${examples.length > 0 ? `, for example ${examples.join('; ')}` : ''}`,
  )
  const code = {
    'null-key': 'NULL_KEY',
    'duplicate-key': 'DUPLICATE_KEY',
    type: 'UNSUPPORTED_TYPE',
    symbol: 'TYPE_MISMATCH',
  } as const
  throw new LakeError(code[first.kind], `nothing was imported: ${lines.join('\n  ')}`, {
    details: { problems },
    next: first.kind.endsWith('-key')
      ? `Take the last of equal keys (--on-duplicate last), name another key (--key ${first.table}=a,b), or none (--key ${first.table}=).`
      : 'Mend the values in the old file, or leave the table out with --tables.',
  })
}

/**
 * Asked again when the import is published: hours lie between, and a copy of the file keeps nobody out. Tables from
 * elsewhere are refused only where they would replace those of the migration.
 */
function refuseLate(
  migration: Migration | undefined,
  { tables }: ImportPlan,
  old: string | undefined,
): void {
  const mine = new Set(migration?.tables.map(({ table }) => table))
  const replaced = tables.some(({ table }) => mine.has(table) && !standardTable(table))
  if (old !== undefined || replaced) refuseBegun(migration, old ?? 'these tables')
}

/** An import undoes what came since dual writing began. */
export function refuseBegun(migration: Migration | undefined, what: string): void {
  if (migration === undefined || migration.phase === 'imported') return
  const { phase } = migration
  throw new LakeError(
    'INVALID_ARGUMENT',
    `the lake is in phase ${phase}: an import of ${what} would undo what came since`,
    {
      details: { phase, old: what },
      next:
        phase === 'cut-over'
          ? 'Run `marketlake migrate rollback` first.'
          : 'Run `marketlake migrate dual-write --stop` first.',
    },
  )
}

/** A migration of no tables would compare as equal and be cut over. */
function nothingToImport({ left }: ImportPlan, old: string): LakeError {
  const elsewhere = left.filter((name) => name.startsWith('table '))
  return new LakeError('TABLE_NOT_FOUND', `${old} has no tables in its schema main`, {
    details: { path: old, left },
    next:
      elsewhere.length > 0
        ? `Copy those of its other schemas into main first: ${elsewhere.slice(0, 3).join(', ')}.`
        : 'Check the path.',
  })
}

function exists({ table, old }: PlannedTable): LakeError {
  return new LakeError(
    'TABLE_EXISTS',
    `the lake already has a table ${table}, which no import made`,
    {
      details: { table, old },
      next: `Give it another name: --map ${old}=NAME.`,
    },
  )
}
