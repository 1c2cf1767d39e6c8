/** Delta tables made by hand, action by action, for the shapes that we never write ourselves. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { temporaryDirectory } from './temporary.ts'

/** An action of a commit, as an object. */
export type RawAction = Readonly<Record<string, unknown>>

/** The name of a commit file. */
export function commitFile(version: number): string {
  return `${String(version).padStart(20, '0')}.json`
}

/** A `protocol` action; with features at 3/7. */
export function protocolAction(features?: readonly string[]): RawAction {
  const lists = features && { readerFeatures: features, writerFeatures: features }
  return {
    protocol: {
      minReaderVersion: features ? 3 : 1,
      minWriterVersion: features ? 7 : 2,
      ...lists,
    },
  }
}

/** A `metaData` action of columns `[name, type]`, all nullable. */
export function metadataAction(
  columns: readonly (readonly [name: string, type: unknown, metadata?: RawAction])[],
  more: {
    readonly partitionColumns?: readonly string[]
    readonly configuration?: Readonly<Record<string, string>>
  } = {},
): RawAction {
  const fields = columns.map(([name, type, metadata]) => ({
    name,
    type,
    nullable: true,
    metadata: metadata ?? {},
  }))
  return {
    metaData: {
      id: '11111111-2222-3333-4444-555555555555',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify({ type: 'struct', fields }),
      partitionColumns: more.partitionColumns ?? [],
      configuration: more.configuration ?? {},
    },
  }
}

/** An `add` action. */
export function addAction(path: string, more: RawAction = {}): RawAction {
  return {
    add: { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, ...more },
  }
}

/** A `remove` action. */
export function removeAction(path: string, more: RawAction = {}): RawAction {
  return { remove: { path, dataChange: true, deletionTimestamp: 1, ...more } }
}

/** A table directory whose log has these commits, from version 0 on. */
export function logTable(commits: readonly (readonly RawAction[])[]): string {
  const directory = temporaryDirectory()
  for (const [version, actions] of commits.entries()) writeCommit(directory, version, actions)
  return directory
}

/** Writes a commit file, whatever it holds. */
export function writeCommit(
  directory: string,
  version: number,
  actions: readonly RawAction[] | string,
): void {
  const text =
    typeof actions === 'string'
      ? actions
      : actions.map((action) => `${JSON.stringify(action)}\n`).join('')
  writeLogFile(directory, commitFile(version), text)
}

/** Writes any file below `_delta_log`. */
export function writeLogFile(directory: string, name: string, content: string | Uint8Array): void {
  const path = join(directory, '_delta_log', name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}
