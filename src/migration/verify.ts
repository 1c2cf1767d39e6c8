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
  const { old } = requireMigration(await refreshHead(store))
  return database.using(async (session) => {
    await prepareSymbols(session)
    await requireMark(store, old)
    const copy = options.copy ? await copyOldFile(store, session, old, options) : undefined
    const attach = { waitMs: options.waitMs ?? 0 }
    try {
      // What this waited for may have changed both sides, so nothing is looked at before the file is held.
      const held = await withOldFile(session, copy?.path ?? old, attach, async () => {
        const { mark, record } = copy ?? {
          mark: await requireMark(store, old),
          record: await refreshHead(store),
        }
        const migration = sameFile(requireMigration(record), old)
        return {
          migration,
          mark,
          ...(await compareAll(store, session, record, migration, options)),
        }
      })
      return await conclude(store, database, { ...held, options })
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

/** The migration, if it is still that of this old file. */
function sameFile(migration: Migration, old: string): Migration {
  if (migration.old === old) return migration
  throw new LakeError('WRITE_CONFLICT', `another old file was imported meanwhile`, {
    details: { old, now: migration.old },
    next: 'Run the command again.',
  })
}

async function requireMark(store: Store, old: string): Promise<OldFileMark> {
  const mark = await markOf(store.files, old)
  if (mark) return mark
  throw new LakeError('IO_ERROR', `the old file is not there: ${old}`, {
    details: { path: old },
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
  const [now, then] = [tableVersions(head, migration), tableVersions(record, migration)]
  const moved = {
    lakeVersion: head.version,
    tables: Object.keys(now).filter((table) => now[table] !== then[table]),
    old: !sameMark(await markOf(store.files, migration.old), mark),
  }
  const verified = verifiedOf(store, migration, { equal, record, report, mark })
  const recorded = options.tables === undefined && (await recordVerify(store, database, verified))
  return { equal, lakeVersion: record.version, ...report, moved, recorded }
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

/** Path and Delta version of each table of a migration. */
export function tableVersions(record: LakeRecord, migration: Migration): Record<string, string> {
  return Object.fromEntries(
    migration.tables.map(({ table }) => {
      const entry = record.tables[table]
      return [table, entry ? `${entry.path}@${entry.version}` : '']
    }),
  )
}

async function recordVerify(
  store: Store,
  database: Database,
  verified: Verified,
): Promise<boolean> {
  const change = (head: LakeRecord) => withMigration(head.settings, { verified })
  const note = `version ${verified.lakeVersion}: ${verified.equal ? 'equal' : 'differs'}`
  const { kind } = await commitLake(
    store,
    () => Promise.resolve(database),
    async (tx) => void (tx.change = { settings: change }),
    { operation: 'MIGRATE VERIFY', note },
  )
  return kind === 'committed'
}
