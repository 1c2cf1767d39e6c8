/**
 * `npm run bench:peers`: a lake against native DuckDB, one Parquet file, Delta, DuckLake, Lance, Iceberg and ArcticDB,
 * through Python clients, in one run and in turns, on the same data and the same writes. Every answer is compared.
 * Options: --quick (fewer rounds), --json (one line on stdout), --write (the section of bench/README.md), --only a,b,
 * --small (8 quarters and 20 days, to see that everything runs).
 */
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { queries } from './lib/data.mjs'
import { peerInputs } from './lib/peer-inputs.mjs'
import { pythonWithPackages, startPeer } from './lib/peer-process.mjs'
import { peersText } from './lib/peer-report.mjs'
import { writeSection } from './lib/section.mjs'
import { benchBeside } from './sections/peers-beside.mjs'
import { askInTurns, loadInTurns, lostAgainst, writeInTurns } from './sections/peers.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    only: { type: 'string' },
    small: { type: 'boolean' },
  },
})
const rounds = options.small ? 1 : options.quick ? 5 : 15
const writeRounds = options.small ? 1 : options.quick ? 3 : 9
const seconds = options.small ? 2 : options.quick ? 5 : 10
const say = (text) => process.stderr.write(`${text}\n`)
const directory = mkdtempSync(join(tmpdir(), 'marketlake-peers-'))
const output = fileURLToPath(new URL('out/', import.meta.url))

/** Names in the tables, and where each system is: two are the lake, seen from Python and from Node, and two are Lance. */
const SYSTEMS = {
  'DuckDB native': 'native',
  'marketlake, views': 'views',
  'marketlake, engine': 'engine',
  'one Parquet file, DuckDB': 'parquet-duckdb',
  'one Parquet file, Polars': 'parquet-polars',
  'Delta (delta-rs, DuckDB)': 'delta',
  'DuckLake, SQLite': 'ducklake',
  'Lance + BTREE': 'lance',
  'Lance + BTREE (DuckDB)': 'lance-duckdb',
  'Iceberg (pyiceberg, DuckDB)': 'iceberg',
  'ArcticDB, LMDB': 'arctic',
}

/** Systems that are two views of the same data, and where it is. */
const SHARED = { views: 'lake', engine: 'lake', 'lance-duckdb': 'lance' }
const LATER = new Set(['views', 'lance-duckdb'])

async function main() {
  const python = pythonWithPackages(say)
  say('making the data')
  const inputs = await peerInputs(join(directory, 'inputs'), {
    small: options.small ?? false,
    rounds: writeRounds + 1,
  })
  mkdirSync(output, { recursive: true })
  const log = openSync(join(output, 'peers.log'), 'w')
  const start = starter(python, log)
  const load = loadavg()[0]
  const systems = await startAll(start)
  const loads = await loadInTurns(systems, inputs.loads, say)
  const asked = Object.keys(queries('{reports}', '{bars}'))
  const questions = await askInTurns(systems, asked, { rounds, say })
  const { writes, probes } = await writeInTurns(systems, inputs.writes, say)
  const about = await described(systems)
  for (const { peer } of systems) await peer.close()
  return {
    when: new Date().toISOString().slice(0, 16),
    rounds,
    machine: machine(load),
    systems: about,
    loads,
    questions,
    writes,
    probes,
    beside: await benchBeside(systems, inputs.beside, { seconds, start, say }),
    lost: lostAgainst(systems, { ...questions, ...writes }),
  }
}

/** Starts a process of a system, by its key, in its directory. */
function starter(python, log) {
  const questions = JSON.stringify(queries('{reports}', '{bars}'))
  const at = (path) => fileURLToPath(new URL(path, import.meta.url))
  return (key, root) =>
    key === 'engine'
      ? startPeer(process.execPath, [at('workers/peer.mjs'), root, questions], log)
      : startPeer(python, [at('peers/worker.py'), key, root, questions], log)
}

async function startAll(start) {
  const only = options.only?.split(',')
  const started = []
  for (const [name, key] of Object.entries(SYSTEMS)) {
    if (only && !only.includes(key)) continue
    const root = join(directory, SHARED[key] ?? key)
    mkdirSync(root, { recursive: true })
    // What only reads is started when there is something to read.
    const peer = LATER.has(key) ? undefined : await start(key, root)
    started.push({ name, key, root, start: () => start(key, root), peer })
  }
  return started
}

async function described(systems) {
  const all = {}
  for (const { name, peer } of systems)
    all[name] = { version: peer.version, error: peer.error, ...(await peer.tell({ op: 'memory' })) }
  return all
}

/** Answers that were not those of the other systems, before the writes or after them. */
function wrongOf({ questions, probes }) {
  const asked = Object.entries(questions).flatMap(([question, costs]) =>
    Object.entries(costs)
      .filter(([, { error }]) => error?.startsWith('another answer'))
      .map(([name, { error }]) => `${name}, ${question}: ${error}`),
  )
  return [...asked, ...Object.values(probes).flat()]
}

function machine(load) {
  return {
    processors: cpus().length,
    model: cpus()[0].model,
    memoryBytes: totalmem(),
    load: [load, loadavg()[0]],
    node: process.version,
    python: '3.11',
  }
}

process.setMaxListeners(Object.keys(SYSTEMS).length + 10)
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
const result = await main()
writeFileSync(join(output, 'peers.json'), `${JSON.stringify(result, undefined, 1)}\n`)
const text = peersText(result)
if (options.write) writeSection('peers', text)
process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
if (wrongOf(result).length > 0) {
  say(`other answers: ${wrongOf(result).join('; ')}`)
  process.exitCode = 1
}
