/**
 * `node bench/migration.mjs`: an import of two million rows in eight tables beside DuckDB's own COPY FROM DATABASE of
 * the same file, and the export beside it; each in a process of its own. Options: --rows N, --json, --write.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { createLake, exportDatabase, importDatabase, openLake } from '../dist/index.js'
import { markdown, writeSection } from './lib/section.mjs'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    task: { type: 'string' },
    directory: { type: 'string' },
  },
})
const rows = Number(options.rows)
const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'marketlake-migration-'))
const [old, copied, lakeRoot, exported] = [
  'old.duckdb',
  'copied.duckdb',
  'lake',
  'exported.duckdb',
].map((name) => join(directory, name))
const SETTINGS = { threads: '2', memory_limit: '1GB' }

async function run(path, ...statements) {
  const instance = await DuckDBInstance.create(path, SETTINGS)
  const connection = await instance.connect()
  for (const statement of statements) await connection.run(statement)
  connection.closeSync()
  instance.closeSync()
}

/** Half of the rows are bars, the rest reports with forty measures. */
function build() {
  const symbol = "printf('6%05d', s % 5000)"
  const measures = Array.from({ length: 40 }, (_, i) => `hash(s, ${i}) / 1e9 AS m${i}`).join(', ')
  const bars = (
    n,
  ) => `CREATE TABLE bars_${n} AS SELECT ${symbol} AS code, DATE '2000-01-01' + (s // 5000)::INTEGER AS trade_date,
    hash(s, 1) % 10000 / 100 AS close, hash(s, 2) % 1000000 AS volume FROM range(${Math.round(rows / 8)}) t(s)`
  const reports = (
    n,
  ) => `CREATE TABLE reports_${n} AS SELECT ${symbol} AS code, DATE '2000-03-31' + (s // 5000)::INTEGER AS end_date, ${measures}
    FROM range(${Math.round(rows / 8)}) t(s)`
  return run(old, ...[1, 2, 3, 4].flatMap((n) => [bars(n), reports(n)]))
}

const TASKS = {
  copy: () =>
    run(
      ':memory:',
      `ATTACH '${old}' AS a (READ_ONLY); ATTACH '${copied}' AS b; COPY FROM DATABASE a TO b`,
    ),
  import: async () => {
    const lake = await createLake(lakeRoot)
    const { outcome } = await importDatabase(lake, old)
    if (outcome.kind !== 'committed') throw new Error(outcome.kind)
    await lake.close()
  },
  export: async () => {
    const lake = await openLake(lakeRoot)
    await exportDatabase(lake, exported)
    await lake.close()
  },
}

/** A task in a process of its own: seconds, processor seconds and peak memory. */
function measured(task) {
  const args = [fileURLToPath(import.meta.url), '--task', task, '--directory', directory]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

function bytesOf(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
}

if (options.task) {
  const started = performance.now()
  await TASKS[options.task]()
  const { user, system } = process.cpuUsage()
  const figures = {
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }
  process.stdout.write(JSON.stringify(figures))
} else {
  try {
    await build()
    const result = {}
    for (const task of ['copy', 'import', 'export']) result[task] = measured(task)
    const sizes = { copy: copied, import: lakeRoot, export: exported }
    const names = {
      copy: 'COPY FROM DATABASE',
      import: '`migrate import`',
      export: '`migrate export`',
    }
    const line = (task) => {
      const { seconds, cpuSeconds, peakBytes } = result[task]
      const ratio = (seconds / result.copy.seconds).toFixed(1)
      return [
        names[task],
        `${seconds.toFixed(1)} (${ratio})`,
        cpuSeconds.toFixed(1),
        (peakBytes / 1e6).toFixed(0),
        (bytesOf(sizes[task]) / 1e6).toFixed(0),
      ]
    }
    const table = markdown(
      [
        `${rows.toLocaleString('en')} rows in 8 tables`,
        'seconds (ratio)',
        'processor seconds',
        'peak memory, MB',
        'MB on disk',
      ],
      Object.keys(result).map(line),
    )
    if (options.write) writeSection('migration', `${table}\n`)
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${table}\n`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
