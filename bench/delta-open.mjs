/**
 * `node bench/delta-open.mjs`: opening a snapshot of a table of 1,000 commits and one of 100,000 files, from its
 * commits and from a checkpoint, beside delta-rs and DuckDB's delta extension, in turns on the same tables.
 * Options: --quick (fewer rounds), --json, --write (bench/README.md), --python PROGRAM (one with the packages
 * deltalake, duckdb and duckdb-extension-delta; by default they are installed into node_modules/.cache).
 */
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { DeltaTable, loadSnapshot } from '../dist/storage/delta/index.js'
import { localFiles } from '../dist/storage/files/local.js'
import { markdown, writeSection } from './lib/section.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    python: { type: 'string' },
  },
})
const rounds = options.quick ? 3 : 9
const directory = mkdtempSync(join(tmpdir(), 'marketlake-delta-open-'))
const say = (text) => process.stderr.write(`${text}\n`)

const COLUMNS = {
  symbol: 'string',
  trade_date: 'date',
  open: 'double',
  high: 'double',
  low: 'double',
  close: 'double',
  volume: 'long',
  amount: 'double',
}

/** A log of so many commits with so many files each; data files are not needed to open a snapshot. */
function makeTable(name, commits, filesPerCommit) {
  const log = join(directory, name, '_delta_log')
  mkdirSync(log, { recursive: true })
  const fields = Object.entries(COLUMNS).map(([column, type]) => ({
    name: column,
    type,
    nullable: true,
    metadata: {},
  }))
  for (let version = 0; version < commits; version++) {
    const actions = [{ commitInfo: { timestamp: 1764000000000 + version, operation: 'WRITE' } }]
    if (version === 0) {
      actions.push(
        { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
        {
          metaData: {
            id: '6d0f2c1e-8a1b-4f0e-9a55-2f1a0c9d7e11',
            format: { provider: 'parquet', options: {} },
            schemaString: JSON.stringify({ type: 'struct', fields }),
            partitionColumns: [],
            configuration: {},
            createdTime: 1764000000000,
          },
        },
      )
    }
    for (let i = 0; i < filesPerCommit; i++)
      actions.push({ add: addOf(version * filesPerCommit + i) })
    const text = actions.map((action) => `${JSON.stringify(action)}\n`).join('')
    writeFileSync(join(log, `${String(version).padStart(20, '0')}.json`), text)
  }
}

function addOf(n) {
  const symbol = `${600000 + (n % 5000)}.SH`
  const bounds = (date, price, more) => ({
    symbol,
    trade_date: date,
    open: price,
    high: price + 0.5,
    low: price - 0.5,
    close: price + 0.25,
    volume: more + n,
    amount: more * 10.5 + n,
  })
  const zero = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, 0]))
  const stats = {
    numRecords: 1440,
    minValues: bounds('2024-01-02', 10.5, 100_000),
    maxValues: bounds('2024-12-31', 20.5, 9_100_000),
    nullCount: zero,
  }
  return {
    path: `${crypto.randomUUID()}.parquet`,
    partitionValues: {},
    size: 48213 + n,
    modificationTime: 1764000000000 + n,
    dataChange: true,
    stats: JSON.stringify(stats),
    tags: { 'marketlake.sha256': String(n).padStart(64, '0') },
  }
}

/** The same table with a checkpoint at its head. */
async function withCheckpoint(name) {
  const copy = join(directory, `${name} checkpoint`)
  cpSync(join(directory, name), copy, { recursive: true })
  const table = await DeltaTable.open(copy)
  await table.checkpoint()
  await table.close()
}

/** Opens a snapshot anew and lists its live files; with `deep`, it also looks at what is known of each. */
async function ours(path, deep) {
  const from = performance.now()
  const { files } = await loadSnapshot(localFiles, path)
  let bytes = 0
  if (deep) for (const file of files.values()) bytes += file.stats.length
  const names = [...files.keys()]
  const ms = performance.now() - from
  if (deep && bytes < names.length) throw new Error('a file has no statistics')
  return { ms, files: names.length, sum: sumOf(names) }
}

/** Of the same names in any order the same: the sum of their first 48 bits. */
function sumOf(names) {
  const digits = (name) => Number.parseInt(name.slice(0, 13).replace('-', ''), 16)
  return names.reduce((sum, name) => (sum + digits(name)) % 2 ** 48, 0)
}

