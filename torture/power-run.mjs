/** Power cuts: a file system on a loop device loses everything that was not synced, again and again, on one lake. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory } from './check.mjs'
import { Crew } from './crew.mjs'
import { atEnd, keepLake, unmountDisk } from './disk.mjs'
import { checkState } from './final.mjs'
import { openHistory, readHistory } from './history.mjs'
import { seeded } from './model.mjs'
import { DEFAULTS, createLakeAt } from './run.mjs'

const IMAGE_MB = 400
const pause = (timeMs) => new Promise((resolve) => setTimeout(resolve, timeMs))
const run = (command, ...args) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

/** Installs the tools where they are missing; throws, in words, where that cannot be done. */
function prepare(fs) {
  if (process.getuid?.() !== 0) throw new Error('power cuts need root, for loop devices and mounts')
  for (const [tool, name] of [
    ['xfs_io', 'xfsprogs'],
    [`mkfs.${fs}`, fs === 'xfs' ? 'xfsprogs' : 'e2fsprogs'],
  ]) {
    try {
      run('sh', '-c', `command -v ${tool}`)
    } catch {
      run('apt-get', 'install', '-y', name)
    }
  }
}

/** Cuts the power so often; stops at the first cut after which something is wrong, and keeps that lake. */
export async function powerCuts(options) {
  prepare(options.fs)
  const base = mkdtempSync(join(tmpdir(), `marketlake-power-${options.fs}-`))
  const mount = join(base, 'disk')
  const end = (keep) => {
    if (keep) keepLake(join(mount, 'lake'), base)
    unmountDisk(mount)
    rmSync(keep ? join(base, 'image') : base, { recursive: true, force: true })
  }
  const forget = atEnd(() => end(false))
  let found = true
  try {
    const result = await cutAgain(base, mount, options)
    found = result.violations.length > 0
    if (found) result.violations.push({ law: 'see', base })
    return result
  } finally {
    end(found)
    forget()
  }
}

async function cutAgain(base, mount, { fs, cuts, seed, onCut = () => undefined, rules = {} }) {
  const image = join(base, 'image')
  const history = join(base, 'history')
  for (const directory of [mount, history]) mkdirSync(directory)
  run('truncate', '-s', `${IMAGE_MB}M`, image)
  run(`mkfs.${fs}`, '-q', image)
  run('mount', '-o', 'loop', image, mount)
  const settings = {
    ...DEFAULTS,
    retentionSeconds: 20,
    stagedSeconds: 10,
    skewMs: 0,
    seed,
    ...rules,
  }
  const root = join(mount, 'lake')
  await createLakeAt(root, settings)
  run('sync', '-f', mount)
  const chance = seeded(seed)
  const log = openHistory(history, 'harness')
  const startedMs = Date.now()
  const windows = []
  let result = { violations: [], counts: {} }
  let done = 0
  while (done < cuts && result.violations.length === 0) {
    windows.push(
      await cutOnce({ mount, image, root, history, settings, chance, log, incarnation: done }),
    )
    done++
    const events = readHistory(history)
    result = checkHistory(root, events, { cuts: windows })
    result.violations.push(...(await checkState(root, result.state)))
    onCut(
      `${fs} cut ${done}: ${result.counts.acknowledged} acknowledged, ${result.violations.length} violations\n`,
    )
  }
  return { ...result, cuts: done, seconds: Math.round((Date.now() - startedMs) / 1000) }
}

async function cutOnce({ mount, image, root, history, settings, chance, log, incarnation }) {
  const crew = new Crew(
    {
      ...settings,
      root,
      history,
      seed: settings.seed + incarnation * 1000,
      prefix: `${incarnation}.`,
    },
    log,
  )
  crew.start({ role: 'writer', id: 0, maintenance: true })
  crew.start({ role: 'writer', id: 1, maintenance: false })
  if (incarnation % 3 === 0) crew.start({ role: 'maintenance', id: 0 })
  const sharp = chance() < 0.5
  await untilAcknowledged(history, `.${incarnation}.`, 2 + chance() * 20, sharp ? 5 : 100)
  if (sharp) {
    // Nobody's next sync may save what was just acknowledged.
    crew.stopAll()
  } else {
    if (chance() < 0.3) crew.kill(crew.pick(chance))
    await pause(chance() * 300)
  }
  const from = Date.now()
  run('xfs_io', '-x', '-c', 'shutdown', mount)
  await crew.killAll()
  await unmount(mount)
  run('mount', '-o', 'loop', image, mount)
  const to = Date.now()
  log({ e: 'cut', from })
  if (!existsSync(root)) throw new Error('the lake itself is gone')
  // An answer written down after the cut is no promise: xfs lets the sync of a directory succeed on a dead disk.
  return [from, to]
}

/** Waits until the processes of this round acknowledged so much: a cut before the first commit would show nothing. */
async function untilAcknowledged(history, round, count, lookMs) {
  const acknowledged = () =>
    readdirSync(history)
      .filter((name) => name.includes(round))
      .reduce(
        (sum, name) =>
          sum + readFileSync(join(history, name), 'utf8').split('"committed"').length - 1,
        0,
      )
  const until = Date.now() + 20_000
  while (acknowledged() < count && Date.now() < until) await pause(lookMs)
}

async function unmount(mount) {
  for (let attempt = 0; ; attempt++) {
    try {
      run('umount', mount)
      return
    } catch (error) {
      if (attempt > 40) throw error
      await pause(100)
    }
  }
}
