/** Replay: folds checkpoints and commits, in order, to the state of a table. Pure. */
import { LakeError } from '../../model/errors.ts'
import { parseSchema } from '../../model/schema.ts'
import type { Schema } from '../../model/schema.ts'
import type {
  AddFile,
  Commit,
  DomainMetadata,
  Metadata,
  Protocol,
  RemoveFile,
  Transaction,
} from './actions.ts'
import { corrupt, deletionVectorId } from './actions.ts'
import { LayeredFiles, copyOfFiles } from './layered-files.ts'
import type { LazyFiles } from './lazy-files.ts'
import { canonicalPath } from './paths.ts'
import { checkReadable } from './protocol.ts'

/** What is true of a table at one version. Immutable. */
export interface Snapshot {
  readonly version: number
  readonly protocol: Protocol
  readonly metadata: Metadata
  readonly schema: Schema
  /** Live files by their key (`fileKey`). */
  readonly files: ReadonlyMap<string, AddFile>
  /** Removed files that a vacuum may still have to delete, by key. */
  readonly tombstones: ReadonlyMap<string, RemoveFile>
  readonly txns: ReadonlyMap<string, Transaction>
  readonly domains: ReadonlyMap<string, DomainMetadata>
}

/** The identity of a logical file: its decoded path and its deletion vector. */
export function fileKey(file: Pick<AddFile, 'path' | 'deletionVector'>): string {
  const dv = deletionVectorId(file.deletionVector)
  const path = canonicalPath(file.path)
  return dv === undefined ? path : `${path}|${dv}`
}

/** A state under construction; `finish` makes it a snapshot. */
export interface Replay {
  version: number
  protocol: Protocol | undefined
  metadata: Metadata | undefined
  readonly files: Map<string, AddFile>
  readonly tombstones: Map<string, RemoveFile>
  readonly txns: Map<string, Transaction>
  readonly domains: Map<string, DomainMetadata>
}

/** The state before version 0. */
export function emptyReplay(): Replay {
  return {
    version: -1,
    protocol: undefined,
    metadata: undefined,
    files: new Map(),
    tombstones: new Map(),
    txns: new Map(),
    domains: new Map(),
  }
}

/** The state of a checkpoint, whose files may come apart from the rest. A file is never live and removed. */
export function replayOf(
  version: number,
  {
    commit,
    files,
    removed,
  }: {
    readonly commit: Commit
    readonly files?: LazyFiles<AddFile>
    readonly removed?: LazyFiles<RemoveFile>
  },
): Replay {
  const replay = emptyReplay()
  apply(replay, version, commit)
  if (!files) return replay
  const tombstones = removed ? new LayeredFiles(removed) : replay.tombstones
  for (const key of tombstones.keys()) if (files.index.has(key)) tombstones.delete(key)
  return { ...replay, files: new LayeredFiles(files), tombstones }
}

/** A state that can go on from a snapshot without changing it. */
export function replayFrom(snapshot: Snapshot): Replay {
  return {
    version: snapshot.version,
    protocol: snapshot.protocol,
    metadata: snapshot.metadata,
    files: copyOfFiles(snapshot.files),
    tombstones: copyOfFiles(snapshot.tombstones),
    txns: new Map(snapshot.txns),
    domains: new Map(snapshot.domains),
  }
}

/** Applies a commit (or a part of a checkpoint) to a state. Within a commit removes count before adds. */
export function apply(replay: Replay, version: number, commit: Commit): void {
  replay.version = version
  if (commit.protocol) replay.protocol = commit.protocol
  if (commit.metadata) replay.metadata = commit.metadata
  for (const txn of commit.txns) replay.txns.set(txn.appId, txn)
  for (const domain of commit.domains) {
    if (domain.removed) replay.domains.delete(domain.domain)
    else replay.domains.set(domain.domain, domain)
  }
  for (const remove of commit.removes) {
    const key = fileKey(remove)
    replay.files.delete(key)
    replay.tombstones.set(key, remove)
  }
  for (const add of commit.adds) {
    const key = fileKey(add)
    if (replay.tombstones.size > 0) replay.tombstones.delete(key)
    replay.files.set(key, add)
  }
}

/** The snapshot of a finished state; refuses a log without protocol or metadata, and features we do not read. */
export function finish(replay: Replay, where: string, parsed?: Snapshot): Snapshot {
  const { protocol, metadata } = replay
  if (!protocol) throw corrupt(where, 'the log has no protocol')
  if (!metadata) throw corrupt(where, 'the log has no metaData')
  checkReadable(protocol, metadata, where)
  if (metadata.format.provider !== 'parquet') {
    throw new LakeError('UNSUPPORTED_FEATURE', `${where} holds ${metadata.format.provider} files`)
  }
  const known = parsed?.metadata.schemaString === metadata.schemaString
  const schema = known ? parsed.schema : parseSchema(metadata.schemaString)
  return { ...replay, protocol, metadata, schema }
}

/** A snapshot under metadata that is staged and stands in no log yet. */
export function withMetadata(snapshot: Snapshot, metadata: Metadata): Snapshot {
  return { ...snapshot, metadata, schema: parseSchema(metadata.schemaString) }
}

/** The snapshot after one more commit. */
export function advance(
  snapshot: Snapshot,
  version: number,
  commit: Commit,
  where: string,
): Snapshot {
  const replay = replayFrom(snapshot)
  apply(replay, version, commit)
  return finish(replay, where, snapshot)
}
