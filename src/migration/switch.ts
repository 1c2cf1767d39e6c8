/** The changes of a migration's state: each is one lake commit, and doing it again changes nothing. */
import { LakeError } from '../model/errors.ts'
import { commitLake } from '../storage/lake/commit.ts'
import { readRecord } from '../storage/lake/lake-log.ts'
import type { Migration } from '../storage/lake/migration-state.ts'
import { withMigration } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { settle } from '../storage/lake/settle.ts'
import type { Store } from '../storage/lake/store.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { LakeChange } from '../storage/lake/transaction.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import { bringBack } from './bring-back.ts'
import type { BroughtBack } from './bring-back.ts'
import type { CaughtUp } from './catch-up.ts'
import { catchUp } from './catch-up.ts'
import type { NotFresh } from './fresh.ts'
import { notFresh, notFreshInLake } from './fresh.ts'
import { withOldFile } from './old-file.ts'
import { ensureOutbox, pendingBatches } from './outbox.ts'
import { requireMigration, tableVersions } from './verify.ts'

/** Waiting for others to let go of the old file. */
export interface WaitOptions {
  readonly waitMs?: number
}

/**
 * Begins to write both sides, or goes on with it: brings into the lake what waits in the old file. After the cut-over
 * only a writer that could not read the lake has put anything there; then that comes in and nothing is begun.
 */
export async function startDualWrite(
  store: Store,
  database: Database,
  options: WaitOptions = {},
): Promise<CaughtUp & { readonly started: boolean }> {
  const { old } = requireMigration(await refreshHead(store))
  return database.using((session) =>
    withOldFile(session, old, { write: true, ...options }, async () => {
      const migration = requireMigration(await refreshHead(store))
      if (migration.phase === 'cut-over') {
        const late = await pendingBatches(session, migration.batch)
        if (late.length === 0) throw alreadyCut('start dual writing')
        return { ...(await catchUp(store, database, session)), started: false }
      }
      await ensureOutbox(session, store.effects.uuid(), migration.batch)
      const started = migration.phase === 'imported'
      if (started) {
        const outcome = await setPhase(store, database, 'dual-write', 'DUAL WRITE')
        const behind = (await pendingBatches(session, migration.batch)).length
        if (outcome.kind !== 'committed') return { batches: 0, behind, outcome, started: false }
      }
      return { ...(await catchUp(store, database, session)), started }
    }),
  )
}

/** Stops bringing batches into the lake; they wait in the old file until it is started again. */
export async function stopDualWrite(store: Store, database: Database): Promise<LakeOutcome> {
  const migration = requireMigration(await refreshHead(store))
  if (migration.phase === 'cut-over') throw alreadyCut('stop dual writing')
  return setPhase(store, database, 'imported', 'STOP DUAL WRITE')
}

/** A cut-over that came first stands: nothing but a roll-back brings the old file back. */
function setPhase(
  store: Store,
  database: Database,
  phase: 'imported' | 'dual-write',
  operation: string,
): Promise<LakeOutcome> {
  const what = phase === 'imported' ? 'stop dual writing' : 'start dual writing'
  return commitChange(store, database, operation, {
    settings: (head) => {
      if (requireMigration(head).phase === 'cut-over') throw alreadyCut(what)
      return { readSource: 'duckdb', ...withMigration(head.settings, { phase }) }
    },
  })
}

/** How the cut-over is done. */
export interface CutoverOptions extends WaitOptions {
  /** Without a fresh comparison. What the lake lacks is then no longer seen. */
  readonly force?: boolean
  /** A SQLite file with metadata to attach from then on. */
  readonly sqlite?: string | undefined
}

/** What a change of the read source did. */
export interface SwitchResult {
  readonly outcome: LakeOutcome
  readonly changed: boolean
  readonly tag: string | undefined
}

/**
 * Makes the lake the read source and ends the writing of the old file, in one commit. The old file is held for writing
 * meanwhile: who writes both sides holds it as well and looks at the lake first, so no batch can fall in between.
 */
export async function cutOver(
  store: Store,
  database: Database,
  options: CutoverOptions = {},
): Promise<SwitchResult> {
  const head = await settle(store, [])
  const migration = requireMigration(head)
  if (migration.phase === 'cut-over') return unchanged(head, migration.cutover?.tag)
  const { waitMs = 0 } = options
  return database.using((session) =>
    withOldFile(session, migration.old, { write: true, waitMs }, () =>
      cutOverHeld(store, database, session, options),
    ),
  )
}

async function cutOverHeld(
  store: Store,
  database: Database,
  session: Session,
  { force = false, sqlite }: CutoverOptions,
): Promise<SwitchResult> {
  const head = await refreshHead(store)
  const migration = requireMigration(head)
  if (migration.phase === 'cut-over') return unchanged(head, migration.cutover?.tag)
  const behind = (await pendingBatches(session, migration.batch)).length
  if (behind > 0) throw isBehind(behind)
  if (!force) refuse(await notFresh(store.files, head, migration))
  const change = cutoverChange(head, store.effects.now(), { force, sqlite })
  const outcome = await commitChange(store, database, 'CUTOVER', change)
  return { outcome, changed: outcome.kind === 'committed', tag: Object.keys(change.tags!)[0] }
}

