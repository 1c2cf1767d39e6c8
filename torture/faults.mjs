/**
 * `npm run torture:faults [-- --operation NAME --every N --errors all --state FILE]`: every operation with every N-th system
 * call failing (once or for good, and with one error or another, in turn; or in all ways) or killing the process, the
 * engine's own calls included. Afterwards the lake must
 * be whole, the same operation succeed, and nothing be left over. With a state file a run that was stopped goes on.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { readLakeLog } from './check.mjs'
import { OPERATIONS, copyWorld, makeWorld } from './fault-operations.mjs'
import { loadPackage } from './package.mjs'

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    operation: { type: 'string', multiple: true },
    errors: { type: 'string', default: 'turn' },
    state: { type: 'string' },
  },
})
/** As `enum call` in `faultshim.c`, from 1 on. */
const CALLS = [
  'open',
  'write',
  'read',
  'sync',
  'link',
  'rename',
  'unlink',
  'mkdir',
  'list',
  'truncate',
  'copy',
  'chmod',
]
const ERRNOS = { EIO: 5, ENOSPC: 28, EDQUOT: 122, EMFILE: 24, EACCES: 13, EROFS: 30, ESTALE: 116 }
const NAMES = Object.keys(ERRNOS)
const KILL = -1
/** What fails for good leaves the disk as a kill does; a new process at every call would take most of the time. */
const KILL_EVERY = 10
/** Longer than any operation takes, also on a machine that does much else. */
const ANSWER_MAX_MS = 120_000

const base = mkdtempSync(join(tmpdir(), 'marketlake-faults-'))
const world = join(base, 'world')
const shim = join(base, 'faultshim.so')
const source = join(import.meta.dirname, 'faultshim.c')
execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl'])
const api = await loadPackage()
const child = { process: undefined, lines: undefined }

/** The process that does operations; a new one after a kill. */
function started() {
  if (child.process) return child
  const switchFile = join(base, 'switch')
  writeFileSync(switchFile, Buffer.alloc(24))
  const env = { ...process.env, LD_PRELOAD: shim, FAULT_DIR: world, FAULT_SWITCH: switchFile }
  const script = join(import.meta.dirname, 'faults-child.mjs')
  child.process = spawn(process.execPath, [script, world, switchFile], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.lines = createInterface({ input: child.process.stdout })[Symbol.asyncIterator]()
  child.process.stdin.on('error', () => undefined)
  return child
}

/** One operation there, and how it ended. */
async function perform(request) {
  const { process: running, lines } = started()
  running.stdin.write(`${JSON.stringify(request)}\n`)
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ late: true }), ANSWER_MAX_MS)
  })
  const line = await Promise.race([lines.next(), late])
  clearTimeout(timer)
  if (line.value !== undefined) return JSON.parse(line.value)
  child.process = undefined
  if (line.late) running.kill('SIGKILL')
  else if (running.exitCode === null && running.signalCode === null)
    await new Promise((resolve) => running.once('exit', resolve))
  const kind = line.late ? 'hung' : running.signalCode === 'SIGKILL' ? 'killed' : 'crashed'
  return { outcome: { kind }, hit: 1, descriptors: [] }
}

function prepare(name) {
  const copy = join(base, `template-${name}`)
  rmSync(world, { recursive: true, force: true })
  return existsSync(copy)
    ? copyWorld(copy, world)
    : makeWorld(api, name, world, copy).then(() => copyWorld(copy, world))
}

/** What is wrong after an operation that met a fault. */
async function problemsOf(operation, batch, fault, { outcome, descriptors }) {
  const problems = []
  const root = join(world, 'lake')
  const { kind, version, txnId } = outcome
  const byDuckdb = kind === 'crashed' && fault.persistent && OPERATIONS[operation].writesOldFile
  if (byDuckdb) total.ended++
  else if (kind === 'hung' || kind === 'crashed') problems.push(kind)
  if (kind === 'killed' && fault.code !== KILL) problems.push('killed')
  if (outcome.stack) problems.push(outcome.stack)
  if (descriptors.length > 0) problems.push(`descriptors are left: ${descriptors.join()}`)
  if (existsSync(join(root, '_lake'))) {
    const records = readLakeLog(root)
    for (const [i, { record, torn }] of records.entries())
      if (torn !== undefined || record.version !== i)
        problems.push(`record ${i} is torn or missing`)
    if (kind === 'committed' && version !== undefined && records[version]?.record?.txnId !== txnId)
      problems.push('an acknowledged commit is not there')
    if (kind === 'failed' && records.some(({ record }) => record?.note === batch))
      problems.push('a failed commit is visible')
  }
  const once = !fault.persistent && fault.code !== KILL
  if (once && fault.call !== 'unlink')
    problems.push(...leftOvers(batch, kind).map((path) => `left: ${path}`))
  const then = await perform({ operation, batch: `${batch}b`, again: true })
  if (then.outcome.kind !== 'committed')
    problems.push(`the same operation then: ${JSON.stringify(then.outcome)}`)
  // Where the same is not written again the Delta logs may wait for the next write.
  problems.push(...(await lakeProblems(root, once && OPERATIONS[operation].settles !== false)))
  return problems
}