const PROGRAM = `
import glob, json, os, sys, time
import deltalake, duckdb, duckdb_extension_delta
root = os.path.dirname(duckdb_extension_delta.__file__)
connection = duckdb.connect(config={'allow_unsigned_extensions': True})
[path] = glob.glob(os.path.join(root, '**', '*.duckdb_extension'), recursive=True)
connection.execute(f"LOAD '{path}'")
def delta_rs(table):
    return deltalake.DeltaTable(table).file_uris()
def delta_rs_deep(table):
    opened = deltalake.DeltaTable(table)
    opened.get_add_actions()
    return opened.file_uris()
def delta_extension(table):
    return [path for (path,) in connection.execute(f"SELECT data_file FROM delta_list_files('{table}')").fetchall()]
engines = {'delta-rs': delta_rs, 'delta-rs deep': delta_rs_deep, 'DuckDB delta': delta_extension}
def sum_of(paths):
    return sum(int(path.rsplit('/', 1)[-1][:13].replace('-', ''), 16) for path in paths) % 2 ** 48
print(json.dumps({'delta-rs': deltalake.__version__, 'DuckDB delta': duckdb.__version__}), flush=True)
for line in sys.stdin:
    engine, table = json.loads(line)
    start = time.perf_counter()
    paths = engines[engine](table)
    ms = (time.perf_counter() - start) * 1000
    print(json.dumps({'ms': ms, 'files': len(paths), 'sum': sum_of(paths)}), flush=True)
`

/** A Python with the packages. */
function pythonPath() {
  if (options.python) return { program: options.python, path: undefined }
  const path = resolve('node_modules/.cache/python/bench-delta')
  if (!existsSync(path)) {
    const packages = ['deltalake==1.6.6', 'duckdb==1.5.5', 'duckdb-extension-delta==1.5.5']
    execFileSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', path, ...packages])
  }
  return { program: 'python3', path }
}

function startPython() {
  const { program, path } = pythonPath()
  const env = { ...process.env, ...(path && { PYTHONPATH: path }) }
  const child = spawn(program, ['-c', PROGRAM], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const read = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('the Python side ended')
    return JSON.parse(value)
  }
  const ask = (engine, table) => {
    child.stdin.write(`${JSON.stringify([engine, table])}\n`)
    return read()
  }
  return { versions: read(), ask, close: () => child.stdin.end() }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

async function main() {
  say('making the tables')
  const tables = { '1,000 commits': 'c1000', '100,000 files': 'f100k' }
  makeTable('c1000', 1000, 1)
  makeTable('f100k', 100, 1000)
  for (const name of Object.values(tables)) await withCheckpoint(name)
  const python = startPython()
  const versions = await python.versions
  const results = []
  for (const [title, name] of Object.entries(tables)) {
    for (const form of ['', ' checkpoint']) {
      say(`${title}${form}`)
      const from = `${title}, from ${form ? 'a checkpoint' : 'commits'}`
      results.push(await race(from, name + form, python))
      if (form) results.push(await race(`${from}, with statistics`, name + form, python, true))
    }
  }
  python.close()
  report(results, versions)
}

/** In turns, so that what else the machine does falls on all alike. */
async function race(title, name, python, deep = false) {
  const path = join(directory, name)
  const times = { marketlake: [], 'delta-rs': [], ...(!deep && { 'DuckDB delta': [] }) }
  for (let round = 0; round <= rounds; round++) {
    const answers = {
      marketlake: await ours(path, deep),
      'delta-rs': await python.ask(deep ? 'delta-rs deep' : 'delta-rs', path),
      ...(!deep && { 'DuckDB delta': await python.ask('DuckDB delta', path) }),
    }
    const seen = new Set(Object.values(answers).map(({ files, sum }) => `${files} ${sum}`))
    if (seen.size !== 1) throw new Error(`${title}: ${JSON.stringify(answers)}`)
    // The first round loads code and the cache of the disk.
    if (round > 0) for (const [system, { ms }] of Object.entries(answers)) times[system].push(ms)
  }
  const medians = Object.fromEntries(Object.entries(times).map(([k, v]) => [k, median(v)]))
  return { title, ...medians }
}

function report(results, versions) {
  if (options.json) process.stdout.write(`${JSON.stringify({ versions, results })}\n`)
  const ratio = (own, other) =>
    other === undefined ? '–' : `${other.toFixed(0)} (${(own / other).toFixed(2)})`
  const rows = results.map((r) => [
    r.title,
    r.marketlake.toFixed(0),
    ratio(r.marketlake, r['delta-rs']),
    ratio(r.marketlake, r['DuckDB delta']),
  ])
  const head = ['snapshot of a table of', 'marketlake', 'delta-rs', 'DuckDB delta']
  const text = `delta-rs ${versions['delta-rs']}, DuckDB ${versions['DuckDB delta']} with its delta extension; milliseconds, median of ${rounds}; in brackets our time divided by theirs, below 1 is faster.\n\n${markdown(head, rows)}`
  if (options.write) writeSection('delta-open', text)
  if (!options.json) process.stdout.write(`${text}\n`)
}

try {
  await main()
} finally {
  rmSync(directory, { recursive: true, force: true })
}
