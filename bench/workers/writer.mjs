/** Upserts 200 rows of the newest period, so many times a second, until the time is over. Arguments: lake, from, seconds, per second. */
import { openLake } from '../../dist/index.js'
import { QUARTERS, reportsSql } from '../lib/data.mjs'

const [directory, from, seconds, perSecond] = process.argv
  .slice(2)
  .map((v, i) => (i === 0 ? v : Number(v)))
const lake = await openLake(directory, { lease: false })
const untilMs = Date.now() + seconds * 1000
let [commits, conflicts, shift] = [0, 0, 1]
while (Date.now() < untilMs) {
  const start = Date.now()
  const sql = reportsSql({
    from,
    to: from + 200,
    fromQuarter: QUARTERS - 1,
    toQuarter: QUARTERS,
    shift: shift++ / 8,
  })
  const outcome = await lake.write(
    'bench',
    async (tx) => void (await tx.upsert('reports', { sql })),
  )
  if (outcome.kind === 'committed') commits++
  else conflicts++
  if (perSecond > 0)
    await new Promise((done) =>
      setTimeout(done, Math.max(0, 1000 / perSecond - (Date.now() - start))),
    )
}
await lake.close()
console.log(JSON.stringify({ commits, conflicts, perSecond: commits / seconds }))
