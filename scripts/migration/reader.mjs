/** Reads the lake until its time is over; both tables of a batch must show it or neither. Arguments: lake, seconds. */
import { openLake } from '../../dist/index.js'

const [directory, seconds] = process.argv.slice(2)
const lake = await openLake(directory, { readOnly: true })
const engine = await lake.analysis({ follow: true, threads: 1 })
const untilMs = Date.now() + Number(seconds) * 1000
const tally = { queries: 0, errors: 0, torn: 0, slowestMs: 0, versions: 0 }
const seen = new Set()
while (Date.now() < untilMs) {
  const startedMs = Date.now()
  try {
    const [row] = await engine.query(
      `SELECT (SELECT count(*) FROM bars WHERE trade_date = DATE '2030-01-02') AS bars,
              (SELECT count(*) FROM securities WHERE starts_with(ts_code, 'T')) AS securities`,
    )
    if (row.bars !== row.securities) tally.torn++
    seen.add(row.bars)
  } catch {
    tally.errors++
  }
  tally.queries++
  tally.slowestMs = Math.max(tally.slowestMs, Date.now() - startedMs)
}
tally.versions = seen.size
await engine.close()
await lake.close()
process.stdout.write(`${JSON.stringify(tally)}\n`)
