/**
 * `node bench/many-upserts.mjs`: a lake after 2,000 small upserts that nobody touched by hand, beside the same rows
 * written once: files, log entries, time to open and to query. Options: --upserts N, --json, --write.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLake, field, openLake, schemaOf } from '../dist/index.js'
import { interleaved } from './lib/measure.mjs'
import { markdown, writeSection } from './lib/section.mjs'

const { values: options } = parseArgs({
  options: { upserts: { type: 'string' }, json: { type: 'boolean' }, write: { type: 'boolean' } },
})
const upserts = Number(options.upserts ?? 2000)
const directory = mkdtempSync(join(tmpdir(), 'marketlake-upserts-'))
const say = (text) => process.stderr.write(`${text}\n`)

const SYMBOLS = 50
const schema = schemaOf([
  field('symbol', 'string'),
  field('trade_date', 'date'),
  field('close', 'double'),
  field('volume', 'long'),
])
const definition = {
  name: 'bars',
  schema,
  key: ['symbol', 'trade_date'],
  clustering: ['symbol', 'trade_date'],
  period: { column: 'trade_date', unit: 'month' },
}

const day = (n) => new Date(Date.UTC(2016, 0, 1) + n * 86_400_000).toISOString().slice(0, 10)
const symbol = (i) => `${String(600000 + i)}.SH`

/** A new day of every symbol; and as sources do, some old rows corrected. */
function rowsOf(n) {
  const rows = []
  for (let i = 0; i < SYMBOLS; i++)
    rows.push({ symbol: symbol(i), trade_date: day(n), close: 10 + i + n / 100, volume: BigInt(n) })
  if (n > 0 && n % 10 === 0)
    rows.push({ symbol: symbol(n % SYMBOLS), trade_date: day(n - 1), close: 1, volume: 0n })
  return rows
}

/** Whole records; below the horizon stubs stand in their places. */
function recordsOf(path) {
  const names = readdirSync(path).filter((name) => /^\d{20}\.json$/.test(name))
  return names.filter((name) => !JSON.parse(readFileSync(join(path, name), 'utf8')).stub).length
}

const count = (path, pattern) => readdirSync(path).filter((name) => pattern.test(name)).length

/** Seconds stand for days: versions are kept for ten of them, and maintenance runs by itself. */
const RETENTION =
  '[retention]\nversions = "10 seconds"\nfiles = "5 seconds"\nstaged = "5 seconds"\n'

async function grow(root) {
  await (await createLake(root, { maintenance: false })).close()
  writeFileSync(join(root, 'lake.toml'), RETENTION)
  const lake = await openLake(root)
  await lake.write('bars', (tx) => tx.ensure(definition))
  const from = performance.now()
  for (let n = 0; n < upserts; n++) {
    const outcome = await lake.write(
      `day ${n}`,
      async (tx) => void (await tx.upsert('bars', rowsOf(n))),
    )
    if (outcome.kind !== 'committed') throw new Error(outcome.reason)
    if (n % 250 === 249)
      say(`${n + 1} upserts, ${Math.round((performance.now() - from) / (n + 1))} ms each`)
  }
  const msEach = (performance.now() - from) / upserts
  await lake.close()
  return msEach
}

/** The same rows in one commit: what no history could be better than. */
async function once(root) {
  const lake = await createLake(root)
  await lake.write('bars', (tx) => tx.ensure(definition))
  const last = new Map()
  for (let n = 0; n < upserts; n++)
    for (const row of rowsOf(n)) last.set(`${row.symbol} ${row.trade_date}`, row)
  await lake.write('all', async (tx) => void (await tx.upsert('bars', [...last.values()])))
  await lake.close()
}

async function facts(root) {
  const lake = await openLake(root, { maintenance: false })
  const bars = (await lake.tables()).find((table) => table.name === 'bars')
  const log = join(root, 'warehouse/bars/_delta_log')
  const found = {
    rows: bars.rows,
    files: bars.files,
    bytes: bars.bytes,
    checkpoints: count(log, /checkpoint\.parquet$/),
    commits: count(log, /^\d{20}\.json$/),
    records: recordsOf(join(root, '_lake')),
    parquet: count(join(root, 'warehouse/bars'), /\.parquet$/),
  }
  const problems = await lake.verify()
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  await lake.close()
  return found
}

/** Time to open a lake in a fresh state and look at its tables, and of questions to an open engine. */
async function times(roots) {
  const open = (root) => async () => {
    const lake = await openLake(root, { maintenance: false, lease: false })
    await lake.tables()
    await lake.close()
  }
  /** What somebody waits for who asks one thing: the lake, an engine, the answer. */
  const openAndAsk = (root) => async () => {
    const lake = await openLake(root, { maintenance: false })
    const engine = await lake.analysis()
    await engine.query(`SELECT * FROM bars WHERE symbol = '${symbol(7)}'`)
    await engine.close()
    await lake.close()
  }
  const lakes = await Promise.all(roots.map((root) => openLake(root, { maintenance: false })))
  const engines = await Promise.all(lakes.map((lake) => lake.analysis()))
  const ask = (sql) =>
    interleaved({ grown: () => engines[0].query(sql), once: () => engines[1].query(sql) }, 15)
  const newest = day(upserts - 1)
  const result = {
    'open and list the tables': await interleaved(
      { grown: open(roots[0]), once: open(roots[1]) },
      15,
    ),
    'open, and ask for one symbol': await interleaved(
      { grown: openAndAsk(roots[0]), once: openAndAsk(roots[1]) },
      15,
    ),
    'newest cross-section': await ask(`SELECT * FROM bars WHERE trade_date = DATE '${newest}'`),
    'one symbol': await ask(`SELECT * FROM bars WHERE symbol = '${symbol(7)}'`),
    'average of one column': await ask('SELECT avg(close) FROM bars'),
  }
  for (const engine of engines) await engine.close()
  for (const lake of lakes) await lake.close()
  return result
}

try {
  const roots = [join(directory, 'grown'), join(directory, 'once')]
  const msEach = await grow(roots[0])
  await once(roots[1])
  const [grown, flat] = [await facts(roots[0]), await facts(roots[1])]
  if (grown.rows !== flat.rows) throw new Error(`${grown.rows} rows, not ${flat.rows}`)
  const measured = await times(roots)
  const result = { upserts, msEach, grown, once: flat, measured }
  const ms = (value) => value.toFixed(1)
  const rows = [
    ['live files', grown.files, flat.files],
    ['Parquet files on disk', grown.parquet, flat.parquet],
    ['Delta commits on disk', grown.commits, flat.commits],
    ['records of the lake log', grown.records, flat.records],
    ['bytes of live files', grown.bytes, flat.bytes],
    ...Object.entries(measured).map(([name, { grown: a, once: b }]) => [
      `${name}, ms`,
      `${ms(a.median)} (${(a.median / b.median).toFixed(1)})`,
      ms(b.median),
    ]),
  ]
  const text = `${upserts} upserts of ${SYMBOLS} rows each, ${Math.round(msEach)} ms an upsert with everything that maintenance did beside them.\n\n${markdown(['a table of bars', `after ${upserts} upserts`, 'written once'], rows)}`
  if (options.write) writeSection('many-upserts', text)
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
