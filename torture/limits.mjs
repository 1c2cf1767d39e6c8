/**
 * `npm run torture:limits [-- --memory 128 --times 4]`: peak memory of each operation on a table so many times larger than the
 * memory limit, each in a process of its own; a lake of many versions, tables and files; descriptors after thousands of
 * commits. Linux only: it reads /proc.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadPackage } from './package.mjs'

const { values } = parseArgs({
  options: {
    memory: { type: 'string', default: '128' },
    times: { type: 'string', default: '4' },
    child: { type: 'string' },
    root: { type: 'string' },
    versions: { type: 'string', default: '2000' },
  },
})
const COLUMNS = 12
const ROW_BYTES = (COLUMNS + 1) * 8
const rows = Math.ceil((Number(values.memory) * Number(values.times) * 2 ** 20) / ROW_BYTES)
const api = await loadPackage()

const schema = api.schemaOf([
  api.field('k', 'long'),
  ...Array.from({ length: COLUMNS }, (_, i) => api.field(`c${i}`, 'double')),
])
const columns = Array.from({ length: COLUMNS }, (_, i) => `random() * ${i + 1} AS c${i}`).join(', ')
const batch = (from, to, step = 1) =>
  `SELECT range AS k, ${columns} FROM range(${from}, ${to}, ${step})`

const OPERATIONS = {
  load: async (lake) => {
    const part = Math.ceil(rows / 8)
    for (let i = 0; i < 8; i++)
      await must(
        lake.write(`part ${i}`, async (tx) => {
          await tx.ensure({ name: 'wide', schema, key: ['k'] })
          await tx.append('wide', { sql: batch(i * part, (i + 1) * part) })
        }),
      )
  },
  'upsert of every 200th key': (lake) =>
    must(lake.write('spread', (tx) => tx.upsert('wide', { sql: batch(0, rows, 200) }))),
  'upsert of new keys': (lake) =>
    must(lake.write('new', (tx) => tx.upsert('wide', { sql: batch(rows, rows + 100_000) }))),
  optimize: (lake) => lake.optimize('wide'),
  'verify --deep': (lake) => lake.verify({ deep: true }),
  'query: sort and window over all rows': async (lake) => {
    const engine = await lake.analysis()
    await engine.query(
      'SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY c1, k) AS r FROM wide)',
    )
    await engine.close()
  },
  'many small commits': async (lake) => {
    const before = readdirSync('/proc/self/fd').length
    for (let i = 0; i < Number(values.versions); i++)
      await must(
        lake.write(`v${i}`, async (tx) => {
          await tx.ensure({ name: 'small', schema: api.schemaOf([api.field('k', 'long')]) })
          await tx.append('small', [{ k: i }])
        }),
      )
    return { descriptors: readdirSync('/proc/self/fd').length - before }
  },
  'open at the head': async (lake) => {
    const engine = await lake.analysis()
    await engine.query('SELECT count(*) FROM small')
    await engine.close()
  },
  'optimize of many files': (lake) => lake.optimize('small'),
  vacuum: (lake) => lake.vacuum({ apply: true }),
}

async function must(work) {
  const outcome = await work
  if (outcome.kind !== 'committed') throw new Error(`${outcome.kind}: ${outcome.reason}`)
  return outcome
}

if (values.child !== undefined) {
  const lake = await api.openLake(values.root, { maintenance: false })
  const startedMs = Date.now()
  const result = await OPERATIONS[values.child](lake)
  const seconds = (Date.now() - startedMs) / 1000
  await lake.close()
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) >> 10
  process.stdout.write(JSON.stringify({ peak, seconds, descriptors: result?.descriptors }))
} else {
  const base = mkdtempSync(join(tmpdir(), 'marketlake-limits-'))
  const root = join(base, 'lake')
  const effects = { now: Date.now, uuid: () => crypto.randomUUID(), random: Math.random }
  await api.initLake({ files: api.localFiles, effects, root })
  writeFileSync(
    join(root, 'lake.toml'),
    `[limits]\nmemory = "${values.memory}MB"\nthreads = 2\n[retention]\nversions = "1 second"\n`,
  )
  process.stdout.write(
    `memory_limit ${values.memory} MB, ${rows} rows × ${COLUMNS + 1} columns of 8 bytes = ${(rows * ROW_BYTES) >> 20} MB\n`,
  )
  for (const operation of Object.keys(OPERATIONS)) {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [
        import.meta.filename,
        '--child',
        operation,
        '--root',
        root,
        '--memory',
        values.memory,
        '--times',
        values.times,
        '--versions',
        values.versions,
      ],
      { encoding: 'utf8' },
    )
    if (status !== 0) {
      process.stdout.write(`| ${operation} | FAILED | ${stderr.slice(0, 400)} |\n`)
      process.exitCode = 1
      continue
    }
    const { peak, seconds, descriptors } = JSON.parse(stdout)
    const more = descriptors === undefined ? '' : `, ${descriptors} descriptors more than before`
    process.stdout.write(`| ${operation} | ${peak} MB | ${seconds.toFixed(1)} s${more} |\n`)
  }
  const bytes = dataBytes(join(root, 'warehouse', 'wide'))
  process.stdout.write(`table on disk: ${bytes >> 20} MB\n`)
  rmSync(base, { recursive: true, force: true })
}

function dataBytes(directory) {
  return readdirSync(directory)
    .filter((n) => n.endsWith('.parquet'))
    .reduce((sum, n) => sum + statSync(join(directory, n)).size, 0)
}
