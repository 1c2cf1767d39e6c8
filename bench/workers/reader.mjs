/** Asks one symbol and the newest cross-section until the time is over. Arguments: lake, seconds. Prints figures. */
import { openLake } from '../../dist/index.js'
import { NEWEST } from '../lib/data.mjs'
import { summary } from '../lib/measure.mjs'

const [directory, seconds] = process.argv.slice(2)
const lake = await openLake(directory)
const engine = await lake.analysis({ follow: true, threads: 1 })
await engine.initViews()
const times = []
let [errors, torn, versions] = [0, 0, new Set()]
const untilMs = Date.now() + Number(seconds) * 1000
const questions = [
  "SELECT end_date, m00, m01 FROM reports WHERE symbol = '603000.SH'",
  `SELECT count(*) AS n FROM reports WHERE end_date = DATE '${NEWEST}'`,
]
for (let i = 0; Date.now() < untilMs; i++) {
  const start = performance.now()
  try {
    const rows = await engine.query(questions[i % 2])
    if (i % 2 === 1 && rows[0].n !== 5400n) torn++
    versions.add(engine.version)
  } catch {
    errors++
  }
  times.push(performance.now() - start)
}
await engine.close()
await lake.close()
console.log(JSON.stringify({ ...summary(times), errors, torn, versions: versions.size }))
