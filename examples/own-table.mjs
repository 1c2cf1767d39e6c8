/** A table of your own: created in a commit, changed by key, read as typed arrays and as a stream, and taken back. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLake, field, schemaOf } from 'marketlake'

const lake = await createLake(await mkdtemp(join(tmpdir(), 'lake-')))

const scores = {
  name: 'scores',
  schema: schemaOf([field('symbol', 'string'), field('day', 'date'), field('score', 'double')]),
  key: ['symbol', 'day'],
}
const rows = (factor) =>
  Array.from({ length: 1000 }, (_, i) => ({
    symbol: String(600000 + i),
    day: '2025-01-02',
    score: i % 10 === 0 ? i * factor : i,
  }))

const write = (factor) =>
  lake.write(`factor ${factor}`, async (tx) => {
    await tx.ensure(scores)
    await tx.upsert('scores', rows(factor))
  })
const created = await write(1)
const changed = await write(2)
const again = await write(2)
console.log(created.counts.scores)
console.log(changed.counts.scores)
console.log('a new version?', again.changed)

const engine = await lake.analysis({ at: changed.version })
const [score] = await engine.columns('SELECT score FROM scores ORDER BY symbol')
console.log(score.values.constructor.name, score.values.length, score.values[10])

let streamed = 0
for await (const part of engine.stream('SELECT * FROM scores')) streamed += part.rows.length
console.log('streamed', streamed)
await engine.close()

const restored = await lake.restore(created.version)
console.log(restored.kind, restored.counts.scores)
await lake.close()

/* prints
{ inserted: 1000, updated: 0, deleted: 0, unchanged: 0 }
{ inserted: 0, updated: 99, deleted: 0, unchanged: 901 }
a new version? false
Float64Array 1000 20
streamed 1000
committed { inserted: 1000, updated: 0, deleted: 1000, unchanged: 0 }
*/
