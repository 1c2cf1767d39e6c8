/** One torture run: a lake, its crew, faults from outside, and the checker at the end. */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory } from './check.mjs'
import { Crew } from './crew.mjs'
import { atEnd, keepLake, unmountDisk } from './disk.mjs'
import { finalCheck } from './final.mjs'
import { openHistory, readHistory } from './history.mjs'
import { createTables, seeded } from './model.mjs'
import { loadPackage } from './package.mjs'

const pause = (timeMs) => new Promise((resolve) => setTimeout(resolve, timeMs))

export const DEFAULTS = {
  seconds: 60,
  seed: 1,
  writers: 3,
  readers: 2,
  fileReaders: 1,
  /** Mean time between two faults. */
  faultMs: 700,
  /** After the faults every writer must commit within this. */
  calmMs: 60_000,
  /** Clocks of the processes are wrong by up to this. */
  skewMs: 1500,
  retentionSeconds: 8,
  stagedSeconds: 4,
  fullDisk: true,
  foreign: undefined,
}

/** Runs it; resolves to `{ violations, counts, seed, directory }`. Everything is removed unless something was found. */
export async function torture(options = {}) {
  const settings = { ...DEFAULTS, ...options }
  const chance = seeded(settings.seed)
  const base = mkdtempSync(join(tmpdir(), 'marketlake-torture-'))
  const history = join(base, 'history')
  mkdirSync(history)
  const disk = settings.fullDisk ? mountSmallDisk(join(base, 'disk')) : undefined
  const root = join(disk ?? base, 'lake')
  const end = (keep) => {
    if (keep) keepLake(root, base)
    if (disk !== undefined) unmountDisk(disk)
    if (!keep) rmSync(base, { recursive: true, force: true })
  }
  const forget = atEnd(() => end(false))
  const log = openHistory(history, 'harness')
  const startedMs = Date.now()
  try {
    await createLakeAt(root, settings)
    const crew = new Crew(
      { root, history, ...settings, longMs: settings.retentionSeconds * 2000 },
      log,
    )
    startCrew(crew, settings)
    const archive = startArchive(root, history)
    await faults({
      crew,
      chance,
      log,
      disk,
      faultMs: settings.faultMs,
      // The time of the faults, however long the lake took to make.
      untilMs: Date.now() + settings.seconds * 1000,
      isFound: settings.untilFound && (() => found(root, history, settings)),
    })
    log({ e: 'calm' })
    await untilAllWrite(history, settings, Date.now())
    const late = await crew.finish(60_000)
    archive()
    const result = await conclude({ root, history, settings, late })
    result.seconds = Math.round((Date.now() - startedMs) / 1000)
    end(result.violations.length > 0)
    return { ...result, seed: settings.seed, directory: base }
  } catch (error) {
    end(true)
    throw new Error(`seed ${settings.seed}, ${base}: ${error.message}`, { cause: error })
  } finally {
    forget()
  }
}

/** The lake of a run. */
export async function createLakeAt(root, settings) {
  const api = await loadPackage()
  mkdirSync(root, { recursive: true })
  writeFileSync(
    join(root, 'lake.toml'),
    `[retention]
versions = "${settings.retentionSeconds} seconds"
files = "${settings.retentionSeconds} seconds"
staged = "${settings.stagedSeconds} seconds"
[limits]
memory = "400MB"
threads = 1
`,
  )
  await api.initLake({ files: api.localFiles, effects: effectsOf(), root })
  const lake = await api.openLake(root)
  const outcome = await lake.write('tables', (tx) => createTables(tx, api))
  if (outcome.kind !== 'committed') throw new Error(`no tables: ${outcome.reason}`)
  await lake.publishViews()
  await lake.close()
}

function effectsOf() {
  return {
    now: () => Date.now(),
    uuid: () => crypto.randomUUID(),
    random: () => Math.random(),
    sleep: pause,
  }
}

