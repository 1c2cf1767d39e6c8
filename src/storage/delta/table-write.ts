/** The write loop of one table: stage on the newest version, commit, and stage again what clashed. */
import type { Effects } from '../../model/effects.ts'
import { shapeOf } from '../../model/table.ts'
import type { Files } from '../files/files.ts'
import type { Session } from '../parquet/database.ts'
import type { Metadata, Protocol, Transaction } from './actions.ts'
import { commitChange } from './commit.ts'
import type { CommitOutcome, Operation } from './commit.ts'
import type { CommitMode, StagedChange } from './conflict.ts'
import { checkWritable } from './protocol.ts'
import type { Snapshot } from './replay.ts'
import { rowTest } from './row-test.ts'
import type { RowCounts, StageContext, Staged } from './stage.ts'
import { discardWritten, noRows, syncStaged } from './stage.ts'

/** How a write of one table ended, with its rows. */
export type WriteOutcome = CommitOutcome & { readonly counts: RowCounts }

/** Stages an operation on a state of the table. */
export type TableStage = (context: StageContext) => Promise<TableStaged>

/** What an operation of one table staged. */
export type TableStaged = Staged & { readonly metadata?: Metadata; readonly protocol?: Protocol }

/** A write of one table. */
export interface TableWrite {
  readonly files: Files
  readonly effects: Effects
  readonly directory: string
  readonly session: Session
  readonly mode: CommitMode
  readonly operation: Operation
  readonly stage: TableStage
  readonly predicate?: string
  readonly txn?: Pick<Transaction, 'appId' | 'version'>
  /** The newest state of the table. */
  readonly newest: () => Promise<Snapshot>
}

const ATTEMPTS_MAX = 10
const BACKOFF_MS = 20

/** Writes until it is committed, unknown, or has clashed too often. */
export async function writeTable(write: TableWrite): Promise<WriteOutcome> {
  for (let attempt = 1; ; attempt++) {
    const base = await write.newest()
    checkWritable(base.protocol, base.metadata, write.directory)
    const done = write.txn && base.txns.get(write.txn.appId)
    if (done && write.txn && done.version >= write.txn.version) return nothing(base, noRows)
    const written = new Set<string>()
    const outcome = await attemptWrite(write, base, written).catch(async (error: unknown) => {
      // What is thrown was thrown before the publication.
      await discardWritten(write.files, write.directory, written)
      throw error
    })
    if (outcome.kind !== 'conflict') return outcome
    await discardWritten(write.files, write.directory, written)
    if (attempt >= ATTEMPTS_MAX) return outcome
    await write.effects.sleep(write.effects.random() * BACKOFF_MS * 2 ** attempt)
  }
}

async function attemptWrite(
  write: TableWrite,
  base: Snapshot,
  written: Set<string>,
): Promise<WriteOutcome> {
  const { files, effects, directory, session } = write
  const context = contextOf(write, base, written)
  const staged = await write.stage(context)
  await syncStaged(files, directory, staged.adds)
  const empty = staged.adds.length + staged.removes.length === 0 && !staged.metadata
  if (empty && !write.txn) return nothing(base, staged.counts)
  const txns = write.txn ? [{ ...write.txn, lastUpdated: Math.floor(effects.now()) }] : []
  const change = changeOf(write, staged, context.shape.key)
  const rows = rowTest(session, directory)
  const outcome = await commitChange(
    { files, effects, directory, rows },
    { ...change, operation: { ...write.operation, metrics: metricsOf(staged) }, txns },
    base,
  )
  return { ...outcome, counts: staged.counts }
}

function contextOf(write: TableWrite, base: Snapshot, written: Set<string>): StageContext {
  const { files, session, effects, directory } = write
  return {
    files,
    session,
    effects,
    directory,
    table: base.metadata.name ?? directory,
    snapshot: base,
    shape: shapeOf(base.metadata.configuration),
    written,
  }
}

function changeOf(write: TableWrite, staged: TableStaged, key: readonly string[]): StagedChange {
  return {
    mode: write.mode,
    key,
    ...(write.predicate !== undefined && { predicate: write.predicate }),
    adds: staged.adds,
    removes: staged.removes,
    ...(staged.metadata && { metadata: staged.metadata }),
    ...(staged.protocol && { protocol: staged.protocol }),
  }
}

/** What happened, in the names that other engines show. */
function metricsOf({ adds, removes, counts }: Staged): Record<string, string> {
  const numbers = {
    numOutputRows: counts.inserted + counts.updated,
    numTargetRowsInserted: counts.inserted,
    numTargetRowsUpdated: counts.updated,
    numTargetRowsDeleted: counts.deleted,
    numAddedFiles: adds.length,
    numRemovedFiles: removes.length,
    numOutputBytes: adds.reduce((sum, add) => sum + add.size, 0),
  }
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]))
}

/** Nothing to write: the version that was compared with stands for the result. */
function nothing(snapshot: Snapshot, counts: RowCounts): WriteOutcome {
  return { kind: 'committed', version: snapshot.version, txnId: '', warnings: [], snapshot, counts }
}
