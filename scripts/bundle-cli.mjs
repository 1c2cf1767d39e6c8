/**
 * Bundles the command into dist/cli: a start that reads a few files is twice as fast as one that reads two hundred.
 * What only some commands need stays in files of its own, and so does DuckDB's library for Node.
 */
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { licenses } from './licenses.mjs'

const target = 'dist/cli'
const fresh = `dist/cli.${process.pid}.new`
const require = createRequire(import.meta.url)

/** Binaries, and what only a few ask for or may be missing. */
const EXTERNAL = [
  /^@duckdb\/node-bindings/,
  'undici',
  '@bomb.sh/tab/commander',
  '@uwdata/flechette',
]

/** Commander starts programs for commands that are files of their own; we have none. */
const withoutPrograms = {
  name: 'without-programs',
  transform(code, id) {
    if (!id.replaceAll('\\', '/').endsWith('commander/lib/command.js')) return undefined
    const line = "const childProcess = require('node:child_process');"
    if (!code.includes(line)) throw new Error(`${id} no longer loads node:child_process as it did`)
    // No line moves, so the map of the lines stays true.
    return { code: code.replace(line, 'const childProcess = undefined;'), map: null }
  },
}

/** Bundles entries into a folder; CommonJS, because Node starts it without its loader of modules. */
async function bundle(folder, input, define) {
  const build = await rolldown({
    input,
    platform: 'node',
    external: EXTERNAL,
    plugins: [withoutPrograms],
    transform: { target: 'node20.19', define },
  })
  const { output } = await build.write({
    dir: folder,
    format: 'cjs',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  })
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  return output
}

/** The help of the program, as wide as it wants to be. */
async function helpText() {
  await bundle(fresh, { program: 'src/cli/program.ts' }, {})
  const { buildProgram } = require(resolve(fresh, 'program.js'))
  const program = buildProgram(async () => undefined)
  program.configureOutput({ getOutHelpWidth: () => Number.MAX_SAFE_INTEGER })
  rmSync(fresh, { recursive: true })
  return program.helpInformation()
}

rmSync(fresh, { recursive: true, force: true })
const define = { HELP_TEXT: JSON.stringify(await helpText()) }
const entries = { main: 'src/cli/main.ts', worker: 'src/cli/demo/worker.ts' }
writeFileSync(join(fresh, 'LICENSES.txt'), licenses(await bundle(fresh, entries, define)))
chmodSync(join(fresh, 'main.js'), 0o755)
// Whoever starts the command meanwhile finds it whole.
const old = `dist/cli.${process.pid}.old`
if (existsSync(target)) renameSync(target, old)
renameSync(fresh, target)
rmSync(old, { recursive: true, force: true })
