/** The style of this repository that a linter cannot see: layers, size, dead files, who may touch what. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { describe, expect, test } from 'vitest'

/** Lowest first. A file imports only from its own folder or from a lower line. */
const LAYERS = [
  'model',
  'storage/files',
  'storage/parquet',
  'storage/delta',
  'storage/lake',
  'ingestion analysis', // Siblings: neither imports the other.
  'migration',
  'lake',
  'exchange',
  'index',
  'console',
  'cli',
]
const ROOTS = ['index.ts', 'cli/main.ts', 'cli/demo/worker.ts', 'storage/delta/index.ts']
const LINES_MAX = 400
/** Modules that exactly one folder may import. */
const OWNERS: Readonly<Record<string, string>> = {
  'node:fs': 'storage/files',
  'node:fs/promises': 'storage/files',
  '@duckdb/node-api': 'storage/parquet',
  hyparquet: 'storage/parquet',
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join('src', path), 'utf8') }))

describe.each(files)('src/$path', ({ path, text }) => {
  test('opens with a sentence that says what it is for', () => {
    expect(text.replace(/^#!.*\n/, '')).toMatch(/^\/\*\* [A-Z`][^\n]*\./)
  })

  test('fits', () => {
    expect(text.split('\n').length).toBeLessThanOrEqual(LINES_MAX)
  })

  test('imports only downward', () => {
    expect(imports(path, text).filter((target) => !isBelow(path, target))).toEqual([])
  })

  test('leaves outside things to the folder that owns them', () => {
    const named = [...text.matchAll(/(?:from |import\()'([^'.][^']*)'/g)].map((m) => m[1]!)
    expect(named.filter((name) => (OWNERS[name] ?? folder(path)) !== folder(path))).toEqual([])
  })
})

test('no file is dead', () => {
  const used = new Set([...ROOTS, ...files.flatMap(({ path, text }) => imports(path, text))])
  expect(files.map(({ path }) => path).filter((path) => !used.has(path))).toEqual([])
})

function imports(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from |import\(|import )'(\.[^']+)'/g)]
  return specifiers.map(([, specifier]) => join(dirname(path), specifier!))
}

function isBelow(path: string, target: string): boolean {
  return folder(path) === folder(target) || layer(target) < layer(path)
}

function layer(path: string): number {
  const found = LAYERS.findIndex((names) => names.split(' ').includes(folder(path)))
  if (found === -1) throw new Error(`src/${path} has no layer: add its folder to LAYERS`)
  return found
}

function folder(path: string): string {
  const [first, second] = path.replace(/\.ts$/, '').split('/')
  return first === 'storage' ? `storage/${second}` : first!
}
