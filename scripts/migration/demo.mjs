/**
 * The whole road, in one run: a monolith, the import, dual writing under readers, the comparison, the cut-over, old
 * queries unchanged, back, there again, and out into a new `.duckdb` file. `npm run demo:migration`; options:
 * `--seconds N`, `--scale N` (generated bars in place of real data), `--directory DIR` (kept), `--json`.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { StorageManager } from '../../dist/index.js'
import { importOldFile } from './import.mjs'
import { KEYS, buildMonolith } from './monolith.mjs'
import { exportTables } from './export.mjs'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    scale: { type: 'string' },
    directory: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const directory = options.directory
  ? resolve(options.directory)
  : mkdtempSync(join(tmpdir(), 'marketlake-migration-'))
mkdirSync(directory, { recursive: true })
const [lake, old] = [join(directory, 'data'), join(directory, 'old.duckdb')]
const report = { steps: [] }

const say = (text) => options.json || process.stdout.write(`${text}\n`)

/** Runs a program; its last line of stdout as JSON. */
function run(file, args, wanted = [0]) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data) => (stdout += data))
    child.stderr.on('data', (data) => (stderr += data))
    child.on('error', failed)
    child.on('close', (code) => {
      if (wanted.includes(code)) done(JSON.parse(stdout.trim().split('\n').at(-1)))
      else failed(new Error(`${file} ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`))
    })
  })
}

const command = (...args) =>
  run(here('../../dist/cli/main.js'), ['--lake', lake, '--json', ...args])

async function step(name, work, words) {
  const startedMs = Date.now()
  const result = await work()
  const seconds = Math.round((Date.now() - startedMs) / 100) / 10
  report.steps.push({ name, seconds, ...(result !== undefined && { result }) })
  say(`${name.padEnd(34)} ${String(seconds).padStart(6)} s  ${words ? words(result) : ''}`)
  return result
}

const check = (condition, what) => {
  if (!condition) throw new Error(`the demo found a fault: ${what}`)
}

/** Queries as old code has them: names, columns and types of the old file. */
const QUERIES = [
  'SELECT symbol, count(*) AS n, sum(volume) AS volume, max(close) AS close FROM bars GROUP BY symbol ORDER BY symbol',
  'SELECT * FROM securities ORDER BY ts_code LIMIT 500',
  'SELECT end_date, count(DISTINCT code) AS n FROM fin_growth GROUP BY end_date ORDER BY end_date',
  'SELECT b.symbol, b.trade_date, b.close FROM bars_2015 b JOIN bars_sse50 s USING (symbol, trade_date) ORDER BY ALL LIMIT 1000',
]

async function ask(expected) {
  const manager = await StorageManager.open({ lake })
  const connection = await manager.connection()
  check(connection.source === expected, `the source is ${connection.source}`)
  const answers = []
  for (const sql of QUERIES) answers.push(await connection.table(sql))
  await manager.close()
  return answers
}

const hidden = () => ''

async function dualWriteUnderReaders(seconds) {
  const writer = run(here('writer.mjs'), [lake, old, String(seconds)])
  const readers = [1, 2, 3].map(() => run(here('reader.mjs'), [lake, String(seconds)]))
  return { writer: await writer, readers: await Promise.all(readers) }
}

function dualWords({ writer, readers }) {
  const sum = (name) => readers.reduce((total, reader) => total + reader[name], 0)
  return `${writer.both} batches in both of ${writer.batches}; ${sum('queries')} queries, ${sum('errors')} errors, ${sum('torn')} torn`
}

const totals = ({ tables }) => ({
  tables: tables.length,
  rowsOld: tables.reduce((sum, t) => sum + t.rowsOld, 0),
  rowsNew: tables.reduce((sum, t) => sum + t.rowsNew, 0),
})

async function verify() {
  const found = await command('migrate', 'verify')
  check(
    found.equal,
    JSON.stringify(found.tables.filter((t) => t.missing + t.extra + t.differing > 0)),
  )
  return { lakeVersion: found.lakeVersion, ...totals(found) }
}

const verifyWords = (v) =>
  `equal: ${v.rowsOld} rows in ${v.tables} tables at version ${v.lakeVersion}`

async function road() {
  const scale = options.scale === undefined ? undefined : Number(options.scale)
  const shared = process.env.MARKETLAKE_SHARED ?? here('../../../shared')
  await step(
    'the old file',
    async () => {
      const { rows, real } = await buildMonolith(old, { shared, scale })
      return {
        real,
        rows: Object.values(rows).reduce((a, b) => a + b, 0),
        tables: Object.keys(rows).length,
      }
    },
    (r) => `${r.rows} rows in ${r.tables} tables${r.real ? ', real data' : ', generated'}`,
  )
  await command('init')
  await step(
    'import',
    () => importOldFile(lake, old),
    (tables) => `${tables.length} tables`,
  )
  const before = await ask('duckdb')
  await step('migrate dual-write', () => command('migrate', 'dual-write'), hidden)
  const dual = await step(
    'both are written, three readers',
    () => dualWriteUnderReaders(options.seconds),
    dualWords,
  )
  check(
    dual.writer.both === dual.writer.batches && dual.writer.batches > 0,
    'a batch is not in both',
  )
  for (const reader of dual.readers)
    check(reader.errors + reader.torn === 0, JSON.stringify(reader))
  await step('migrate verify', verify, verifyWords)
  const written = await ask('duckdb')
  check(!isDeepStrictEqual(before[0], written[0]), 'dual writing changed no answer')
  await step(
    'migrate cutover',
    () => command('migrate', 'cutover'),
    (r) => `${r.outcome}, tag ${r.tag}`,
  )
  const cut = await step(
    'old queries over the lake',
    () => ask('lake').then((a) => (report.answers = a) && a.map((t) => t.rows.length)),
    (n) => `${n.length} answers`,
  )
  check(
    cut.length > 0 && isDeepStrictEqual(report.answers, written),
    'an answer changed with the cut-over',
  )
  await step(
    'only the lake is written',
    () => run(here('writer.mjs'), [lake, old, '1', '50000']),
    (w) => `${w.rows} rows`,
  )
  const later = await ask('lake')
  const back = await step(
    'migrate rollback',
    () => command('migrate', 'rollback'),
    (r) => r.broughtBack.map((b) => `${b.table}: ${b.written} brought back`).join(', '),
  )
  check(back.broughtBack.length === 2, 'what only the lake had did not come back')
  check(isDeepStrictEqual(await ask('duckdb'), later), 'an answer changed with the rollback')
  await step('migrate verify', verify, verifyWords)
  await step(
    'migrate cutover, again',
    () => command('migrate', 'cutover'),
    (r) => `${r.outcome}, tag ${r.tag}`,
  )
  check(isDeepStrictEqual(await ask('lake'), later), 'an answer changed with the second cut-over')
  const out = await step(
    'out into a new .duckdb',
    () => exportTables(lake, join(directory, 'new.duckdb'), old, Object.keys(KEYS)),
    (r) => `${r.rows} rows, ${r.differing} differ`,
  )
  check(out.differing === 0, 'the new file differs')
  const status = await command('migrate', 'status')
  check(status.phase === 'cut-over' && status.readSource === 'lake', 'status')
  say(`\n${status.next}`)
}

try {
  await road()
  delete report.answers
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
} finally {
  if (!options.directory) rmSync(directory, { recursive: true, force: true })
}
