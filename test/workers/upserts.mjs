/**
 * Upserts rows until the time is over: keys of its own, and keys it shares with others, each of which it counts up
 * by one after reading it. Prints what was acknowledged. Arguments: lake, writer, seconds.
 */
import { openLake } from '../../dist/index.js'

const [directory, writer, seconds] = process.argv.slice(2)
const SHARED_KEYS = 5
const untilMs = Date.now() + Number(seconds) * 1000
const lake = await openLake(directory, { lease: false })
const done = { versions: [], own: [], counts: {}, conflicts: 0 }

for (let i = 0; Date.now() < untilMs; i++) {
  const shared = `shared-${i % SHARED_KEYS}`
  const outcome = await lake.write(`${writer} ${i}`, async (tx) => {
    const [row] = await tx.query('SELECT n FROM counters WHERE id = ?', [shared])
    await tx.upsert('counters', [
      { id: shared, n: (row?.n ?? 0n) + 1n },
      { id: `${writer}-${i}`, n: BigInt(i) },
    ])
  })
  if (outcome.kind === 'committed') {
    done.versions.push(outcome.version)
    done.own.push(i)
    done.counts[shared] = (done.counts[shared] ?? 0) + 1
  } else if (outcome.kind === 'conflict') done.conflicts++
  else throw new Error(outcome.kind)
}
await lake.close()
console.log(JSON.stringify(done))
