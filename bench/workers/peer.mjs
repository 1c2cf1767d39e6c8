/**
 * The lake of `npm run bench:peers` in a process of its own, behind the commands of bench/peers/worker.py.
 * Arguments: directory, questions as JSON.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { createLake, loadFiles, openLake } from '../../dist/index.js'
import { costed } from '../lib/measure.mjs'
import { answerSummary } from '../lib/peer-answers.mjs'
import { plainDuckDb } from '../lib/systems.mjs'

const [directory, questions] = process.argv.slice(2)
const asked = JSON.parse(questions)
const lake = existsSync(join(directory, '_lake'))
  ? await openLake(directory)
  : await createLake(directory)
const keys = { reports: ['symbol', 'end_date'], bars: ['symbol', 'trade_date'] }
const NEWEST = 'newest cross-section'
let engine

const writtenBytes = () =>
  Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0)

async function measured(task) {
  const before = writtenBytes()
  const cost = await costed(task)
  return { ...cost, writtenBytes: writtenBytes() - before }
}

function committed(outcome) {
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
}

/** Maintenance goes on after the acknowledgement; what it costs stands beside the write, not in its time. */
async function withMaintenance(task) {
  const cost = await measured(task)
  const { cpuMs: afterCpuMs, writtenBytes: afterBytes } = await measured(() => lake.idle())
  return { ...cost, afterCpuMs, afterBytes }
}

async function ask(question) {
  engine ??= await lake.analysis({ follow: true })
  const sql = asked[question].replaceAll('{reports}', 'reports').replaceAll('{bars}', 'bars')
  return engine.columns(sql)
}

async function upsert(file) {
  const sql = `SELECT * FROM read_parquet('${file}')`
  committed(await lake.write('bench', async (tx) => void (await tx.upsert('reports', { sql }))))
}

/** Symbols and their first measures, of an answer in columns. */
const pairsOf = ([symbols, { values }]) =>
  Array.from(symbols.codes, (code, i) => [symbols.dictionary[code], values[i]])

async function valuesOf(file) {
  const db = await plainDuckDb()
  const rows = await db.rows(`SELECT symbol, m00 FROM read_parquet('${file}')`)
  db.close()
  return new Map(rows.map(({ symbol, m00 }) => [symbol, m00]))
}

/** As bench/peers/concurrency.py does it. */
async function readUntil(file, seconds) {
  const base = await valuesOf(file)
  const [times, errors, seen] = [[], [], new Set()]
  let torn = 0
  const untilMs = performance.now() + seconds * 1000
  while (performance.now() < untilMs) {
    const question = times.length % 2 === 0 ? 'one symbol, 3 columns' : NEWEST
    const start = performance.now()
    try {
      const answer = await ask(question)
      times.push(performance.now() - start)
      if (question !== NEWEST) continue
      const found = pairsOf(answer).filter(([symbol]) => base.has(symbol))
      const shifts = new Set(found.map(([symbol, value]) => (value - base.get(symbol)).toFixed(1)))
      if (shifts.size !== 1) torn++
      for (const shift of shifts) seen.add(shift)
    } catch (error) {
      errors.push(String(error))
    }
  }
  return { times, torn, errors: errors.length, firstError: errors.slice(0, 1), states: seen.size }
}

async function writeUntil(files, seconds, perSecond) {
  const errors = []
  let [commits, last] = [0, null]
  const start = performance.now()
  while (performance.now() < start + seconds * 1000) {
    const began = performance.now()
    const file = files[commits % files.length]
    try {
      await upsert(file)
      commits++
      last = file
    } catch (error) {
      errors.push(String(error))
    }
    if (perSecond > 0) await setTimeout(Math.max(0, 1000 / perSecond - (performance.now() - began)))
  }
  const taken = (performance.now() - start) / 1000
  const found = { errors: errors.length, firstError: errors.slice(0, 1) }
  return { commits, perSecond: commits / taken, ...found, last }
}

const commands = {
  load: ({ table, file }) =>
    withMaintenance(async () => {
      const { outcome } = await loadFiles(lake, table, [file], { key: keys[table] })
      committed(outcome)
    }),
  async ask({ question, times, check }) {
    let [answer, cost] = []
    for (let i = 0; i < times; i++)
      cost = await measured(async () => (answer = await ask(question)))
    return { ...cost, ...(check && { answer: answerSummary(answer) }) }
  },
  async write({ file }) {
    const { version } = await lake.head()
    const sql = `SELECT * FROM read_parquet('${file}')`
    const cost = await withMaintenance(async () =>
      committed(
        await lake.write('bench', async (tx) => void (await tx.upsert('reports', { sql }))),
      ),
    )
    return { ...cost, versions: (await lake.head()).version - version }
  },
  publish: () => measured(() => lake.publishViews()),
  join: () => ({}),
  read: ({ base, seconds }) => readUntil(base, seconds),
  writes: ({ files, seconds, perSecond }) => writeUntil(files, seconds, perSecond),
  async lost({ file }) {
    const expected = await valuesOf(file)
    const stored = new Map(pairsOf(await ask(NEWEST)))
    return { lost: [...expected].filter(([symbol, value]) => stored.get(symbol) !== value).length }
  },
  reopen: () => ({}),
  memory: () => ({ peakBytes: process.resourceUsage().maxRSS * 1024 }),
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)
say({ version: `marketlake ${process.env.npm_package_version ?? ''}`.trim() })
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    say(await commands[command.op](command))
  } catch (error) {
    say({ error: String(error).split('\n')[0] })
  }
}
await engine?.close()
await lake.close()
