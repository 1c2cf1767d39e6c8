/**
 * `node bench/lake-open.mjs`: opening a lake of many versions, and the newest and an old version of one, beside a lake
 * of ten. Options: --versions N (default 10,000), --rounds N, --json, --write (bench/README.md).
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLake, openLake } from '../dist/index.js'
import { recordText } from '../dist/storage/lake/record.js'
import { interleaved } from './lib/measure.mjs'
import { markdown, writeSection } from './lib/section.mjs'

const { values: options } = parseArgs({
  options: {
    versions: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '15' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
  },
})
const versions = Number(options.versions)
const rounds = Number(options.rounds)
const directory = mkdtempSync(join(tmpdir(), 'marketlake-lake-open-'))
const FEW = 10

/** A lake with its standard tables, ten real commits, and then records that change no table, up to `count`. */
async function makeLake(name, count) {
  const root = join(directory, name)
  const lake = await createLake(root, { maintenance: false })
  for (let i = 0; i < FEW; i++)
    await lake.write('rows', (tx) =>
      tx.upsert('trade_cal', [{ date: `2031-01-${10 + i}`, is_open: true }]),
    )
  await lake.close()
  const log = join(root, '_lake')
  const newest = readdirSync(log)
    .filter((file) => /^\d{20}\.json$/.test(file))
    .toSorted()
    .at(-1)
  const head = JSON.parse(readFileSync(join(log, newest), 'utf8'))
  for (let version = head.version + 1; version <= count; version++) {
    const changed = { version, commits: [], txnId: crypto.randomUUID(), sha256: undefined }
    const file = `${String(version).padStart(20, '0')}.json`
    writeFileSync(join(log, file), recordText({ ...head, ...changed }))
  }
  return root
}

/** What is asked of each lake; each opens it anew. */
function asks(root) {
  const opened = async (use, how = {}) => {
    const lake = await openLake(root, { maintenance: false, ...how })
    try {
      await use(lake)
    } finally {
      await lake.close()
    }
  }
  return {
    'open, with a lease': () => opened(() => undefined),
    'open, without a lease': () => opened(() => undefined, { lease: false }),
    'open, and list the tables': () => opened((lake) => lake.tables(), { lease: false }),
    'open, and the newest ten of the history': () =>
      opened((lake) => lake.history({ limit: 10 }), { lease: false }),
  }
}

async function main() {
  const few = asks(await makeLake('few', 0))
  const many = asks(await makeLake('many', versions))
  const results = []
  for (const name of Object.keys(few)) {
    const times = await interleaved({ few: few[name], many: many[name] }, rounds)
    results.push({ name, few: times.few, many: times.many })
  }
  const rows = results.map(({ name, few, many }) => [
    name,
    few.median.toFixed(1),
    many.median.toFixed(1),
    many.min.toFixed(1),
    many.cpuMs.toFixed(1),
  ])
  const head = [
    'milliseconds',
    'a dozen versions',
    `${versions} versions`,
    'its minimum',
    'its CPU time',
  ]
  const text = `Median of ${rounds}, in one process.\n\n${markdown(head, rows)}`
  if (options.write) writeSection('lake-open', text)
  process.stdout.write(options.json ? `${JSON.stringify({ versions, results })}\n` : `${text}\n`)
}

try {
  await main()
} finally {
  rmSync(directory, { recursive: true, force: true })
}
