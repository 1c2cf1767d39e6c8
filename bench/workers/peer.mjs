/**
 * The lake of `npm run bench:peers` in a process of its own, behind the commands of bench/peers/worker.py.
 * Arguments: directory, questions as JSON.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createLake, loadFiles } from '../../dist/index.js'
import { costed } from '../lib/measure.mjs'
import { answerSummary } from '../lib/peer-answers.mjs'

const [directory, questions] = process.argv.slice(2)
const asked = JSON.parse(questions)
const lake = await createLake(directory)
const keys = { reports: ['symbol', 'end_date'], bars: ['symbol', 'trade_date'] }
let engine

const writtenBytes = () =>
  Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0)

async function measured(task) {
  const before = writtenBytes()
  const cost = await costed(task)
  return { ...cost, writtenBytes: writtenBytes() - before }
}

function committed(outcome) {
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
}

/** Maintenance goes on after the acknowledgement; what it costs stands beside the write, not in its time. */
async function withMaintenance(task) {
  const cost = await measured(task)
  return { ...cost, maintenance: await measured(() => lake.idle()) }
}

const commands = {
  load: ({ table, file }) =>
    withMaintenance(async () => {
      const { outcome } = await loadFiles(lake, table, [file], { key: keys[table] })
      committed(outcome)
    }),
  async ask({ question, times, check }) {
    engine ??= await lake.analysis({ follow: true })
    const sql = asked[question].replaceAll('{reports}', 'reports').replaceAll('{bars}', 'bars')
    let [answer, cost] = []
    for (let i = 0; i < times; i++)
      cost = await measured(async () => (answer = await engine.columns(sql)))
    return { ...cost, ...(check && { answer: answerSummary(answer) }) }
  },
  async write({ file }) {
    const { version } = await lake.head()
    const sql = `SELECT * FROM read_parquet('${file}')`
    const cost = await withMaintenance(async () =>
      committed(
        await lake.write('bench', async (tx) => void (await tx.upsert('reports', { sql }))),
      ),
    )
    return { ...cost, versions: (await lake.head()).version - version }
  },
  publish: () => measured(() => lake.publishViews()),
  reopen: () => ({}),
  memory: () => ({ peakBytes: process.resourceUsage().maxRSS * 1024 }),
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)
say({ version: `marketlake ${process.env.npm_package_version ?? ''}`.trim() })
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    say(await commands[command.op](command))
  } catch (error) {
    say({ error: String(error).split('\n')[0] })
  }
}
await engine?.close()
await lake.close()
