/** One table inside a transaction: its base, the operations on it, and the actions they staged. */
import type { TableDefinition, TableShape } from '../../model/table.ts'
import type { AddFile, Metadata, Protocol, RemoveFile } from '../delta/actions.ts'
import type { CommitMode, StagedChange } from '../delta/conflict.ts'
import { withMetadata } from '../delta/replay.ts'
import type { Snapshot } from '../delta/replay.ts'
import type { RowCounts, StageContext, Staged } from '../delta/stage.ts'
import { addCounts, discardWritten, noRows } from '../delta/stage.ts'
import { combine, withReplaced } from '../delta/upsert.ts'
import { hasSingleSource } from './one-source.ts'
import type { Store } from './store.ts'

/** An operation that can be staged again on another base. */
export interface TableOperation {
  readonly mode: CommitMode
  readonly predicate?: string
  readonly stage: (context: StageContext) => Promise<Staged & Partial<MetadataChange>>
}

/** New metadata, and the protocol it needs if another. */
export interface MetadataChange {
  readonly metadata: Metadata
  readonly protocol?: Protocol
}

/** The state of a table in a transaction. */
export interface TableWork {
  readonly name: string
  readonly path: string
  readonly directory: string
  readonly shape: TableShape
  /** The state the transaction started from; version -1 for a new table. */
  readonly base: Snapshot
  /** Set for a table that this transaction creates. */
  readonly definition?: TableDefinition
  /** Set for a table that was dropped and comes back. */
  readonly revived?: boolean
  readonly operations: readonly TableOperation[]
  readonly mode: CommitMode | undefined
  readonly predicate: string | undefined
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
  readonly metadata: Metadata | undefined
  readonly protocol: Protocol | undefined
  readonly counts: RowCounts
  /** The state after what was staged. */
  readonly current: Snapshot
  /** Paths of files that this transaction wrote and no log names yet. */
  readonly written: Set<string>
}

/** A table as a transaction first touches it. */
export function newWork(
  facts: Pick<TableWork, 'name' | 'path' | 'directory' | 'shape' | 'base'> &
    Partial<Pick<TableWork, 'definition' | 'metadata' | 'protocol'>>,
): TableWork {
  return {
    ...facts,
    operations: [],
    mode: facts.definition ? 'create' : undefined,
    predicate: undefined,
    adds: [],
    removes: [],
    metadata: facts.metadata,
    protocol: facts.protocol,
    counts: noRows,
    current: facts.base,
    written: new Set(),
  }
}

/** Stages one more operation on a table. */
export async function stageOperation(
  store: Store,
  context: Omit<StageContext, 'snapshot' | 'shape' | 'directory' | 'table'>,
  work: TableWork,
  operation: TableOperation,
): Promise<TableWork> {
  const { name: table, directory, shape, current: snapshot, written } = work
  const stage = { ...context, table, directory, shape, snapshot, written }
  const staged = await operation.stage(stage)
  const changed = staged.adds.length + staged.removes.length > 0 || staged.metadata !== undefined
  const actions = combine(work, staged)
  await discardSuperseded(store, work, actions.adds)
  const after = withReplaced(stage, staged).snapshot
  const merged = changed
    ? mergeMode(work, operation)
    : { mode: work.mode, predicate: work.predicate }
  return {
    ...work,
    ...merged,
    ...actions,
    operations: [...work.operations, operation],
    metadata: staged.metadata ?? work.metadata,
    protocol: staged.protocol ?? work.protocol,
    counts: addCounts(work.counts, staged.counts),
    current: staged.metadata ? withMetadata(after, staged.metadata) : after,
  }
}

/** Files of an earlier operation that a later one of the same transaction rewrote were never part of the table. */
async function discardSuperseded(
  store: Store,
  work: TableWork,
  kept: readonly AddFile[],
): Promise<void> {
  const gone = work.adds.filter((add) => !kept.includes(add) && work.written.has(add.path))
  await discardWritten(
    store.files,
    work.directory,
    gone.map((add) => add.path),
  )
  for (const add of gone) work.written.delete(add.path)
}

/** Two different operations on one table ask for the strictest rule: nothing may have been added beside them. */
function mergeMode(
  work: TableWork,
  operation: TableOperation,
): { mode: CommitMode; predicate: string | undefined } {
  const { mode, predicate } = operation
  if (work.mode === 'create') return { mode: 'create', predicate: undefined }
  if (work.mode === undefined || work.mode === 'metadata') return { mode, predicate }
  if (mode === 'metadata') return { mode: work.mode, predicate: work.predicate }
  if (work.mode === mode && predicate !== undefined && work.predicate !== undefined) {
    return { mode, predicate: `(${work.predicate}) OR (${predicate})` }
  }
  if (work.mode === mode) return { mode, predicate: undefined }
  const byKey = new Set<CommitMode>(['upsert', 'append'])
  const both = byKey.has(work.mode) && byKey.has(mode)
  return { mode: both ? 'upsert' : 'replace', predicate: undefined }
}

/** True if the transaction has something to publish for this table. */
export function hasActions(work: TableWork): boolean {
  const staged = work.adds.length + work.removes.length > 0
  return staged || work.metadata !== undefined || work.definition !== undefined
}

/** True if the transaction changes what the lake says of this table, be it only that it is there again. */
export function changesTable(work: TableWork): boolean {
  return work.revived === true || hasActions(work)
}

/** What the conflict rules look at. */
export function changeOf(work: TableWork): StagedChange {
  return {
    mode: work.mode ?? 'metadata',
    // Where a symbol may have one source only, two writers of one symbol are never independent.
    key: hasSingleSource(work.name, work.current.schema) ? ['symbol'] : work.shape.key,
    ...(work.predicate !== undefined && { predicate: work.predicate }),
    adds: work.adds,
    removes: work.removes,
    ...(work.metadata && { metadata: work.metadata }),
    ...(work.protocol && { protocol: work.protocol }),
  }
}
