/** Conflict rules: whether a staged commit may still be published now that others were first. */
import { onlyAddsNullable, parseSchema, sameType } from '../../model/schema.ts'
import type { AddFile, Metadata, Protocol, RemoveFile } from './actions.ts'
import { COLUMN_TYPES } from './metadata.ts'
import type { Snapshot } from './replay.ts'
import { fileKey } from './replay.ts'

/** What a commit means; it decides what may have happened beside it. */
export type CommitMode =
  | 'append'
  | 'create'
  | 'delete'
  | 'metadata'
  | 'optimize'
  | 'replace'
  | 'replaceWhere'
  | 'restore'
  | 'upsert'

/** Actions of one table, staged on a base and not yet published. */
export interface StagedChange {
  readonly mode: CommitMode
  /** Columns that identify a row; empty for a table without key. */
  readonly key: readonly string[]
  /** For `delete` and `replaceWhere`: which rows are meant, as a SQL condition over the columns. */
  readonly predicate?: string
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
  readonly metadata?: Metadata
  readonly protocol?: Protocol
}

/** Questions about rows, which only an engine can answer. Bounds of files may be used to skip them. */
export interface RowTest {
  /** True if some key stands in a file of `ours` and in a file of `theirs`. */
  keysOverlap(
    snapshot: Snapshot,
    ours: readonly AddFile[],
    theirs: readonly AddFile[],
    key: readonly string[],
  ): Promise<boolean>
  /** True if some row of the files satisfies a SQL condition. */
  matches(snapshot: Snapshot, files: readonly AddFile[], predicate: string): Promise<boolean>
}

/**
 * Why a change staged on `base` cannot be published on `now`; undefined if it can. Every file it removes must
 * still be live; what became live since must, by mode, be nothing, hold none of its keys, or no matching row.
 * Files that were live at `tested` have passed before.
 */
export async function clash(
  change: StagedChange,
  base: Snapshot,
  now: Snapshot,
  rows: RowTest,
  tested: Snapshot = base,
): Promise<string | undefined> {
  const gone = change.removes.find((remove) => !now.files.has(fileKey(remove)))
  if (gone) return `another commit rewrote ${gone.path}`
  const terms = protocolClash(change, base, now) ?? metadataClash(change, base, now)
  if (terms !== undefined) return terms
  const fresh = freshFiles(tested, now)
  return fresh.length === 0 ? undefined : freshClash(change, fresh, now, rows)
}

/** Files that became live since the base. */
export function freshFiles(base: Snapshot, now: Snapshot): AddFile[] {
  return [...now.files].filter(([key]) => !base.files.has(key)).map(([, file]) => file)
}

async function freshClash(
  change: StagedChange,
  fresh: readonly AddFile[],
  now: Snapshot,
  rows: RowTest,
): Promise<string | undefined> {
  switch (change.mode) {
    case 'replace':
    case 'restore':
    case 'create':
      return 'another commit added rows'
    case 'delete':
    case 'replaceWhere': {
      const hit = await rows.matches(now, fresh, change.predicate ?? 'true')
      return hit ? 'another commit added rows that the condition selects' : undefined
    }
    case 'upsert':
    case 'append': {
      if (change.key.length === 0) return undefined
      const hit = await rows.keysOverlap(now, change.adds, fresh, change.key)
      return hit ? 'another commit wrote one of the same keys' : undefined
    }
    case 'optimize':
    case 'metadata':
      return undefined
  }
}

/** A protocol is replaced whole, so two that differ cannot both count. */
function protocolClash(change: StagedChange, base: Snapshot, now: Snapshot): string | undefined {
  if (!change.protocol || now.protocol === base.protocol) return undefined
  const same = [base.protocol, change.protocol].some((p) => sameProtocol(p, now.protocol))
  return same ? undefined : 'another commit changed the protocol'
}

function sameProtocol(a: Protocol, b: Protocol): boolean {
  const text = (p: Protocol): string =>
    JSON.stringify([
      p.minReaderVersion,
      p.minWriterVersion,
      p.readerFeatures?.toSorted(),
      p.writerFeatures?.toSorted(),
    ])
  return text(a) === text(b)
}

/** Two changes of metadata that only add nullable columns are merged by the caller; all others clash. */
function metadataClash(change: StagedChange, base: Snapshot, now: Snapshot): string | undefined {
  const theirs = now.metadata !== base.metadata && !sameMetadata(now.metadata, base.metadata)
  if (!theirs) return undefined
  if (!change.metadata)
    return fitsWidened(base, now) ? undefined : 'another commit changed the schema'
  const ours = parseSchema(change.metadata.schemaString)
  const additive =
    onlyAddsNullable(base.schema, now.schema) &&
    onlyAddsNullable(base.schema, ours) &&
    sameRest(base.metadata, now.metadata) &&
    sameRest(base.metadata, change.metadata)
  const types = now.schema.fields.every((f) => {
    const own = ours.fields.find((o) => o.name.toLowerCase() === f.name.toLowerCase())
    return !own || (own.name === f.name && sameType(own.type, f.type))
  })
  return additive && types ? undefined : 'another commit changed the metadata'
}

function fitsWidened(base: Snapshot, now: Snapshot): boolean {
  return (
    onlyAddsNullable(base.schema, now.schema) &&
    String(base.metadata.partitionColumns) === String(now.metadata.partitionColumns) &&
    shapeText(base.metadata) === shapeText(now.metadata)
  )
}

/** Key, clustering and layout of a table: what was staged under others is not to be trusted. */
function shapeText(metadata: Metadata): string {
  const own = Object.entries(metadata.configuration).filter(
    ([key]) => key.startsWith('marketlake.') && key !== COLUMN_TYPES,
  )
  return JSON.stringify(own.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** True if two metadata say the same, whatever the order of their keys. */
export function sameMetadata(a: Metadata, b: Metadata): boolean {
  return a.schemaString === b.schemaString && sameRest(a, b)
}

function sameRest(a: Metadata, b: Metadata): boolean {
  const rest = (m: Metadata): string =>
    JSON.stringify([
      m.id,
      m.partitionColumns,
      Object.entries(m.configuration)
        .filter(([key]) => key !== COLUMN_TYPES)
        .toSorted(([x], [y]) => (x < y ? -1 : 1)),
    ])
  return rest(a) === rest(b)
}
