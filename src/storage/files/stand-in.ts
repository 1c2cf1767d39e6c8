/** A directory under a second path, for as long as something has to look at it there. */
import { mkdir, rmdir, stat, symlink, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LakeError, messageOf } from '../../model/errors.ts'

/**
 * Runs `use` while `path` shows `directory`. Where nothing is at `path` a link stands there meanwhile, below parents
 * that are made for it; all of that is gone afterwards.
 */
export async function withStandIn<T>(
  directory: string,
  path: string,
  use: () => Promise<T>,
): Promise<T> {
  if (await exists(path)) return use()
  const made = await makeLink(directory, path)
  try {
    return await use()
  } finally {
    await unlink(path)
    for (const parent of made) await rmdir(parent).catch(() => undefined)
  }
}

/** The parents that had to be made, deepest first. */
async function makeLink(directory: string, path: string): Promise<string[]> {
  const made: string[] = []
  try {
    for (let at = dirname(path); !(await exists(at)); at = dirname(at)) made.push(at)
    await mkdir(dirname(path), { recursive: true })
    await symlink(directory, path, 'dir')
  } catch (error) {
    throw new LakeError('IO_ERROR', `${path} is not there and cannot be made for a moment`, {
      details: { path, reason: messageOf(error) },
      cause: error,
      next: 'Publish where this directory exists, for example inside the container, or make it a link to the lake.',
    })
  }
  return made
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
