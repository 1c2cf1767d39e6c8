/** The actions of a Delta commit: their types, their text, and what a commit may not hold. */
import { LakeError } from '../../model/errors.ts'

/** What a table demands of its readers and writers. */
export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures?: readonly string[]
  readonly writerFeatures?: readonly string[]
}

/** The metadata of a table. Unknown keys are kept. */
export interface Metadata {
  readonly id: string
  readonly name?: string
  readonly description?: string
  readonly format: {
    readonly provider: string
    readonly options?: Readonly<Record<string, string>>
  }
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration: Readonly<Record<string, string>>
  readonly createdTime?: number
}

/** Where the deleted rows of a file are listed. */
export interface DeletionVector {
  readonly storageType: 'u' | 'i' | 'p'
  readonly pathOrInlineDv: string
  readonly offset?: number
  readonly sizeInBytes: number
  readonly cardinality: number
}

/** Partition values by column; null for NULL. */
export type PartitionValues = Readonly<Record<string, string | null>>

/** A data file that is part of the table. */
export interface AddFile {
  /** URI-encoded, as it stands in the log. */
  readonly path: string
  readonly partitionValues: PartitionValues
  readonly size: number
  readonly modificationTime: number
  readonly dataChange: boolean
  readonly stats?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly deletionVector?: DeletionVector
}

/** A data file that no longer is part of the table. */
export interface RemoveFile {
  readonly path: string
  readonly dataChange: boolean
  readonly deletionTimestamp?: number
  readonly extendedFileMetadata?: boolean
  readonly partitionValues?: PartitionValues
  readonly size?: number
  readonly deletionVector?: DeletionVector
}

/** The newest batch of an application. */
export interface Transaction {
  readonly appId: string
  readonly version: number
  readonly lastUpdated?: number
}

/** Settings of a named domain. */
export interface DomainMetadata {
  readonly domain: string
  readonly configuration: string
  readonly removed: boolean
}

/** Who did what; free form. */
export type CommitInfo = Readonly<Record<string, unknown>>

/** One line of a commit: an object with one key, the name of the action. */
export type Action = Readonly<Record<string, unknown>>

/** The content of a commit, by kind. */
export interface Commit {
  readonly commitInfo?: CommitInfo
  readonly protocol?: Protocol
  readonly metadata?: Metadata
  readonly txns: readonly Transaction[]
  readonly domains: readonly DomainMetadata[]
  readonly removes: readonly RemoveFile[]
  readonly adds: readonly AddFile[]
}

/** The lines of a commit; `commitInfo` first. */
export function actionsOf(commit: Commit): Action[] {
  return [
    ...(commit.commitInfo ? [{ commitInfo: commit.commitInfo }] : []),
    ...(commit.protocol ? [{ protocol: commit.protocol }] : []),
    ...(commit.metadata ? [{ metaData: commit.metadata }] : []),
    ...commit.txns.map((txn) => ({ txn })),
    ...commit.domains.map((domainMetadata) => ({ domainMetadata })),
    ...commit.removes.map((remove) => ({ remove })),
    ...commit.adds.map((add) => ({ add })),
  ]
}

/** The text of a commit file. Throws if the commit is not legal. */
export function commitText(commit: Commit): string {
  checkCommit(commit, 'the commit about to be written')
  return actionsOf(commit)
    .map((action) => `${JSON.stringify(action)}\n`)
    .join('')
}

/** Throws if a commit holds what the protocol forbids (PROTOCOL.md, "Delta Log Entries"). */
export function checkCommit(commit: Commit, where: string): void {
  checkDistinct(
    commit.adds.map((f) => f.path),
    where,
    'two add actions of one path',
  )
  checkDistinct(commit.removes.map(fileKeyRaw), where, 'two remove actions of one file')
  checkDistinct(
    commit.txns.map((txn) => txn.appId),
    where,
    'two txn actions of one application',
  )
  if (commit.removes.length === 0) return
  const removed = new Set(commit.removes.map(fileKeyRaw))
  const both = commit.adds.find((add) => removed.has(fileKeyRaw(add)))
  if (both) throw corrupt(where, `add and remove of one file: ${both.path}`)
}

function checkDistinct(keys: readonly string[], where: string, what: string): void {
  if (new Set(keys).size === keys.length) return
  const seen = new Set<string>()
  for (const key of keys) {
    if (seen.has(key)) throw corrupt(where, `${what}: ${key}`)
    seen.add(key)
  }
}

function fileKeyRaw(file: {
  readonly path: string
  readonly deletionVector?: DeletionVector
}): string {
  return `${file.path}|${deletionVectorId(file.deletionVector) ?? ''}`
}

/** The identity of a deletion vector: one path with two of them is two logical files. */
export function deletionVectorId(dv: DeletionVector | undefined): string | undefined {
  if (!dv) return undefined
  const offset = dv.offset === undefined ? '' : `@${dv.offset}`
  return `${dv.storageType}${dv.pathOrInlineDv}${offset}`
}

/** An error for a log that cannot be read. */
export function corrupt(where: string, reason: string, cause?: unknown): LakeError {
  return new LakeError('CORRUPT_LOG', `${where}: ${reason}`, {
    details: { path: where },
    next: 'Run `marketlake doctor` on the lake, or restore the file from a backup.',
    ...(cause !== undefined && { cause }),
  })
}
