/**
 * `npm run simulate`: years of syncs against the simulated exchange with all its quirks, on a calendar that moves from
 * sync to sync; then the lake is held against the exchange's own record, vintage by vintage. Waits cost no time.
 *   --years N  --symbols M  --every DAYS  --kills K  --seed S  --faults SHARE  --quirks a,b  --keep  --json
 * Exit code 7 if the lake differs, 1 if a sync could not be brought to its end.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { QUIRKS } from '../dist/exchange/quirks.js'
import { startExchange } from '../dist/exchange/server.js'
import { createLake, openLake } from '../dist/lake/lake.js'
import { seedCalendar } from '../dist/model/calendar.js'
import { addDays } from '../dist/model/date.js'
import { realEffects } from '../dist/model/effects.js'
import { addQuarters, quarterEndBefore, quarterEnds } from '../dist/model/period.js'
import { checkLake } from './simulate-check.mjs'

const { values: options } = parseArgs({
  options: {
    years: { type: 'string', default: '2' },
    symbols: { type: 'string', default: '300' },
    every: { type: 'string', default: '30' },
    kills: { type: 'string', default: '0' },
    seed: { type: 'string', default: '20260930' },
    faults: { type: 'string', default: '0.01' },
    quirks: { type: 'string', default: QUIRKS.join(',') },
    plant: { type: 'string' },
    keep: { type: 'boolean' },
    json: { type: 'boolean' },
  },
})
const years = Number(options.years)
const symbols = Number(options.symbols)
const every = Number(options.every)
const seed = Number(options.seed)
/** The simulation ends where the built-in calendar still knows the day after. */
const LAST_DAY = '2026-06-30'
/** A sync without options reads this many quarters. */
const QUARTERS = 8
/** A sync that keeps failing on the same day is no accident. */
const ATTEMPTS_MAX = 100
const say = (text) => process.stderr.write(`${text}\n`)
const worker = fileURLToPath(new URL('simulated-sync.mjs', import.meta.url))

/** Days of syncs, oldest first; half past five in the afternoon in Shanghai. */
function daysOfSyncs() {
  const first = addDays(LAST_DAY, -Math.round(years * 365.25))
  const days = []
  for (let day = first; day <= LAST_DAY; day = addDays(day, every)) days.push(day)
  return days
}
const momentOf = (day) => Date.parse(`${day}T17:30:00+08:00`)
const readOn = (day) => {
  const newest = quarterEndBefore(day)
  return quarterEnds(addQuarters(newest, 1 - QUARTERS), newest)
}

/** Runs one sync in a process; killed after a while if asked. Undefined for one that was killed. */
function runSync(root, url, moment, killAfterMs) {
  const child = spawn(process.execPath, [worker, root, String(moment)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MARKETLAKE_EASTMONEY_URL: url },
  })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  const timer =
    killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (signal === 'SIGKILL') return done(undefined)
      if (code !== 0) return failed(new Error(`a sync ended with ${code}: ${text}`))
      done(JSON.parse(text))
    })
  })
}

function random(state) {
  let x = state >>> 0 || 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) / 2 ** 32
  }
}

async function simulate(root) {
  const days = daysOfSyncs()
  const exchange = await startExchange({
    seed,
    symbols,
    today: days[0],
    quirks: options.quirks.split(',').filter((name) => name !== ''),
    faultShare: Number(options.faults),
  })
  const lake = await createLake(root, {
    effects: { ...realEffects, now: () => momentOf(days[0]) - 86_400_000 },
  })
  await lake.close()
  const draw = random(seed)
  const totals = {
    syncs: 0,
    kills: 0,
    retried: 0,
    requests: 0,
    commits: 0,
    tookMs: 0,
    peakBytes: 0,
  }
  let meanMs = 1500
  const [killsWanted, started] = [Number(options.kills), performance.now()]
  try {
    for (const [i, day] of days.entries()) {
      exchange.setToday(day)
      let moment = momentOf(day)
      for (let attempt = 0; ; attempt++) {
        if (attempt === ATTEMPTS_MAX) throw new Error(`the sync of ${day} never came to its end`)
        const due = Math.round((killsWanted * (i + 1)) / days.length)
        const kill = totals.kills < due ? draw() * meanMs : undefined
        const at = performance.now()
        const result = await runSync(root, exchange.url, moment, kill)
        totals.syncs++
        moment += 60_000
        if (!result) {
          totals.kills++
          continue
        }
        meanMs = meanMs * 0.7 + (performance.now() - at) * 0.3
        totals.requests += result.requests
        totals.commits += result.commits
        totals.tookMs += result.tookMs
        totals.peakBytes = Math.max(totals.peakBytes, result.peakBytes)
        if (result.left === 0 && result.failed.length === 0) {
          // A kill that came too late is made up for, so that as many hit as were asked for.
          if (totals.kills >= due) break
          continue
        }
        totals.retried++
        // The circuit of a host opens again after some minutes.
        moment += 1_800_000
      }
      if (i % 10 === 9 || i === days.length - 1)
        say(
          `${day}: ${i + 1} of ${days.length} days, ${totals.requests} requests, ${totals.kills} kills, ${Math.round((performance.now() - started) / 1000)} s`,
        )
    }
    if (options.plant) await plant(root, options.plant)
    return {
      totals,
      days,
      ...(await check(root, exchange, days)),
      seconds: (performance.now() - started) / 1000,
    }
  } finally {
    await exchange.close()
  }
}