function startCrew(crew, settings) {
  for (let id = 0; id < settings.writers; id++)
    crew.start({ role: 'writer', id, maintenance: id === 0 })
  for (let id = 0; id < settings.readers; id++) crew.start({ role: 'engine', id })
  for (let id = 0; id < settings.fileReaders; id++) crew.start({ role: 'file', id })
  crew.start({ role: 'maintenance', id: 0 })
  if (settings.foreign) {
    const env = { PYTHONPATH: settings.foreign }
    for (const id of [0, 1]) crew.start({ role: 'foreign', id, env })
  }
}

/** Records below the horizon shrink to stubs; the checker wants them whole. Returns what ends it. */
function startArchive(root, history) {
  const archive = join(history, 'records')
  mkdirSync(archive)
  const copy = () => {
    for (const name of readdirSync(join(root, '_lake')))
      if (/^\d{20}\.json$/.test(name) && !existsSync(join(archive, name)))
        copyFileSync(join(root, '_lake', name), join(archive, name))
  }
  const timer = setInterval(copy, 1000)
  return () => {
    clearInterval(timer)
    copy()
  }
}

const agesOf = ({ retentionSeconds, skewMs }) => ({ retentionMs: retentionSeconds * 1000, skewMs })

/** Without faults every writer commits; how soon depends on the machine. */
async function untilAllWrite(history, { writers, calmMs }, sinceMs) {
  const written = () => {
    const events = readHistory(history).filter(
      (event) => event.e === 'committed' && event.t > sinceMs,
    )
    return new Set(events.map((event) => event.proc.split('.')[0])).size
  }
  const until = sinceMs + calmMs
  while (Date.now() < until && written() < writers) await pause(500)
}

/** True as soon as the history so far shows something wrong. */
function found(root, history, settings) {
  const events = readHistory(history)
  return checkHistory(root, events, agesOf(settings)).violations.length > 0
}

async function faults({ crew, chance, log, disk, faultMs, untilMs, isFound }) {
  let lastFullMs = 0
  let lastLookMs = Date.now()
  while (Date.now() < untilMs) {
    if (isFound && Date.now() - lastLookMs > 3000) {
      if (isFound()) return
      lastLookMs = Date.now()
    }
    await pause(Math.min(50 + -Math.log(1 - chance()) * faultMs, untilMs - Date.now() + 1))
    const dice = chance()
    if (disk !== undefined && dice < 0.1 && Date.now() - lastFullMs > 8000) {
      await fillDisk(disk, 300 + chance() * 1500, log)
      lastFullMs = Date.now()
    } else if (dice < 0.6) crew.kill(crew.pick(chance))
    else crew.pause(crew.pick(chance), chance() < 0.04 ? 6000 + chance() * 6000 : chance() * 1500)
  }
}

/** A disk of its own that can be filled; undefined, and a word about it, where that is not allowed. */
function mountSmallDisk(path) {
  try {
    mkdirSync(path)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700m', 'tmpfs', path], { stdio: 'ignore' })
    return path
  } catch {
    process.stderr.write('no full disks in this run: mounting needs root\n')
    return undefined
  }
}

async function fillDisk(disk, timeMs, log) {
  const fill = join(disk, 'fill')
  try {
    const { bavail, bsize } = statfsSync(disk)
    log({ e: 'full', timeMs })
    execFileSync('fallocate', ['-l', String(Math.max(4096, bavail * bsize)), fill], {
      stdio: 'ignore',
    })
    await pause(timeMs)
  } catch {
    // Somebody else took the last block meanwhile.
  } finally {
    rmSync(fill, { force: true })
  }
}

async function conclude({ root, history, settings, late }) {
  const events = readHistory(history)
  const { violations, counts, state, outside } = checkHistory(root, events, {
    archive: join(history, 'records'),
    ...agesOf(settings),
  })
  for (const proc of late) violations.push({ law: 'H16 liveness', proc, message: 'did not end' })
  const calm = events.find((event) => event.e === 'calm')
  for (let id = 0; id < settings.writers; id++) {
    const alive = events.some(
      (e) => e.e === 'committed' && e.t > calm.t && e.proc.startsWith(`writer${id}.`),
    )
    if (!alive)
      violations.push({
        law: 'H16 liveness',
        proc: `writer${id}`,
        message: 'nothing after the faults',
      })
  }
  violations.push(...(await finalCheck(root, { state, outside, clean: violations.length === 0 })))
  return { violations, counts }
}
