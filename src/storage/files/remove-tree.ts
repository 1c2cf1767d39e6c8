/** Removes a directory with everything in it; for directories of our own making only. */
import { join } from 'node:path'
import type { Files } from './files.ts'

/** Removes a directory and what is below it. Symbolic links are removed, not followed. */
export async function removeTree(files: Files, path: string): Promise<void> {
  const stat = await files.stat(path)
  if (!stat) return
  if (stat.kind === 'directory') {
    for (const name of await files.list(path)) await removeTree(files, join(path, name))
  }
  await files.remove(path)
}
