/** The package under test: the build of this repository, or a copy of it with a planted bug. */
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The directory of the build. */
export const DIST = resolve(
  process.env['MARKETLAKE_TORTURE_DIST'] ?? join(import.meta.dirname, '..', 'dist'),
)

const load = (path) => import(pathToFileURL(join(DIST, path)).href)

/** Public functions and the few inner ones that the torture drives. */
export async function loadPackage() {
  const [index, files, init, restore, snapshots] = await Promise.all([
    load('index.js'),
    load('storage/files/local.js'),
    load('storage/lake/init.js'),
    load('storage/lake/restore.js'),
    load('storage/delta/load.js'),
  ])
  return { ...index, ...files, ...init, ...restore, ...snapshots }
}
