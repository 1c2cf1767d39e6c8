/**
 * `npm run bench:sync`: a sync of one quarter while readers ask, beside the same sync alone and the same readers
 * idle; and the memory of a first sync of eight quarters. The exchange is a process of its own, without pace.
 * Options: --symbols N, --readers N, --rounds N, --idle SECONDS, --json, --write.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createLake } from '../dist/index.js'
import { startJson, summary } from './lib/measure.mjs'
import { markdown, writeSection } from './lib/section.mjs'

const { values: options } = parseArgs({
  options: {
    symbols: { type: 'string', default: '5400' },
    readers: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    idle: { type: 'string', default: '8' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
  },
})
const readers = Number(options.readers)
const [QUARTER, TODAY] = ['2026-09-30', '2026-11-25']
const HISTORY = ['2024-09-30', '2026-06-30']
/** A reader that rests between two questions, as people and strategies do, and one that never does. */
const PAUSES_MS = { busy: 25, restless: 0 }
const directory = mkdtempSync(join(tmpdir(), 'marketlake-sync-'))
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const say = (text) => process.stderr.write(`${text}\n`)
const rest = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000))

/** A child that speaks in lines. */
function startLines(args) {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${args[0]} ended too early`)
    return value
  }
  return { child, next, say: (word) => child.stdin.write(`${word}\n`) }
}

async function startExchange() {
  const exchange = startLines(
    [here('../scripts/exchange.mjs'), '--port', '0', '--symbols', options.symbols].concat([
      '--today',
      TODAY,
    ]),
  )
  const url = /^http\S+/.exec(await exchange.next())[0]
  process.env.MARKETLAKE_EASTMONEY_URL = url
  return exchange
}

async function synced(root, since, until) {
  const result = await startJson([here('workers/sync.mjs'), root, since, until])
  if (result.outcome !== 'committed') throw new Error(JSON.stringify(result))
  return result
}

/** A lake with the eight quarters before the one that is measured. */
async function firstSync(root) {
  await (await createLake(root)).close()
  writeFileSync(join(root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 0\n')
  return synced(root, ...HISTORY)
}

const copied = (name, from) => {
  const root = join(directory, name)
  cpSync(from, root, { recursive: true })
  return root
}

/** Readers that are idle for a while, and then ask beside a sync. */
async function beside(root, pauseMs) {
  const children = Array.from({ length: readers }, () =>
    startLines([here('workers/sync-reader.mjs'), root, QUARTER, String(pauseMs)]),
  )
  const tell = (word) => children.forEach((child) => child.say(word))
  try {
    for (const child of children) await child.next()
    tell('idle')
    await rest(Number(options.idle))
    tell('beside')
    const result = await synced(root, QUARTER, QUARTER)
    tell('after')
    await rest(1)
    tell('end')
    const asked = []
    for (const child of children) asked.push(JSON.parse(await child.next()))
    return { ...result, ...looked(asked) }
  } finally {
    for (const { child } of children) child.kill()
  }
}

/** What readers saw: the quarter is there with all its tables or not at all, so two answers are whole. */
function looked(asked) {
  const all = new Set(asked.flatMap((reader) => reader.seen))
  const whole = [...all].find((counts) => !counts.split(' ').includes('0'))
  const none = ['0', '0', '0', '0'].join(' ')
  const torn = [...all].filter((counts) => counts !== none && counts !== whole)
  const late = asked.filter((reader) => !reader.seen.includes(whole))
  const errors = asked.flatMap((reader) => reader.errors)
  if (late.length > 0 && errors.length === 0) throw new Error('a reader never saw the new quarter')
  const times = (phase) => asked.flatMap((reader) => reader.phases[phase] ?? [])
  return { idle: times('idle'), beside: times('beside'), errors, torn }
}

/** Medians of some rounds; the answers of all rounds together. */
function together(rounds) {
  const median = (of) => summary(rounds.map(of)).median
  const answers = (phase) => {
    const times = rounds.flatMap((round) => round[phase] ?? [])
    return times.length === 0 ? undefined : summary(times)
  }
  return {
    ms: median((round) => round.ms),
    cpuMs: median((round) => round.cpuMs),
    peakMemoryBytes: Math.max(...rounds.map((round) => round.peakMemoryBytes)),
    rows: rounds[0].inserted,
    requests: rounds[0].requests,
    idle: answers('idle'),
    beside: answers('beside'),
    errors: rounds.flatMap((round) => round.errors ?? []),
    torn: rounds.flatMap((round) => round.torn ?? []),
  }
}

/** In turns, so that a busy moment of the machine meets all of them. */
async function measured(seed) {
  const rounds = { alone: [], busy: [], restless: [] }
  for (let i = 0; i < Number(options.rounds); i++) {
    for (const name of Object.keys(rounds)) {
      const root = copied('round', seed)
      const pauseMs = PAUSES_MS[name]
      rounds[name].push(
        pauseMs === undefined ? await synced(root, QUARTER, QUARTER) : await beside(root, pauseMs),
      )
      rmSync(root, { recursive: true })
      say(`round ${i + 1}, ${name}: ${Math.round(rounds[name].at(-1).ms)} ms`)
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, together(all)]))
}

function tableOf({ first, alone, busy, restless }) {
  const all = [first, alone, busy, restless]
  const ms = (value) => value.toFixed(1)
  const ratio = (run) => (run.ms / alone.ms).toFixed(2)
  const answer = (of) => all.map((run) => (run.beside ? of(run) : '–'))
  const row = (name, of) => [name, ...all.map(of)]
  const slower = (key) => (run) =>
    `${ms(run.beside[key])} (${(run.beside[key] / run.idle[key]).toFixed(1)})`
  return markdown(
    [
      'a sync',
      'eight quarters, alone',
      'one quarter, alone',
      'beside busy readers',
      'beside restless readers',
    ],
    [
      row('seconds', (run) => (run.ms / 1000).toFixed(1)),
      ['times alone', '–', '1.00', ratio(busy), ratio(restless)],
      row('its CPU seconds', (run) => (run.cpuMs / 1000).toFixed(1)),
      row('rows', (run) => run.rows),
      row('rows/s', (run) => Math.round((run.rows / run.ms) * 1000)),
      row('requests', (run) => run.requests),
      row('requests/s', (run) => ((run.requests / run.ms) * 1000).toFixed(1)),
      row('peak memory of its process, MB', (run) => Math.round(run.peakMemoryBytes / 1e6)),
      ['answers beside it', ...answer((run) => run.beside.runs)],
      ['errors of readers', ...answer((run) => run.errors.length)],
      ['torn answers', ...answer((run) => run.torn.length)],
      ['p50 of an idle reader, ms', ...answer((run) => ms(run.idle.median))],
      ['p50 beside the sync, ms (times idle)', ...answer(slower('median'))],
      ['p99 of an idle reader, ms', ...answer((run) => ms(run.idle.p99))],
      ['p99 beside the sync, ms (times idle)', ...answer(slower('p99'))],
    ],
  )
}

const exchange = await startExchange()
try {
  const seed = join(directory, 'seed')
  const first = together([await firstSync(seed)])
  say(`eight quarters: ${Math.round(first.ms)} ms, ${Math.round(first.peakMemoryBytes / 1e6)} MB`)
  const result = { symbols: Number(options.symbols), readers, first, ...(await measured(seed)) }
  const text = `${options.symbols} companies, ${readers} reader processes that follow the lake; median of ${options.rounds}. A busy reader rests ${PAUSES_MS.busy} ms between two questions, a restless one never; an idle one asks the same while nothing is written.\n\n${tableOf(result)}`
  if (options.write) writeSection('sync', text)
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  const bad = [result.busy, result.restless].flatMap((run) => [...run.errors, ...run.torn])
  if (bad.length > 0) {
    say(`readers saw: ${bad.slice(0, 5).join('; ')}`)
    process.exitCode = 1
  }
} finally {
  exchange.child.kill()
  rmSync(directory, { recursive: true, force: true })
}
