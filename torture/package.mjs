/** The package under test: the build of this repository, or a copy of it with a planted bug. */
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The directory of the build. */
export const DIST = resolve(
  process.env['MARKETLAKE_TORTURE_DIST'] ?? join(import.meta.dirname, '..', 'dist'),
)

/** A module of the build. */
export const loadInner = (path) => import(pathToFileURL(join(DIST, path)).href)

/** Public functions and the few inner ones that the torture drives. */
export async function loadPackage() {
  const [index, files, init, restore, snapshots] = await Promise.all([
    loadInner('index.js'),
    loadInner('storage/files/local.js'),
    loadInner('storage/lake/init.js'),
    loadInner('storage/lake/restore.js'),
    loadInner('storage/delta/load.js'),
  ])
  return { ...index, ...files, ...init, ...restore, ...snapshots }
}
