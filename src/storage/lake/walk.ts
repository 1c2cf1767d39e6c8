/** Walks the files below a table directory: everything but the log and hidden names. */
import { join } from 'node:path'
import type { Files } from '../files/files.ts'

/** A file below a directory. */
export interface FoundFile {
  /** Relative to the directory, with forward slashes. */
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Directories deeper than this are no table's. */
const DEPTH_MAX = 8

/** All regular files below a directory whose path has no part that begins with `_` or `.`. */
export async function* walkFiles(
  files: Files,
  directory: string,
  prefix = '',
  depth = 0,
): AsyncGenerator<FoundFile> {
  if (depth > DEPTH_MAX) return
  for (const name of await files.list(join(directory, prefix))) {
    if (name.startsWith('_') || name.startsWith('.')) continue
    const path = prefix === '' ? name : `${prefix}/${name}`
    const stat = await files.stat(join(directory, path))
    if (stat?.kind === 'directory') yield* walkFiles(files, directory, path, depth + 1)
    else if (stat?.kind === 'file') yield { path, ...stat }
  }
}
