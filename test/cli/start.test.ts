/** What a start of the command loads: as little as it needs, because loading is most of a short command's time. */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { wrapHelp } from '../../src/cli/help.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { marketlake } from '../support/command.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const folder = temporaryDirectory()
const lake = join(folder, 'lake')

/** The help as commander prints it in a terminal of so many columns. */
function helpOf(width: number): string {
  const program = buildProgram(async () => undefined)
  program.configureOutput({ getOutHelpWidth: () => width })
  return program.helpInformation()
}

/** Runs the command and lists the files of JavaScript it loaded. */
async function loadedBy(name: string, args: readonly string[]): Promise<string[]> {
  const into = join(folder, name)
  const { code, stderr } = await marketlake(['--lake', lake, ...args], {
    env: { NODE_V8_COVERAGE: into },
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return readdirSync(into).flatMap((file) => scriptsOf(join(into, file)))
}

function scriptsOf(path: string): string[] {
  const { result } = JSON.parse(readFileSync(path, 'utf8')) as { result: { url: string }[] }
  return result.map(({ url }) => url).filter((url) => url.startsWith('file:'))
}

describe('the help', () => {
  test.each([20, 39, 60, 80, 81, 97, 120, 200])('is wrapped as commander does at %i', (width) => {
    expect(wrapHelp(helpOf(Number.MAX_SAFE_INTEGER), width)).toBe(helpOf(width))
  })

  test.each(['--help', '-h', 'help'])(
    'that the build keeps is the one of the program: %s',
    async (how) => {
      const { code, stdout, stderr } = await marketlake([how])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toBe(helpOf(80))
    },
  )

  test('loads no command and no package', async () => {
    const into = join(folder, 'help')
    await marketlake(['--help'], { env: { NODE_V8_COVERAGE: into } })
    const files = readdirSync(into).flatMap((file) => scriptsOf(join(into, file)))
    expect(files.map((url) => url.replace(/.*\//, '').replace(/-.*/, '')).toSorted()).toEqual([
      'main.js',
      'rolldown',
    ])
  })
})

describe('a command loads', () => {
  beforeAll(async () => {
    await marketlake(['--lake', lake, 'init'])
  })

  test('no DuckDB and no package to list the tables', async () => {
    const files = await loadedBy('tables', ['tables'])
    expect(files.filter((url) => /node_modules|duckdb/i.test(url))).toEqual([])
    expect(files.length).toBeLessThan(25)
  })

  test('only the binary of DuckDB from outside to query', async () => {
    const files = await loadedBy('query', ['query', 'select 1'])
    const packages = files.flatMap(
      (url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? [],
    )
    expect([...new Set(packages)].toSorted()).toEqual(['@duckdb/node-bindings', 'detect-libc'])
    expect(files.length).toBeLessThan(50)
  })
})

test('the library loads the JavaScript of DuckDB as one file, when an engine is opened', () => {
  const into = join(folder, 'library')
  const script = `
    const { openLake } = await import('./dist/index.js')
    const lake = await openLake(process.argv[1])
    await lake.database()
    await lake.close()`
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, lake],
    { env: { ...process.env, NODE_V8_COVERAGE: into }, encoding: 'utf8' },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const files = readdirSync(into).flatMap((file) => scriptsOf(join(into, file)))
  const ofDuckDb = files.filter((url) => /node-api/.test(url))
  expect(ofDuckDb.map((url) => url.replace(/.*\/dist\//, ''))).toEqual([
    'storage/parquet/node-api.cjs',
  ])
})

test('the licences of what is bundled are in the package', () => {
  const ofLibrary = readFileSync('dist/storage/parquet/LICENSES.txt', 'utf8')
  expect(ofLibrary).toMatch(/^@duckdb\/node-api \d+\./m)
  const text = readFileSync('dist/cli/LICENSES.txt', 'utf8')
  for (const name of ['commander', '@duckdb/node-api', 'hyparquet', 'smol-toml', 'croner'])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.`, 'm'))
})
