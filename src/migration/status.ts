/** `migrate status`: where a migration stands, what differs, and what is next. */
import { LakeError } from '../model/errors.ts'
import type { Migration } from '../storage/lake/migration-state.ts'
import { migrationOf } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Database } from '../storage/parquet/database.ts'
import { notFresh } from './fresh.ts'
import { markOf, withOldFile } from './old-file.ts'
import { pendingBatches } from './outbox.ts'
import { readSourceOf } from './switch.ts'

/** Where a migration stands. */
export interface MigrationStatus {
  readonly phase: 'none' | Migration['phase']
  readonly lakeVersion: number
  /** What the lake says; the truth for everybody. */
  readonly readSource: 'lake' | 'duckdb'
  /** What is read on this machine, and whether its lake.toml says otherwise than the lake. */
  readonly here: { readonly readSource: 'lake' | 'duckdb'; readonly overridden: boolean }
  readonly old: {
    readonly path: string
    readonly exists: boolean
    /** The process that holds the file; then its outbox cannot be looked at. */
    readonly heldBy: string | null
  } | null
  readonly tables: readonly { readonly old: string; readonly table: string }[]
  /** Batches that the old file has and the lake has not; null where that cannot be seen. */
  readonly behind: number | null
  readonly verified: {
    readonly lakeVersion: number
    readonly timestamp: number
    readonly equal: boolean
    readonly fresh: boolean
    /** Rows that differed, by old table. */
    readonly differing: Readonly<Record<string, number>>
  } | null
  readonly cutover: Migration['cutover'] | null
  readonly rollback: Migration['rollback'] | null
  /** Why a cut-over would be refused now. */
  readonly blocked: string | null
  readonly next: string
}

/** Looks at the lake and, where it can be opened, at the old file. Nothing is changed. */
export async function migrationStatus(
  store: Store,
  database: () => Promise<Database>,
  override: string,
): Promise<MigrationStatus> {
  const head = await refreshHead(store)
  const { source, overridden } = readSourceOf(head, override)
  const common = {
    lakeVersion: head.version,
    readSource: head.settings.readSource,
    here: { readSource: source, overridden },
  }
  const migration = migrationOf(head)
  if (!migration) return { ...nothing, ...common }
  return { ...common, ...(await stateOf(store, database, head, migration)) }
}

const nothing = {
  phase: 'none' as const,
  old: null,
  tables: [],
  behind: null,
  verified: null,
  cutover: null,
  rollback: null,
  blocked: null,
  next: 'Run `marketlake migrate import FILE`; docs/migration.md has the whole road.',
}

async function stateOf(
  store: Store,
  database: () => Promise<Database>,
  head: LakeRecord,
  migration: Migration,
): Promise<Omit<MigrationStatus, 'lakeVersion' | 'readSource' | 'here'>> {
  const exists = (await markOf(store.files, migration.old)) !== undefined
  const { behind, heldBy } = exists ? await lookAt(database, migration) : unseen
  const fault = await notFresh(store.files, head, migration)
  const { verified, cutover = null, rollback = null, phase, old: path } = migration
  const blocked = phase === 'cut-over' ? null : blockedBy(behind, fault?.reason)
  return {
    phase,
    old: { path, exists, heldBy },
    tables: migration.tables.map(({ old, table }) => ({ old, table })),
    behind,
    verified: verified
      ? {
          lakeVersion: verified.lakeVersion,
          timestamp: verified.timestamp,
          equal: verified.equal,
          fresh: fault?.kind !== 'stale',
          differing: verified.differing,
        }
      : null,
    cutover,
    rollback,
    blocked,
    next: nextStep(migration, behind, fault?.kind),
  }
}

const unseen = { behind: null, heldBy: null }

async function lookAt(
  database: () => Promise<Database>,
  migration: Migration,
): Promise<{ behind: number | null; heldBy: string | null }> {
  const engine = await database()
  return engine.using(async (session) => {
    try {
      const pending = await withOldFile(session, migration.old, {}, () =>
        pendingBatches(session, migration.batch),
      )
      return { behind: pending.length, heldBy: null }
    } catch (error) {
      if (!(error instanceof LakeError)) throw error
      if (error.code !== 'LAKE_HELD') return unseen
      const { pid } = error.details
      return { behind: null, heldBy: typeof pid === 'number' ? `process ${pid}` : 'a process' }
    }
  })
}

function blockedBy(behind: number | null, reason: string | undefined): string | null {
  if (behind !== null && behind > 0) return `the lake lacks ${behind} batches`
  return reason ?? null
}

function nextStep(
  { phase }: Migration,
  behind: number | null,
  fault: 'none' | 'differs' | 'stale' | undefined,
): string {
  if (phase === 'cut-over' && (behind ?? 0) > 0)
    return 'A writer that could not read the lake wrote to the old file after the cut-over: `marketlake migrate dual-write` brings that into the lake.'
  if (phase === 'cut-over') return 'Done. `marketlake migrate rollback` goes back.'
  if (behind !== null && behind > 0)
    return 'Run `marketlake migrate dual-write`: it brings the waiting batches into the lake.'
  if (fault === 'differs') return 'See `marketlake migrate verify` and mend what differs.'
  if (fault !== undefined) return 'Run `marketlake migrate verify`.'
  return 'Run `marketlake migrate cutover`.'
}
