/**
 * Bundles DuckDB's library for Node into one file beside the library's own: to load its 180 files takes longer than to
 * load DuckDB. The binary stays the package of its own that it is.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { licenses } from './licenses.mjs'

const folder = 'dist/storage/parquet'
const require = createRequire(import.meta.url)

const build = await rolldown({
  input: { 'node-api': require.resolve('@duckdb/node-api') },
  platform: 'node',
  external: [/^@duckdb\/node-bindings/],
  transform: { target: 'node20.19' },
})
const { output } = await build.write({
  dir: folder,
  format: 'cjs',
  entryFileNames: '[name].cjs',
})
writeFileSync(join(folder, 'LICENSES.txt'), licenses(output))

const loader = join(folder, 'duckdb.js')
const [asked, bundled] = [
  "import('@duckdb/node-api')",
  "import('./node-api.cjs').then((module) => module.default)",
]
const parts = readFileSync(loader, 'utf8').split(asked)
if (parts.length !== 2) throw new Error(`${loader} no longer loads @duckdb/node-api as it did`)
writeFileSync(loader, parts.join(bundled))