/** The cut-over as one change of the lake: the read source, the end of old writes, and a tag on what was before. */
export function cutoverChange(
  head: LakeRecord,
  timestamp: number,
  options: Pick<CutoverOptions, 'force' | 'sqlite'> = {},
): LakeChange {
  const { force = false, sqlite } = options
  const { version, txnId } = head
  const tag = `before-cutover-${version}`
  const cutover = { timestamp, version, tag, ...(force && { forced: true }) }
  return {
    tags: { [tag]: { version, txnId } },
    settings: (now) => {
      if (!force) refuse(notFreshInLake(now, requireMigration(now)))
      const phase = 'cut-over' as const
      const change = { phase, cutover, ...(sqlite !== undefined && { sqlite }) }
      return { readSource: 'lake', ...withMigration(now.settings, change) }
    },
  }
}

/** How the old source comes back. */
export interface RollbackOptions extends WaitOptions {
  /** Do not write into the old file what only the lake got since the cut-over. */
  readonly leave?: boolean
}

/** What a rollback did. */
export interface RollbackResult extends SwitchResult {
  readonly broughtBack: readonly BroughtBack[]
  /** Tables that the lake got rows for since, which were left out of the old file. */
  readonly left: readonly string[]
}

/** Makes the old file the read source again, with what the lake got since the cut-over. */
export async function rollBack(
  store: Store,
  database: Database,
  options: RollbackOptions = {},
): Promise<RollbackResult> {
  const head = await settle(store, [])
  const migration = requireMigration(head)
  if (migration.phase !== 'cut-over')
    return { ...unchanged(head, migration.rollback?.tag), broughtBack: [], left: [] }
  const { waitMs = 0 } = options
  return database.using((session) =>
    withOldFile(session, migration.old, { write: true, waitMs }, () =>
      rollBackHeld(store, database, session, options),
    ),
  )
}

async function rollBackHeld(
  store: Store,
  database: Database,
  session: Session,
  { leave = false }: RollbackOptions,
): Promise<RollbackResult> {
  const head = await refreshHead(store)
  const migration = requireMigration(head)
  const moved = await movedSince(store, head, migration)
  const broughtBack = leave ? [] : await bringBack(store, session, head, migration, moved)
  const tag = `before-rollback-${head.version}`
  const rollback = { timestamp: store.effects.now(), version: head.version, tag }
  const versions = tableVersions(head, migration)
  const outcome = await commitChange(store, database, 'ROLLBACK', {
    tags: { [tag]: { version: head.version, txnId: head.txnId } },
    settings: (now) => {
      if (!leave) refuseMoved(tableVersions(now, requireMigration(now)), versions)
      const change = { phase: 'dual-write' as const, rollback }
      return { readSource: 'duckdb', ...withMigration(now.settings, change) }
    },
  })
  const left = leave ? moved : []
  return { outcome, changed: outcome.kind === 'committed', tag, broughtBack, left }
}

/** Tables written since the cut-over: all of them, where its version is no longer known. */
async function movedSince(store: Store, head: LakeRecord, migration: Migration): Promise<string[]> {
  const then = migration.cutover && (await readRecord(store, migration.cutover.version))
  const now = tableVersions(head, migration)
  const before = then && !then.stub ? tableVersions(then, migration) : {}
  return Object.keys(now).filter((table) => now[table] !== before[table])
}

function refuseMoved(
  now: Readonly<Record<string, string>>,
  then: Readonly<Record<string, string>>,
): void {
  const moved = Object.keys(now).filter((table) => now[table] !== then[table])
  if (moved.length === 0) return
  throw new LakeError('WRITE_CONFLICT', `the lake was written meanwhile: ${moved.join(', ')}`, {
    details: { tables: moved },
    next: 'Run the command again; what it brought back so far is kept.',
  })
}

function unchanged(head: LakeRecord, tag: string | undefined): SwitchResult {
  const { version, txnId } = head
  const outcome = { kind: 'committed', version, txnId, changed: false, counts: {}, warnings: [] }
  return { outcome: outcome as LakeOutcome, changed: false, tag }
}

function commitChange(
  store: Store,
  database: Database,
  operation: string,
  change: LakeChange,
): Promise<LakeOutcome> {
  return commitLake(
    store,
    () => Promise.resolve(database),
    async (tx) => void (tx.change = change),
    { operation },
  )
}

function refuse(fault: NotFresh | undefined): void {
  if (!fault) return
  const code = fault.kind === 'differs' ? 'CHECK_FAILED' : 'STALE'
  throw new LakeError(code, fault.reason, {
    details: { kind: fault.kind },
    next:
      fault.kind === 'differs'
        ? 'See the differences with `marketlake migrate verify`, mend them and compare again.'
        : 'Run `marketlake migrate verify`, then this command again.',
  })
}

function isBehind(batches: number): LakeError {
  return new LakeError('STALE', `the lake lacks ${batches} batches that the old file has`, {
    details: { batches },
    next: 'Run `marketlake migrate dual-write`, then `migrate verify`, then this command again.',
  })
}

function alreadyCut(what: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `after the cut-over there is nothing to ${what} with`, {
    next: 'Run `marketlake migrate rollback` first.',
  })
}

/** Where old code reads: as the lake says, unless this machine's lake.toml says otherwise. */
export function readSourceOf(
  record: LakeRecord,
  override: string,
): { readonly source: 'lake' | 'duckdb'; readonly overridden: boolean } {
  const { readSource } = record.settings
  if (override !== 'lake' && override !== 'duckdb') return { source: readSource, overridden: false }
  return { source: override, overridden: override !== readSource }
}