/** A fault put into the finished lake, which the check must find: the check is checked. */
async function plant(root, what) {
  const where = { vintage: 'vintage = 2', report: `symbol = '600001.SH'` }[what]
  if (where === undefined) throw new Error(`unknown fault: ${what}`)
  const lake = await openLake(root)
  await lake.write('planted', async (tx) => void (await tx.delete('balance', where)))
  await lake.close()
}

async function check(root, exchange, days) {
  say('comparing the lake with the exchange')
  const lake = await openLake(root)
  const { tables } = await lake.head()
  const problems = await lake.verify({ deep: true })
  const info = await lake.tables()
  await lake.close()
  const periods = [...new Set(days.flatMap(readOn))].sort()
  const world = (day) => ({ ...exchange.world(), today: day })
  const found = await checkLake({
    root,
    paths: Object.fromEntries(Object.entries(tables).map(([name, { path }]) => [name, path])),
    world,
    periods,
    daysOf: (period) => days.filter((day) => readOn(day).includes(period)),
    calendar: seedCalendar().flatMap(({ date, is_open }) => (is_open ? [date] : [])),
  })
  const files = info.reduce((sum, table) => sum + table.files, 0)
  return { ...found, problems, periods: periods.length, files, bytes: bytesBelow(root) }
}

function bytesBelow(directory) {
  return readdirSync(directory, { recursive: true }).reduce((sum, name) => {
    const stat = statSync(join(directory, String(name)))
    return sum + (stat.isFile() ? stat.size : 0)
  }, 0)
}

const root = mkdtempSync(join(tmpdir(), 'marketlake-simulate-'))
try {
  const result = await simulate(join(root, 'lake'))
  const { totals } = result
  const again = `npm run simulate -- --years ${years} --symbols ${symbols} --every ${every} --kills ${options.kills} --seed ${seed} --faults ${options.faults}`
  if (options.json)
    process.stdout.write(`${JSON.stringify({ ...result, days: result.days.length, again })}\n`)
  else {
    const lines = [
      `${result.days.length} days of syncs over ${years} years, ${symbols} companies, ${totals.syncs} syncs, of which ${totals.kills} killed and ${totals.retried} repeated because of failed units`,
      `${totals.requests} requests, ${Math.round(totals.tookMs / 60_000)} minutes at the real pace with all waits, ${totals.commits} commits`,
      `${result.reports} reports in ${result.vintages} vintages, ${result.files} live files, ${(result.bytes / 1e6).toFixed(1)} MB on disk, peak memory of a sync ${(totals.peakBytes / 1e6).toFixed(0)} MB`,
      `content ${result.hash}`,
      result.different === 0 && result.problems.length === 0
        ? `equal to the exchange's record, vintage by vintage (${Math.round(result.seconds)} s)`
        : `DIFFERENT in ${result.different} places: ${result.differences.join('\n  ')} ${JSON.stringify(result.problems)}`,
      `again: ${again}`,
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
  }
  process.exitCode = result.different === 0 && result.problems.length === 0 ? 0 : 7
} finally {
  if (options.keep) say(`kept: ${root}`)
  else rmSync(root, { recursive: true, force: true })
}
