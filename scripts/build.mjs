/**
 * `npm run build`: compiles the library and bundles the command. With `--if-changed` nothing is done where the last
 * build was of the same sources, so that tests on a fresh install do not build again what the install has built.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const STAMP = 'node_modules/.cache/marketlake-build'
const TOOLS = [
  'scripts/build.mjs',
  'scripts/bundle-cli.mjs',
  'scripts/bundle-duckdb.mjs',
  'scripts/licenses.mjs',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'package-lock.json',
]
const BUILT = ['dist/index.js', 'dist/cli/main.js']

/** The hash of all that a build is made of. */
function sourceHash() {
  const sources = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  const hash = createHash('sha256')
  for (const path of [...sources, ...TOOLS])
    hash.update(path).update('\0').update(readFileSync(path)).update('\0')
  return hash.digest('hex')
}

/** True if what stands in dist is what the stamp tells of: the same sources, and nobody compiled anything since. */
function isBuilt(hash) {
  try {
    const stampMs = statSync(STAMP).mtimeMs
    const untouched = BUILT.every((path) => statSync(path).mtimeMs <= stampMs)
    return untouched && readFileSync(STAMP, 'utf8') === hash
  } catch {
    return false
  }
}

const hash = sourceHash()
if (!process.argv.includes('--if-changed') || !isBuilt(hash)) {
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
  for (const bundle of ['duckdb', 'cli'])
    execFileSync(process.execPath, [`scripts/bundle-${bundle}.mjs`], { stdio: 'inherit' })
  mkdirSync(join('node_modules', '.cache'), { recursive: true })
  writeFileSync(STAMP, hash)
}
