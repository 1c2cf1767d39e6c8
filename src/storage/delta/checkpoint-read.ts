/** Reads checkpoints of every form: classic, multi-part, and V2 as JSON or Parquet with sidecars. */
import { join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import type { Files } from '../files/files.ts'
import { parquetParts, parquetRows } from '../parquet/rows-file.ts'
import type { ColumnPart } from '../parquet/rows-file.ts'
import type { Action, AddFile, Commit, RemoveFile } from './actions.ts'
import { corrupt } from './actions.ts'
import { lazyFiles, lazyRemoves, withNumbers } from './lazy-files.ts'
import type { LazyFiles } from './lazy-files.ts'
import { parseCommit, sortActions } from './parse.ts'
import { SIDECARS } from './names.ts'
import { canonicalPath } from './paths.ts'
import type { CheckpointFiles } from './segment.ts'
import { statsFromParsed } from './stats-parsed.ts'

const decoder = new TextDecoder()

/** The state that a checkpoint holds, as one commit; a file that is torn or incomplete is an error. */
export async function readCheckpoint(
  files: Files,
  directory: string,
  checkpoint: CheckpointFiles,
): Promise<Commit> {
  return commitOf(await readContents(files, directory, checkpoint), directory, checkpoint)
}

/** What a checkpoint holds: its files apart from all else, where they need not be made yet. */
export interface OpenCheckpoint {
  readonly commit: Commit
  readonly files?: LazyFiles<AddFile>
  /** Only beside `files`. */
  readonly removed?: LazyFiles<RemoveFile>
}

/** As `readCheckpoint`, with everything looked at but without making the actions of its files. */
export async function openCheckpoint(
  files: Files,
  directory: string,
  checkpoint: CheckpointFiles,
): Promise<OpenCheckpoint> {
  const contents = await readContents(files, directory, checkpoint)
  const lazy = lazyFiles(contents.adds)
  if (!lazy) return { commit: commitOf(contents, directory, checkpoint) }
  const removed = lazyRemoves(contents.removes)
  const rest = { ...contents, adds: [], removes: removed ? [] : contents.removes }
  return { commit: commitOf(rest, directory, checkpoint), files: lazy, ...(removed && { removed }) }
}

/** The actions of a checkpoint; its files and those removed, where they stand in columns, not put together yet. */
interface Contents {
  readonly actions: readonly Action[]
  readonly adds: readonly ColumnPart[]
  readonly removes: readonly ColumnPart[]
}

async function readContents(
  files: Files,
  directory: string,
  checkpoint: CheckpointFiles,
): Promise<Contents> {
  const all: Contents[] = []
  for (const name of checkpoint.names) all.push(await readContent(files, join(directory, name)))
  for (const name of sidecarsOf(all.flatMap(({ actions }) => actions)))
    all.push(await readContent(files, sidecarPath(directory, name)))
  return {
    actions: all.flatMap(({ actions }) => actions),
    adds: all.flatMap(({ adds }) => adds),
    removes: all.flatMap(({ removes }) => removes),
  }
}

async function readContent(files: Files, path: string): Promise<Contents> {
  const content = await files.read(path)
  if (!content) throw corrupt(path, 'the file of a checkpoint is missing')
  if (path.endsWith('.json')) return { actions: jsonActions(content, path), adds: [], removes: [] }
  const parts = await parquetParts(content, path)
  if (!parts) return { actions: await parquetRows(content, path), adds: [], removes: [] }
  const apart = new Set(['add', 'remove'])
  return {
    actions: parts.filter(({ name }) => !apart.has(name)).flatMap(actionsOfPart),
    adds: parts.filter(({ name }) => name === 'add'),
    removes: parts.filter(({ name }) => name === 'remove'),
  }
}

function actionsOfPart({ name, values }: ColumnPart): Action[] {
  return Array.from(values(), (value) => ({ [name]: value }))
}

function commitOf(contents: Contents, directory: string, checkpoint: CheckpointFiles): Commit {
  const where = join(directory, checkpoint.names[0]!)
  // Not `push(...)`: a checkpoint may hold more rows than a call may have arguments.
  const files = [...contents.removes, ...contents.adds]
  const actions = contents.actions.concat(files.flatMap(actionsOfPart))
  const schemaString = schemaStringOf(actions)
  // A checkpoint is reconciled already; looking for repeated paths would only take time.
  const state = sortActions(actions, where, (add) => withStats(add, schemaString))
  if (!state.protocol || !state.metadata)
    throw corrupt(where, 'the checkpoint has no protocol or metaData')
  return state
}

/** A JSON checkpoint may hold what a commit may not, so it is only split into lines here. */
function jsonActions(content: Uint8Array, path: string): Action[] {
  const lines = decoder
    .decode(content)
    .split('\n')
    .filter((line) => line.trim() !== '')
  try {
    return lines.map((line) => JSON.parse(line) as Action)
  } catch (cause) {
    throw corrupt(path, 'a line is not JSON; the file is torn', cause)
  }
}

function sidecarsOf(actions: readonly Action[]): string[] {
  const paths: string[] = []
  for (const { sidecar } of actions) {
    const path = (sidecar as { path?: unknown } | null | undefined)?.path
    if (typeof path === 'string') paths.push(path)
  }
  return paths
}

function schemaStringOf(actions: readonly Action[]): string | undefined {
  for (const { metaData } of actions) {
    const text = (metaData as { schemaString?: unknown } | null | undefined)?.schemaString
    if (typeof text === 'string') return text
  }
  return undefined
}

/** The name of a sidecar is relative to the sidecar directory and URI-encoded. */
function sidecarPath(directory: string, path: string): string {
  const name = canonicalPath(path)
  if (name.includes('/') || name.includes('\\') || name.startsWith('.')) {
    throw new LakeError('UNSUPPORTED_FEATURE', `a sidecar outside the log: ${path}`, {
      details: { path },
      next: 'Read this table with the engine that wrote it.',
    })
  }
  return join(directory, SIDECARS, name)
}

/** Some writers keep statistics as typed columns only. */
function withStats(add: Record<string, unknown>, schemaString: string | undefined): unknown {
  withNumbers(add)
  if (!add['stats_parsed'] && !add['partitionValues_parsed']) return add
  const { stats_parsed: parsed, partitionValues_parsed: _values, ...rest } = add
  if (typeof rest['stats'] === 'string' || !parsed || schemaString === undefined) return rest
  const stats = statsFromParsed(parsed as Record<string, unknown>, schemaString)
  return stats === undefined ? rest : { ...rest, stats }
}

/** Reads a commit file; undefined if it is not there. */
export async function readCommit(files: Files, path: string): Promise<Commit | undefined> {
  const content = await files.read(path)
  return content && parseCommit(content, path)
}
