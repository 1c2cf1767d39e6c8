/** The lake log on disk: finding its head, reading records, and publishing the next one. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { Action } from '../delta/actions.ts'
import type { Files } from '../files/files.ts'
import { publish } from '../files/publish.ts'
import type { LakeRecord, TableCommit } from './record.ts'
import { corruptRecord, parseRecord, recordText } from './record.ts'

/** The directory of the lake log. */
export const LAKE_DIRECTORY = '_lake'
/** The directory of actions that a record would be too large for. */
export const ACTIONS_DIRECTORY = 'actions'
/** The directory of readers' leases. */
export const LEASES_DIRECTORY = 'leases'
/** The directory of sync journals. */
export const JOURNAL_DIRECTORY = 'journal'

/** A record above this keeps its actions in a file of its own. */
const INLINE_BYTES_MAX = 256 << 10
const RECORD_NAME = /^(\d{20})\.json$/

/** Where the log is and how it is reached. */
export interface LogContext {
  readonly files: Files
  readonly effects: Effects
  /** The lake, an absolute path. */
  readonly root: string
}

/** The directory that holds the records. */
export function logDirectory(root: string): string {
  return join(root, LAKE_DIRECTORY)
}

/** The file of a record. */
export function recordPath(root: string, version: number): string {
  return join(logDirectory(root), recordName(version))
}

function recordName(version: number): string {
  return `${String(version).padStart(20, '0')}.json`
}

/** The record of a version, or undefined if there is none (yet). */
export async function readRecord(
  context: LogContext,
  version: number,
): Promise<LakeRecord | undefined> {
  const record = await readBareRecord(context, version)
  if (!record?.actionsFile) return record
  try {
    return await withActions(context, record)
  } catch (error) {
    // A vacuum leaves a stub in place of the record before it takes the actions.
    const now = await readBareRecord(context, version)
    if (now?.stub) return now
    throw error
  }
}

/** The record without actions that stand in a file of their own: that file may be gone already. */
export async function readBareRecord(
  context: LogContext,
  version: number,
): Promise<LakeRecord | undefined> {
  const path = recordPath(context.root, version)
  const content = await context.files.read(path)
  return content && parseRecord(content, path, version)
}

/** The newest record that the directory shows; undefined if there is no lake. */
export async function findHead(context: LogContext): Promise<LakeRecord | undefined> {
  const names = await context.files.list(logDirectory(context.root))
  // Names come in order; a lake has ten thousand of them and more.
  const newest = names.findLast((name) => RECORD_NAME.test(name))
  return newest === undefined ? undefined : readRecord(context, Number.parseInt(newest, 10))
}

/** Versions that have a record or a stub, ascending. */
export async function recordVersions(context: LogContext): Promise<number[]> {
  const names = await context.files.list(logDirectory(context.root))
  return names.flatMap((name) => {
    const match = RECORD_NAME.exec(name)
    return match ? [Number(match[1])] : []
  })
}

/** Goes on from a record to the newest one by probing the next name. */
export async function nextRecords(context: LogContext, from: LakeRecord): Promise<LakeRecord> {
  for (let head = from; ;) {
    const next = await readRecord(context, head.version + 1)
    if (!next) return head
    if (next.lakeId !== head.lakeId) {
      throw corruptRecord(recordPath(context.root, next.version), 'it belongs to another lake')
    }
    head = next
  }
}

/**
 * Publishes a record: the commit point. `published` means visible; it is durable after `syncLog`.
 * Actions that would make the record large go, complete and synced, into a file that the record names by hash.
 */
export async function publishRecord(
  context: LogContext,
  record: LakeRecord,
): Promise<'published' | 'exists'> {
  const { files, effects, root } = context
  const text = recordText(record)
  if (text.length <= INLINE_BYTES_MAX || record.commits.length === 0) {
    return publish(files, logDirectory(root), recordName(record.version), text, effects)
  }
  const detached = await detachActions(context, record)
  const slim = recordText(detached)
  const name = recordName(record.version)
  const outcome = await publish(files, logDirectory(root), name, slim, effects)
  if (outcome === 'exists') await removeActions(context, detached.actionsFile!.name)
  return outcome
}

/** Best effort: actions that no record names are left to vacuum. */
async function removeActions(context: LogContext, name: string): Promise<void> {
  await context.files.remove(actionsPath(context.root, name)).catch(() => false)
}

/** The file of actions that a record names. */
export function actionsPath(root: string, name: string): string {
  return join(logDirectory(root), ACTIONS_DIRECTORY, name)
}

/** Names of the files of actions, whether a record names them or not. */
export function listActions(context: LogContext): Promise<string[]> {
  return context.files.list(join(logDirectory(context.root), ACTIONS_DIRECTORY))
}

/** Makes the names in the log durable. */
export function syncLog(context: LogContext): Promise<void> {
  return context.files.sync(logDirectory(context.root))
}

async function detachActions(context: LogContext, record: LakeRecord): Promise<LakeRecord> {
  const { files, root, effects } = context
  const directory = join(logDirectory(root), ACTIONS_DIRECTORY)
  const lines = record.commits.flatMap((commit) =>
    (commit.actions ?? []).map((action) => `${JSON.stringify({ table: commit.table, action })}\n`),
  )
  const content = new TextEncoder().encode(lines.join(''))
  // A retry after a lost race writes the same actions again for other versions: the name must be new.
  const name = `${record.txnId}.${effects.uuid().slice(0, 8)}.ndjson`
  if ((await files.makeDirectory(directory)) === 'made') await files.sync(logDirectory(root))
  await files.create(join(directory, name), content)
  await files.sync(directory)
  const commits = record.commits.map(({ actions: _actions, ...rest }): TableCommit => rest)
  return { ...record, commits, actionsFile: { name, sha256: sha256(content) } }
}

async function withActions(context: LogContext, record: LakeRecord): Promise<LakeRecord> {
  const { name, sha256: expected } = record.actionsFile!
  const path = actionsPath(context.root, name)
  const content = await context.files.read(path)
  if (!content)
    throw corruptRecord(path, `record ${record.version} names this file, and it is missing`)
  if (sha256(content) !== expected)
    throw corruptRecord(path, 'its hash is not the one in the record')
  const lines = new TextDecoder()
    .decode(content)
    .split('\n')
    .filter((line) => line !== '')
  const parsed = lines.map((line) => JSON.parse(line) as { table: string; action: Action })
  const commits = record.commits.map((commit) => ({
    ...commit,
    actions: parsed.filter((line) => line.table === commit.table).map((line) => line.action),
  }))
  return { ...record, commits }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** An error for a directory that holds no lake. */
export function noLake(root: string): LakeError {
  return new LakeError('NO_LAKE', `no lake here: ${root}`, {
    details: { directory: root },
    next: 'Make one with `marketlake init`, or name another directory with --lake.',
  })
}
