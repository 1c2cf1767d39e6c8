/**
 * `npm run torture:faults [-- --every N] [--only OPERATION]`: every operation with every N-th system call failing or killing
 * the process, the engine's own calls included. Afterwards the lake must be whole and the same operation succeed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readLakeLog } from './check.mjs'
import { loadPackage } from './package.mjs'

const { values } = parseArgs({
  options: { every: { type: 'string', default: '1' }, only: { type: 'string' } },
})
const OPERATIONS = [
  'append',
  'upsert',
  'multi',
  'create',
  'delete',
  'optimize',
  'vacuum',
  'restore',
  'tag',
  'views',
  'backup',
  'query',
]
const CALLS = ['open', 'write', 'read', 'fsync', 'link', 'rename', 'unlink', 'mkdir']
const ERRNOS = {
  EIO: 5,
  ENOSPC: 28,
  EDQUOT: 122,
  EMFILE: 24,
  EACCES: 13,
  EROFS: 30,
  ESTALE: 116,
  kill: -1,
}
const CHILD = join(import.meta.dirname, 'faults-child.mjs')

const base = mkdtempSync(join(tmpdir(), 'marketlake-faults-'))
const shim = join(base, 'faultshim.so')
execFileSync('cc', [
  '-shared',
  '-fPIC',
  '-O1',
  '-o',
  shim,
  join(import.meta.dirname, 'faultshim.c'),
  '-ldl',
])
const template = join(base, 'template')
const api = await loadPackage()
await makeTemplate()

/** A lake with a history, of which a vacuum has something to take. */
async function makeTemplate() {
  const effects = { now: Date.now, uuid: () => crypto.randomUUID(), random: Math.random }
  await api.initLake({ files: api.localFiles, effects, root: template })
  writeFileSync(
    join(template, 'lake.toml'),
    '[retention]\nversions = "0 seconds"\nfiles = "0 seconds"\nstaged = "0 seconds"\n',
  )
  const lake = await api.openLake(template, { maintenance: false, lease: false })
  const { field, schemaOf } = api
  await lake.write('tables', async (tx) => {
    await tx.ensure({ name: 'events', schema: schemaOf([field('b', 'string')]) })
    await tx.ensure({
      name: 'facts',
      schema: schemaOf([field('k', 'integer'), field('v', 'string')]),
      key: ['k'],
    })
    await tx.upsert('facts', [
      { k: 1, v: 'a' },
      { k: 2, v: 'b' },
    ])
  })
  for (let i = 0; i < 18; i++)
    await lake.write(`w${i}`, (tx) => tx.upsert('facts', [{ k: i % 3, v: `v${i}` }]))
  await lake.close()
}

function run(root, operation, batch, fault) {
  const hit = join(base, 'hit')
  rmSync(hit, { force: true })
  const env = fault
    ? { ...process.env, LD_PRELOAD: shim, FAULT: fault, FAULT_DIR: root, FAULT_HIT: hit }
    : process.env
  const { stdout, signal } = spawnSync(process.execPath, [CHILD, root, operation, batch], {
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  const outcome =
    stdout === ''
      ? { kind: signal === 'SIGKILL' ? 'killed' : `no answer (${signal})` }
      : JSON.parse(stdout)
  return { outcome, hit: existsSync(hit) }
}

/** What is wrong after an operation that met a fault. */
async function problemsOf(root, outcome, batch, operation) {
  const problems = []
  const records = readLakeLog(root)
  for (const [i, { record, torn }] of records.entries())
    if (torn !== undefined || record.version !== i) problems.push(`record ${i} is torn or missing`)
  const own = records.filter(({ record }) => record?.note === batch)
  if (
    outcome.kind === 'committed' &&
    outcome.version !== undefined &&
    records[outcome.version]?.record?.txnId !== outcome.txnId
  )
    problems.push('an acknowledged commit is not there')
  if (outcome.kind === 'failed' && own.length > 0) problems.push('a failed commit is visible')
  if (outcome.kind.startsWith('no answer')) problems.push(outcome.kind)
  const again = run(root, operation, `${batch}b`).outcome
  if (again.kind !== 'committed') problems.push(`the same operation then: ${JSON.stringify(again)}`)
  const lake = await api.openLake(root, { maintenance: false })
  const doctor = await lake.doctor({ fix: true })
  const found = await lake.verify({ deep: true })
  if (!doctor.ok || found.length > 0)
    problems.push(JSON.stringify([...doctor.problems, ...found].slice(0, 3)))
  await lake.close()
  const leases = readdirSync(join(root, '_lake', 'leases')).filter((name) => name.endsWith('.json'))
  if (outcome.kind === 'failed' && leases.length > 0) problems.push('a lease is left')
  return problems
}

let [runs, bad, fired] = [0, 0, 0]
for (const operation of OPERATIONS.filter(
  (name) => values.only === undefined || name === values.only,
)) {
  const before = runs
  for (const call of CALLS) {
    for (let n = 1, more = true; more; n += Number(values.every)) {
      const [errno, code] = Object.entries(ERRNOS)[fired % 8]
      const root = join(base, 'lake')
      rmSync(root, { recursive: true, force: true })
      cpSync(template, root, { recursive: true })
      const batch = `b${runs}`
      const { outcome, hit } = run(root, operation, batch, `${call}:${n}:${code}`)
      more = hit
      if (!hit) continue
      runs++
      fired++
      const problems = await problemsOf(root, outcome, batch, operation)
      if (problems.length === 0) continue
      bad++
      process.stdout.write(
        `BAD ${operation} ${call} ${n} ${errno} (${JSON.stringify(outcome)}): ${problems.join('; ')}\n`,
      )
    }
  }
  process.stdout.write(`${operation}: ${runs - before} calls hit\n`)
}
process.stdout.write(`${runs} runs, ${bad} bad\n`)
rmSync(base, { recursive: true, force: true })
process.exitCode = bad > 0 ? 1 : 0