/** Temporary files, half a copy, and the lease of a process that let go. */
function leftOvers(batch, kind) {
  return readdirSync(world, { recursive: true })
    .filter(
      (path) =>
        /\.tmp(?:\.wal)?$/.test(path) ||
        /_lake\/leases\/.*\.json$/.test(path) ||
        (kind === 'failed' && path === `backup-${batch}`),
    )
    .filter((path) => path !== 'lake/_lake/.left.tmp')
}

/** What the doctor could not mend; where nothing may be left to mend, what a look at the logs finds. */
async function lakeProblems(root, clean) {
  const lake = await api.openLake(root, { maintenance: false, onWarning: () => undefined })
  try {
    const problems = clean ? await lake.verify() : (await lake.doctor({ fix: true })).problems
    return problems.length === 0 ? [] : [JSON.stringify(problems.slice(0, 3))]
  } finally {
    await lake.close()
  }
}

/** The faults of one call: all, or one error in turn, once or for good in turn, and now and then a kill. */
function faultsAt(call, number) {
  const fault = (code, name, persistent) => ({ call, number, code, name, persistent })
  const failing = (name, persistent) =>
    fault(ERRNOS[name], persistent ? `${name} for good` : name, persistent)
  const kill = fault(KILL, 'kill', false)
  if (values.errors === 'all')
    return [false, true]
      .flatMap((persistent) => NAMES.map((name) => failing(name, persistent)))
      .concat(kill)
  const turn = number + CALLS.indexOf(call)
  const one = failing(NAMES[turn % NAMES.length], turn % 2 === 0)
  return (number - 1) % KILL_EVERY === 0 ? [one, kill] : [one]
}

/** `ended` counts processes that DuckDB ended over an old file; what they leave is checked like that of a kill. */
const total = { calls: 0, runs: 0, bad: 0, ended: 0 }

/** One run; false if the operation ended before the call. */
async function runOne(operation, fault) {
  const { call, number, code, persistent } = fault
  await prepare(OPERATIONS[operation].world)
  const batch = `b${total.runs}`
  const armed = [CALLS.indexOf(call) + 1, number, code, Number(persistent)]
  const answer = await perform({ operation, batch, fault: armed })
  if (!answer.hit) return false
  total.runs++
  const problems = await problemsOf(operation, batch, fault, answer).catch((error) => [error.stack])
  if (problems.length > 0) {
    total.bad++
    const { kind, code: errorCode, message } = answer.outcome
    print(
      `BAD ${operation} ${call} ${number} ${fault.name} (${kind} ${errorCode ?? ''} ${message ?? ''}): ${problems.join('; ')}`,
    )
  }
  return true
}

async function runCalls(operation, call) {
  const before = { ...total }
  for (let number = 1, more = true; more; number += Number(values.every)) {
    more = false
    for (const fault of faultsAt(call, number)) {
      if (!(await runOne(operation, fault))) break
      more = true
    }
    if (more) total.calls++
  }
  return Object.fromEntries(Object.entries(total).map(([name, n]) => [name, n - before[name]]))
}

function textOf({ calls, runs, bad, ended }) {
  return `${calls} calls, ${runs} runs, ${bad} bad${ended > 0 ? `, ${ended} ended by DuckDB` : ''}`
}

function print(text) {
  process.stdout.write(`${text}\n`)
}

const known = new Map()
if (values.state && existsSync(values.state))
  for (const line of readFileSync(values.state, 'utf8').trim().split('\n')) {
    const { operation, call, counts } = JSON.parse(line)
    known.set(`${operation} ${call}`, counts)
  }
for (const operation of values.operation ?? Object.keys(OPERATIONS)) {
  const sum = { calls: 0, runs: 0, bad: 0, ended: 0 }
  const startedMs = Date.now()
  for (const call of CALLS) {
    const before = known.get(`${operation} ${call}`)
    const counts = before ?? (await runCalls(operation, call))
    if (before) for (const name in total) total[name] += before[name]
    else if (values.state)
      appendFileSync(values.state, `${JSON.stringify({ operation, call, counts })}\n`)
    for (const name in sum) sum[name] += counts[name]
  }
  const seconds = Math.round((Date.now() - startedMs) / 1000)
  print(`${operation}: ${textOf(sum)}, ${seconds} s`)
}
print(textOf(total))
child.process?.stdin.end()
rmSync(base, { recursive: true, force: true })
process.exitCode = total.bad > 0 ? 1 : 0
