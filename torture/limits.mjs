/**
 * `npm run torture:limits [-- --only GROUP] [--memory 128 --times 4] [--versions N --tables N --files N]`: peak memory,
 * time and descriptors of each operation, each in a process of its own, on a table so many times larger than the memory
 * limit, and in lakes of many versions, tables and files. Linux only: it reads /proc.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { atEnd } from './disk.mjs'
import { GROUPS } from './limits-groups.mjs'
import { peakMbOf } from './limits-lake.mjs'
import { loadPackage } from './package.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    memory: { type: 'string', default: '128' },
    times: { type: 'string', default: '4' },
    versions: { type: 'string', default: '10000' },
    tables: { type: 'string', default: '100' },
    files: { type: 'string', default: '100000' },
    child: { type: 'string' },
    base: { type: 'string' },
  },
})
const sizes = Object.fromEntries(
  ['memory', 'times', 'versions', 'tables', 'files'].map((name) => [name, Number(values[name])]),
)

if (values.child === undefined) await runGroups()
else await runChild(JSON.parse(values.child))

/** One operation, in this process; prints what it took. */
async function runChild({ group, operation }) {
  const api = await loadPackage()
  const root = join(values.base, 'lake')
  const descriptors = () => readdirSync('/proc/self/fd').length
  const before = descriptors()
  let most = before
  const watch = setInterval(() => (most = Math.max(most, descriptors())), 20)
  const startedMs = Date.now()
  const result = await GROUPS[group].operations[operation]({ api, root, base: values.base, sizes })
  // What it did in words, or in another process, with what that one took.
  const told = typeof result === 'object' ? result : { note: result }
  const seconds = (Date.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage()
  const cpuSeconds = (user + system) / 1e6
  clearInterval(watch)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const peakMb = peakMbOf('self')
  const left = descriptors() - before
  process.stdout.write(
    `\n${JSON.stringify({ peakMb, seconds, cpuSeconds, most, left, ...told })}\n`,
  )
}

async function runGroups() {
  for (const [name, group] of Object.entries(GROUPS))
    if (values.only === undefined || values.only.split(',').includes(name))
      await runGroup(name, group)
}

/** The operations of a group, one after the other, on one lake. */
async function runGroup(name, group) {
  const base = mkdtempSync(join(tmpdir(), 'marketlake-limits-'))
  const clear = () => rmSync(base, { recursive: true, force: true })
  const forget = atEnd(clear)
  await makeLake(join(base, 'lake'))
  process.stdout.write(`\n${name}: memory_limit ${sizes.memory} MB, ${group.title(sizes)}\n`)
  process.stdout.write(
    '| operation | peak | time | of the processors | descriptors |\n|---|---|---|---|---|\n',
  )
  for (const operation of Object.keys(group.operations)) {
    const { status, stdout, stderr } = await operate(base, name, operation)
    const result = status === 0 ? JSON.parse(stdout.trim().split('\n').at(-1)) : undefined
    if (!result) process.exitCode = 1
    process.stdout.write(result ? row(operation, result) : failed(operation, status, stderr))
  }
  clear()
  forget()
}

/** The file of configuration lets a vacuum keep next to nothing. */
async function makeLake(root) {
  const api = await loadPackage()
  mkdirSync(root)
  const effects = { now: Date.now, uuid: () => crypto.randomUUID(), random: Math.random }
  await api.initLake({ files: api.localFiles, effects, root })
  writeFileSync(
    join(root, 'lake.toml'),
    `[limits]\nmemory = "${sizes.memory}MB"\nthreads = 2\n[retention]\nversions = "1 second"\nstaged = "1 second"\n`,
  )
}

async function operate(base, group, operation) {
  const given = Object.entries(sizes).map(([name, size]) => `--${name}=${size}`)
  const task = JSON.stringify({ group, operation })
  const child = spawn(
    process.execPath,
    [import.meta.filename, `--child=${task}`, `--base=${base}`, ...given],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const forget = atEnd(() => child.kill('SIGKILL'))
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (said[name] += text))
  const status = await new Promise((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal)),
  )
  forget()
  return { ...said, status }
}

function row(operation, { peakMb, seconds, cpuSeconds, note, most, left }) {
  const what = note === undefined ? operation : `${operation}: ${note}`
  return `| ${what} | ${peakMb} MB | ${seconds.toFixed(1)} s | ${cpuSeconds.toFixed(1)} s | ${most} open, ${left} left |\n`
}

function failed(operation, status, stderr) {
  return `| ${operation} | FAILED: ${status} | ${stderr.trim().slice(0, 600).replaceAll('\n', ' ')} | |\n`
}
