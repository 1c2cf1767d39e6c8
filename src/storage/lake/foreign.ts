/** Delta commits of other writers: which may become part of the lake, and which freeze their table. */
import { dirname } from 'node:path'
import { messageOf } from '../../model/errors.ts'
import { onlyAddsNullable, parseSchema } from '../../model/schema.ts'
import { shapeOf } from '../../model/table.ts'
import type { AddFile, Commit, Metadata } from '../delta/actions.ts'
import { freshFiles } from '../delta/conflict.ts'
import { filePath } from '../delta/paths.ts'
import { unreadableFeatures, unwritableFeatures } from '../delta/protocol.ts'
import type { Snapshot } from '../delta/replay.ts'
import { advance, fileKey } from '../delta/replay.ts'
import type { ForeignCommit } from './record.ts'
import type { Store } from './store.ts'

/** Whether a foreign commit can be kept, and the state after it. */
export type Inspection =
  | { readonly kind: 'adoptable'; readonly snapshot: Snapshot }
  /** Its protocol or metadata is not ours to accept: only freezing keeps both sides whole. */
  | { readonly kind: 'incompatible'; readonly reason: string }
  /** Its rows break the table: a repeated key, a file outside or of other types. */
  | { readonly kind: 'dirty'; readonly reason: string }

/** Judges a foreign commit on top of a snapshot. `unread`: it will be taken back, so that its rows do not matter. */
export async function inspectForeign(
  store: Store,
  directory: string,
  before: Snapshot,
  version: number,
  commit: Commit,
  { unread = false }: { readonly unread?: boolean } = {},
): Promise<Inspection> {
  const incompatible = incompatibility(before, commit)
  if (incompatible !== undefined) return { kind: 'incompatible', reason: incompatible }
  let after: Snapshot
  try {
    for (const add of commit.adds) filePath(directory, add.path)
    after = advance(before, version, commit, directory)
  } catch (error) {
    return { kind: 'incompatible', reason: messageOf(error) }
  }
  if (unread) return { kind: 'adoptable', snapshot: after }
  const dirty =
    (await unsafeFile(store, directory, commit.adds)) ??
    (await dirtiness(store, directory, before, after))
  return dirty === undefined
    ? { kind: 'adoptable', snapshot: after }
    : { kind: 'dirty', reason: dirty }
}

/** Other engines sync nothing: what the lake is about to name must first be whole and on disk. */
async function unsafeFile(
  store: Store,
  directory: string,
  adds: readonly AddFile[],
): Promise<string | undefined> {
  const directories = new Set<string>()
  for (const add of adds) {
    const path = filePath(directory, add.path)
    const stat = await store.files.stat(path)
    if (stat?.kind !== 'file' || stat.sizeBytes !== add.size) {
      return `${add.path} is missing or has another size than its commit says`
    }
    await store.files.seal(path)
    directories.add(dirname(path))
  }
  for (const path of directories) await store.files.sync(path)
  return undefined
}

function incompatibility(before: Snapshot, commit: Commit): string | undefined {
  const metadata = commit.metadata ?? before.metadata
  if (commit.protocol) {
    const features = [
      ...unreadableFeatures(commit.protocol, metadata),
      ...unwritableFeatures(commit.protocol, metadata),
    ]
    if (features.length > 0) return `it changes the protocol: ${[...new Set(features)].join(', ')}`
  }
  if (commit.adds.some((add) => add.deletionVector)) return 'it uses deletion vectors'
  return commit.metadata && metadataIncompatibility(before, commit.metadata)
}

function metadataIncompatibility(before: Snapshot, next: Metadata): string | undefined {
  if (next.schemaString !== before.metadata.schemaString) {
    const schema = parseSchema(next.schemaString)
    if (!onlyAddsNullable(before.schema, schema))
      return 'it changes the schema other than by adding columns'
  }
  if (String(next.partitionColumns) !== String(before.metadata.partitionColumns)) {
    return 'it changes the partition columns'
  }
  const own = (m: Metadata): string =>
    JSON.stringify(
      Object.entries(m.configuration)
        .filter(([k]) => k.startsWith('marketlake.'))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
  return own(next) === own(before.metadata) ? undefined : 'it changes a marketlake property'
}

async function dirtiness(
  store: Store,
  directory: string,
  before: Snapshot,
  after: Snapshot,
): Promise<string | undefined> {
  const fresh = freshFiles(before, after)
  if (fresh.length === 0) return undefined
  const misfit = await store.data.misfit(directory, after, fresh)
  if (misfit !== undefined) return misfit
  const { key } = shapeOf(after.metadata.configuration)
  if (key.length === 0) return undefined
  if (await store.data.repeatsKey(directory, after, fresh, key)) return 'its files repeat a key'
  const rest = othersThan(after, fresh)
  const overlap = await store.data.rowTest(directory).keysOverlap(after, fresh, rest, key)
  return overlap ? 'its rows repeat keys of the table' : undefined
}

function othersThan(snapshot: Snapshot, files: readonly AddFile[]): AddFile[] {
  const keys = new Set(files.map(fileKey))
  return [...snapshot.files].filter(([key]) => !keys.has(key)).map(([, file]) => file)
}

/** How history names a foreign commit. */
export function describeForeign(table: string, version: number, commit: Commit): ForeignCommit {
  const info = commit.commitInfo ?? {}
  const text = (value: unknown, otherwise: string): string =>
    typeof value === 'string' ? value : otherwise
  return {
    table,
    version,
    engine: text(info['engineInfo'], text(info['clientVersion'], 'unknown engine')),
    operation: text(info['operation'], 'unknown operation'),
  }
}
