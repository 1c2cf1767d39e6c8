/** Staging: the state of one table inside a transaction, and files written for it before any log names them. */
import { dirname, join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import type { TableShape } from '../../model/table.ts'
import type { Files } from '../files/files.ts'
import type { Session } from '../parquet/database.ts'
import { writeParquet } from '../parquet/write.ts'
import type { AddFile, PartitionValues, RemoveFile } from './actions.ts'
import { encodePath, filePath } from './paths.ts'
import { HASH_TAG, SCHEMA_TAG, schemaFingerprint } from './relation.ts'
import type { Snapshot } from './replay.ts'

/** Everything an operation needs to stage actions for one table. */
export interface StageContext {
  readonly files: Files
  readonly session: Session
  readonly effects: Effects
  /** The table root, an absolute path. */
  readonly directory: string
  /** The table's name, for messages. */
  readonly table: string
  /** The state on which the operation builds: the base and what was staged before. */
  readonly snapshot: Snapshot
  readonly shape: TableShape
  /** Paths of the files that were written; only these may be deleted when the work is given up. */
  readonly written?: Set<string>
}

/** What an operation did, in rows. */
export interface RowCounts {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly unchanged: number
}

/** Actions of an operation. Without actions nothing changed. */
export interface Staged {
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
  readonly counts: RowCounts
}

/** No rows. */
export const noRows: RowCounts = { inserted: 0, updated: 0, deleted: 0, unchanged: 0 }

/** The sum of two operations' rows. */
export function addCounts(a: RowCounts, b: RowCounts): RowCounts {
  return {
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    unchanged: a.unchanged + b.unchanged,
  }
}

/** A file to write: a SELECT with all columns of the table, and its place. */
export interface FileSpec {
  readonly sql: string
  /** Directory below the table root; it is made if absent. */
  readonly subdirectory?: string
  readonly partitionValues?: PartitionValues
  /** False when rows are only rearranged. */
  readonly dataChange?: boolean
  /** The SELECT has the columns in the order and the types of the table. */
  readonly typed?: boolean
  /** The rows come in the order of the clustering. */
  readonly sorted?: boolean
}

/** Files written at the same time on a connection: while one is hashed and synced, the connection writes the next. */
const WRITES_MAX = 2

/**
 * Writes files, two at a time on each connection, and gives their actions in the order of `items`. All have ended
 * when it fails.
 */
export async function writeAll<T>(
  sessions: readonly Session[],
  items: readonly T[],
  write: (item: T, i: number, session: Session) => Promise<AddFile | undefined>,
): Promise<AddFile[]> {
  const adds: (AddFile | undefined)[] = []
  let next = 0
  const worker = async (session: Session): Promise<void> => {
    while (next < items.length) {
      const i = next++
      try {
        adds[i] = await write(items[i]!, i, session)
      } catch (error) {
        next = items.length
        throw error
      }
    }
  }
  const workers = Array.from({ length: WRITES_MAX }, () => sessions.map(worker)).flat()
  const ends = await Promise.allSettled(workers)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return adds.filter((add) => add !== undefined)
}

/** Writes one data file, sorted by the clustering of the table; undefined if there are no rows. */
export async function writeFile(
  context: StageContext,
  spec: FileSpec,
): Promise<AddFile | undefined> {
  const { files, session, effects, snapshot, shape } = context
  const directory = join(context.directory, spec.subdirectory ?? '')
  await makeDirectories(context, spec.subdirectory)
  const period = shape.period ? [shape.period.column] : []
  const written = await writeParquet(
    session,
    files,
    {
      sql: spec.sql,
      typed: spec.typed ?? false,
      schema: snapshot.schema,
      orderBy: spec.sorted ? [] : shape.clustering,
      statisticsColumns: [...shape.key, ...shape.clustering, ...period],
      directory,
    },
    effects,
  )
  if (!written) return undefined
  const relative =
    spec.subdirectory === undefined ? written.name : `${spec.subdirectory}/${written.name}`
  const path = encodePath(relative)
  context.written?.add(path)
  return {
    path,
    partitionValues: spec.partitionValues ?? {},
    size: written.sizeBytes,
    modificationTime: written.modifiedMs,
    dataChange: spec.dataChange ?? true,
    stats: written.stats,
    tags: { [HASH_TAG]: written.sha256, [SCHEMA_TAG]: schemaFingerprint(snapshot.schema) },
  }
}

async function makeDirectories(
  context: StageContext,
  subdirectory: string | undefined,
): Promise<void> {
  if (subdirectory === undefined) return
  let directory = context.directory
  for (const name of subdirectory.split('/')) {
    const parent = directory
    directory = join(parent, name)
    if ((await context.files.makeDirectory(directory)) === 'made') await context.files.sync(parent)
  }
}

/** The action that takes a file out of the table. */
export function removeOf(file: AddFile, nowMs: number, dataChange = true): RemoveFile {
  return {
    path: file.path,
    deletionTimestamp: Math.floor(nowMs),
    dataChange,
    extendedFileMetadata: true,
    partitionValues: file.partitionValues,
    size: file.size,
    ...(file.deletionVector && { deletionVector: file.deletionVector }),
  }
}

/** Makes the names of staged files durable, with the directories they are in. Their content already is. */
export async function syncStaged(
  files: Files,
  directory: string,
  adds: readonly AddFile[],
): Promise<void> {
  const directories = new Set<string>()
  for (const add of adds) {
    // Up to the table: a directory that somebody else made, and was killed, is not durable because we see it.
    for (let path = dirname(filePath(directory, add.path)); ; path = dirname(path)) {
      directories.add(path)
      if (path.length <= directory.length) break
    }
  }
  await Promise.all([...directories].map((path) => files.sync(path)))
}

/**
 * Deletes files by their paths in the log. Only for files that the caller itself wrote and no log names: a staged
 * `add` may also bring back a file of an older version. Failures leave an orphan for vacuum.
 */
export async function discardWritten(
  files: Files,
  directory: string,
  paths: Iterable<string>,
): Promise<void> {
  await Promise.all(
    [...paths].map((path) => files.remove(filePath(directory, path)).catch(() => false)),
  )
}

let counter = 0

/** A name for a temporary table that no other operation of this process uses. */
export function temporaryName(word: string): string {
  return `marketlake_${word}_${++counter}`
}
