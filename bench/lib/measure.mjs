/** Measuring: interleaved rounds, medians, processor time, bytes and processes. */
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Syncs that this process asked for through Node; DuckDB's own are not among them. */
let syncs = 0
{
  const handle = await open(fileURLToPath(import.meta.url))
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  const { sync } = prototype
  prototype.sync = function () {
    syncs++
    return sync.call(this)
  }
}

/**
 * Runs each task of a set once a round, in turn, so that a busy moment meets all of them. With `root`, what each
 * wrote below that directory is counted, outside the time: bytes, files and syncs.
 */
export async function interleaved(tasks, rounds, warmUps = 2, root) {
  const runs = Object.fromEntries(Object.keys(tasks).map((name) => [name, []]))
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, task] of Object.entries(tasks)) {
      const run = root === undefined ? await costed(task) : await observed(task, root)
      if (round >= 0) runs[name].push(run)
    }
  }
  return Object.fromEntries(Object.entries(runs).map(([name, all]) => [name, summaryOf(all)]))
}

/** What a task costs, and what it wrote below a directory. */
export async function observed(task, root) {
  const [before, syncsBefore] = [filesBelow(root), syncs]
  const cost = await costed(task)
  const after = filesBelow(root)
  const written = [...after].filter(([path, size]) => before.get(path) !== size)
  const bytes = written.reduce((sum, [, size]) => sum + size, 0)
  return { ...cost, bytes, files: written.length, syncs: syncs - syncsBefore }
}

/** Times of runs, and the median of everything else that was seen. */
export function summaryOf(runs) {
  const medians = Object.keys(runs[0]).map((key) => {
    const sorted = runs.map((run) => run[key]).toSorted((a, b) => a - b)
    return [key, sorted[Math.floor(sorted.length / 2)]]
  })
  return { ...Object.fromEntries(medians), ...summary(runs.map((run) => run.ms)) }
}

/** Milliseconds that a task takes. */
export async function timed(task) {
  const start = performance.now()
  await task()
  return performance.now() - start
}

/** Milliseconds and processor milliseconds of this process. */
export async function costed(task) {
  const cpu = process.cpuUsage()
  const ms = await timed(task)
  const used = process.cpuUsage(cpu)
  return { ms, cpuMs: (used.user + used.system) / 1000 }
}

/** Median, minimum and 99th percentile. */
export function summary(times) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { median: at(0.5), min: sorted[0], p99: at(0.99), runs: sorted.length }
}

/** Files below a directory, with their sizes. */
export function filesBelow(directory) {
  const found = new Map()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath ?? entry.path, entry.name)
    try {
      found.set(path, statSync(path).size)
    } catch {
      // Gone since it was listed.
    }
  }
  return found
}

/** Bytes of files that are new or changed in size since. */
export function bytesSince(before, directory) {
  let bytes = 0
  for (const [path, size] of filesBelow(directory)) if (before.get(path) !== size) bytes += size
  return bytes
}

/** Starts a program and waits for its end. */
export function run(args, options = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Starts a program that prints one JSON document at its end. */
export function startJson(args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) =>
      code === 0 ? done(JSON.parse(text)) : failed(new Error(`${args[0]} ended with ${code}`)),
    )
  })
}
