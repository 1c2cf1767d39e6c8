/** `migrate verify`: holds the old file against one lake version, table by table, and records what was found. */
import { LakeError } from '../model/errors.ts'
import { commitLake } from '../storage/lake/commit.ts'
import type {
  Migration,
  MigratedTable,
  OldFileMark,
  Verified,
} from '../storage/lake/migration-state.ts'
import { migrationOf, withMigration } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { refreshHead } from '../storage/lake/store.ts'
import { tableView } from '../storage/lake/view.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import type { TableComparison } from './compare.ts'
import { compareSides, isEqual } from './compare.ts'
import { copyOldFile } from './copy.ts'
import { markOf, sameMark, withOldFile } from './old-file.ts'
import { pendingBatches } from './outbox.ts'
import { prepareSymbols, sidesOf } from './sides.ts'

/** How both sides are compared. */
export interface VerifyOptions {
  /** Only these tables, by their old names; then nothing is recorded. */
  readonly tables?: readonly string[]
  /** Compare a copy of the old file, so that its writers wait for the copying only. */
  readonly copy?: boolean
  /** How long to wait for a writer of the old file. */
  readonly waitMs?: number
  readonly onTable?: (table: TableComparison) => void
}

/** What a comparison found. */
export interface VerifyReport {
  readonly equal: boolean
  readonly lakeVersion: number
  readonly tables: readonly TableComparison[]
  /** Batches of the old file's outbox that the lake has not yet. */
  readonly behind: number
  /** What changed while both were compared; the comparison is of the version and file as they were before. */
  readonly moved: {
    readonly lakeVersion: number
    readonly tables: readonly string[]
    readonly old: boolean
  }
  readonly recorded: boolean
}

/** Compares all tables of the migration at the newest lake version. */
export async function verifyMigration(
  store: Store,
  database: Database,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const migration = requireMigration(await refreshHead(store))
  return database.using(async (session) => {
    await prepareSymbols(session)
    const copy = options.copy
      ? await copyOldFile(store, session, migration.old, options)
      : undefined
    const attach = { waitMs: options.waitMs ?? 0 }
    try {
      const mark = copy?.mark ?? (await requireMark(store, migration))
      const { report, record } = await withOldFile(
        session,
        copy?.path ?? migration.old,
        attach,
        async () =>
          compareAll(
            store,
            session,
            copy?.record ?? (await refreshHead(store)),
            migration,
            options,
          ),
      )
      return await conclude(store, database, { migration, record, report, mark, options })
    } finally {
      await copy?.remove()
    }
  })
}

/** The state of the migration; an error that says how to begin one. */
export function requireMigration(record: LakeRecord): Migration {
  const migration = migrationOf(record)
  if (migration) return migration
  throw new LakeError('INVALID_ARGUMENT', 'no migration has begun in this lake', {
    next: 'Run `marketlake migrate import FILE`; docs/migration.md has the whole road.',
  })
}

async function requireMark(store: Store, migration: Migration): Promise<OldFileMark> {
  const mark = await markOf(store.files, migration.old)
  if (mark) return mark
  throw new LakeError('IO_ERROR', `the old file is not there: ${migration.old}`, {
    details: { path: migration.old },
    next: 'Bring it back to where the migration began, or go on without it: it is needed for verify and rollback only.',
  })
}

interface Compared {
  readonly record: LakeRecord
  readonly report: Pick<VerifyReport, 'tables' | 'behind'>
}

/** The record is of a time when nobody could write the old file: a batch is then in both, or in the outbox. */
async function compareAll(
  store: Store,
  session: Session,
  record: LakeRecord,
  migration: Migration,
  options: VerifyOptions,
): Promise<Compared> {
  const behind = (await pendingBatches(session, migrationOf(record)?.batch)).length
  const tables: TableComparison[] = []
  for (const migrated of wantedTables(migration, options.tables)) {
    const compared = await compareTable(store, session, record, migrated)
    tables.push(compared)
    options.onTable?.(compared)
  }
  return { record, report: { tables, behind } }
}

function wantedTables(
  migration: Migration,
  wanted: readonly string[] | undefined,
): readonly MigratedTable[] {
  if (!wanted) return migration.tables
  for (const name of wanted) {
    if (migration.tables.some((t) => t.old === name)) continue
    const tables = migration.tables.map((t) => t.old)
    throw new LakeError('TABLE_NOT_FOUND', `the migration has no table ${name}`, {
      details: { table: name, tables },
      next: `Its tables are: ${tables.join(', ')}.`,
    })
  }
  return migration.tables.filter((t) => wanted.includes(t.old))
}

async function compareTable(
  store: Store,
  session: Session,
  record: LakeRecord,
  migrated: MigratedTable,
): Promise<TableComparison> {
  const view = await tableView(store, record, migrated.table)
  const sides = await sidesOf(session, migrated, view)
  if (sides) return compareSides(session, migrated.old, migrated.table, sides)
  const drift = [{ column: '*', old: null, lake: migrated.table }]
  return { ...nothing, name: migrated.old, table: migrated.table, drift }
}

const nothing = {
  rowsOld: 0,
  rowsNew: 0,
  duplicates: 0,
  missing: 0,
  extra: 0,
  differing: 0,
  groups: { by: '', count: 0, differing: [] },
  columns: {},
  sums: [],
  examples: { missing: [], extra: [], cells: [] },
}

interface Conclusion extends Compared {
  readonly migration: Migration
  readonly mark: OldFileMark
  readonly options: VerifyOptions
}

async function conclude(
  store: Store,
  database: Database,
  { migration, record, report, mark, options }: Conclusion,
): Promise<VerifyReport> {
  const equal = report.tables.every(isEqual) && report.behind === 0
  const head = await refreshHead(store)
  const moved = {
    lakeVersion: head.version,
    tables: migration.tables
      .map((t) => t.table)
      .filter((t) => head.tables[t]?.version !== record.tables[t]?.version),
    old: !sameMark(await markOf(store.files, migration.old), mark),
  }
  const whole = options.tables === undefined
  if (whole)
    await recordVerify(
      store,
      database,
      verifiedOf(store, migration, { equal, record, report, mark }),
    )
  return { equal, lakeVersion: record.version, ...report, moved, recorded: whole }
}

function verifiedOf(
  store: Store,
  migration: Migration,
  found: Compared & { readonly equal: boolean; readonly mark: OldFileMark },
): Verified {
  const { equal, record, report, mark } = found
  const differing = report.tables
    .filter((table) => !isEqual(table))
    .map((t) => [t.name, t.missing + t.extra + t.differing] as const)
  return {
    lakeVersion: record.version,
    timestamp: store.effects.now(),
    equal,
    mark,
    versions: tableVersions(record, migration),
    differing: Object.fromEntries(differing),
  }
}

/** Delta versions of the tables of a migration. */
export function tableVersions(record: LakeRecord, migration: Migration): Record<string, number> {
  return Object.fromEntries(
    migration.tables.map(({ table }) => [table, record.tables[table]?.version ?? -1]),
  )
}

async function recordVerify(store: Store, database: Database, verified: Verified): Promise<void> {
  const change = (head: LakeRecord) => withMigration(head.settings, { verified })
  const note = `version ${verified.lakeVersion}: ${verified.equal ? 'equal' : 'differs'}`
  await commitLake(
    store,
    () => Promise.resolve(database),
    async (tx) => void (tx.change = { settings: change }),
    { operation: 'MIGRATE VERIFY', note },
  )
}
