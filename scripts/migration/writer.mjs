/** Writes both sides until its time is over: in each batch as many new bars as rows of `securities`. Arguments: lake, old file, seconds, number of the first batch. */
import { DualWriter } from '../../dist/index.js'

const [lake, old, seconds, first = '0'] = process.argv.slice(2)
const writer = await DualWriter.open({ lake, old, threads: 1 })
const untilMs = Date.now() + Number(seconds) * 1000
const tally = { batches: 0, rows: 0, both: 0, behind: 0, slowestMs: 0 }
while (Date.now() < untilMs) {
  const n = Number(first) + tally.batches++
  const symbols = Array.from({ length: 50 }, (_, i) => `T${String(n).padStart(5, '0')}${i}`)
  const startedMs = Date.now()
  const { old: inOld, lake: inLake } = await writer.write({
    bars: symbols.map((symbol) => ({
      symbol,
      trade_date: '2030-01-02',
      close: n,
      volume: BigInt(n),
    })),
    securities: symbols.map((ts_code) => ({ ts_code, list_status: 'L' })),
  })
  tally.slowestMs = Math.max(tally.slowestMs, Date.now() - startedMs)
  tally.rows += 2 * symbols.length
  if (inOld.kind === 'written' && inLake.kind === 'committed') tally.both++
  if (inLake.kind === 'behind') tally.behind++
}
await writer.close()
process.stdout.write(`${JSON.stringify(tally)}\n`)
