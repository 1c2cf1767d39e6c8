/** Publishes a commit of one table by put-if-absent, again and again until it wins, clashes or fails. */
import { join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { Files } from '../files/files.ts'
import { publish } from '../files/publish.ts'
import { VERSION } from '../../model/version.ts'
import type { Commit, Transaction } from './actions.ts'
import { commitText } from './actions.ts'
import type { RowTest, StagedChange } from './conflict.ts'
import { clash } from './conflict.ts'
import { updateSnapshot } from './load.ts'
import { mergedMetadata } from './metadata.ts'
import { LOG_DIRECTORY, commitName } from './names.ts'
import { checkWritable } from './protocol.ts'
import type { Snapshot } from './replay.ts'
import { advance } from './replay.ts'

/** What became of a commit. */
export type CommitOutcome =
  | {
      readonly kind: 'committed'
      readonly version: number
      readonly txnId: string
      readonly warnings: readonly string[]
      readonly snapshot: Snapshot
    }
  | { readonly kind: 'conflict'; readonly reason: string; readonly snapshot: Snapshot }
  | {
      readonly kind: 'unknown'
      readonly version: number
      readonly txnId: string
      readonly reason: string
    }

/** Where and how a commit is published. */
export interface CommitContext {
  readonly files: Files
  readonly effects: Effects
  /** The table root. */
  readonly directory: string
  readonly rows: RowTest
}

/** How a commit describes itself, in Spark's words. */
export interface Operation {
  /** For example `WRITE`, `MERGE`, `DELETE`, `OPTIMIZE`, `RESTORE`. */
  readonly name: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly metrics?: Readonly<Record<string, string>>
}

/** A change with its description. */
export interface StagedCommit extends StagedChange {
  readonly operation: Operation
  readonly txns?: readonly Transaction[]
}

const ATTEMPTS_MAX = 15

/** The `commitInfo` of a commit of ours. */
export function commitInfoOf(
  change: StagedCommit,
  facts: { readonly timestamp: number; readonly txnId: string; readonly readVersion?: number },
): Record<string, unknown> {
  const { operation } = change
  return {
    timestamp: facts.timestamp,
    operation: operation.name,
    operationParameters: operation.parameters ?? {},
    ...(operation.metrics && { operationMetrics: operation.metrics }),
    ...(facts.readVersion !== undefined &&
      facts.readVersion >= 0 && { readVersion: facts.readVersion }),
    isolationLevel: 'Serializable',
    isBlindAppend: change.mode === 'append' && change.key.length === 0 && !change.metadata,
    engineInfo: `marketlake/${VERSION}`,
    txnId: facts.txnId,
  }
}

/**
 * Commits a change that was staged on `base`. Data files it names must be complete, synced, and their
 * directory synced. Errors before the publication are thrown and mean that nothing happened.
 */
export async function commitChange(
  context: CommitContext,
  change: StagedCommit,
  base: Snapshot,
): Promise<CommitOutcome> {
  const txnId = context.effects.uuid()
  const log = join(context.directory, LOG_DIRECTORY)
  let now = base
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    now = await updateSnapshot(context.files, context.directory, now)
    checkWritable(now.protocol, now.metadata, context.directory)
    const created = change.mode === 'create' && now.version >= 0
    const reason = created
      ? 'the table exists already'
      : now === base
        ? undefined
        : await clash(change, base, now, context.rows)
    if (reason !== undefined) return { kind: 'conflict', reason, snapshot: now }
    const commit = buildCommit(context, change, base, now, txnId)
    // What we have seen must not be lost alone: that would leave a hole below our version.
    await context.files.sync(log)
    const version = now.version + 1
    // Before the publication, because after it nothing may throw.
    const snapshot = advance(now, version, commit, context.directory)
    checkWritable(snapshot.protocol, snapshot.metadata, context.directory)
    const outcome = await publish(
      context.files,
      log,
      commitName(version),
      commitText(commit),
      context.effects,
    )
    if (outcome === 'published') return settle(context, log, snapshot, txnId)
  }
  return {
    kind: 'conflict',
    reason: `lost the race for a version ${ATTEMPTS_MAX} times`,
    snapshot: now,
  }
}

/** The commit is visible; it is durable, and so acknowledged, when the sync of the directory succeeds. */
async function settle(
  context: CommitContext,
  log: string,
  snapshot: Snapshot,
  txnId: string,
): Promise<CommitOutcome> {
  const { version } = snapshot
  try {
    await context.files.sync(log)
  } catch (error) {
    return { kind: 'unknown', version, txnId, reason: String(error) }
  }
  return { kind: 'committed', version, txnId, warnings: [], snapshot }
}

function buildCommit(
  context: CommitContext,
  change: StagedCommit,
  base: Snapshot,
  now: Snapshot,
  txnId: string,
): Commit {
  checkAppendOnly(change, now, context.directory)
  const timestamp = Math.floor(context.effects.now())
  const metadata = change.metadata && mergedMetadata(change.metadata, base, now)
  return {
    commitInfo: commitInfoOf(change, { timestamp, txnId, readVersion: now.version }),
    ...(change.protocol && { protocol: change.protocol }),
    ...(metadata && { metadata }),
    txns: change.txns ?? [],
    domains: [],
    removes: change.removes,
    adds: change.adds,
  }
}

/** `delta.appendOnly` forbids taking rows away; rearranging them stays legal. */
export function checkAppendOnly(change: StagedChange, snapshot: Snapshot, where: string): void {
  const appendOnly = snapshot.metadata.configuration['delta.appendOnly'] === 'true'
  if (!appendOnly || !change.removes.some((remove) => remove.dataChange)) return
  throw new LakeError(
    'UNSUPPORTED_FEATURE',
    `${where} is append-only: rows cannot be changed or deleted`,
    {
      details: { table: where, feature: 'appendOnly' },
      next: 'Append only, or set the table property delta.appendOnly to false.',
    },
  )
}
