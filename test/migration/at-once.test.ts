/** Steps of a migration at the same time as others; beside a writer: `writing.long.test.ts`. */
import { expect, test } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import { cutOverToLake, verifyOldFile } from '../../src/lake/migration.ts'
import { barsAndLogs } from '../support/migration.ts'

const WAIT = { waitMs: 60_000 }

test('two cut over at once: one does it, the other finds it done', async () => {
  const { lake } = await barsAndLogs()
  const other = await openLake(lake.root)
  await verifyOldFile(lake)
  const both = await Promise.all([cutOverToLake(lake, WAIT), cutOverToLake(other, WAIT)])
  expect(both.map((one) => one.changed).toSorted()).toEqual([false, true])
  const cutovers = (await lake.history()).filter((record) => record.operation === 'CUTOVER')
  expect(cutovers).toHaveLength(1)
  await other.close()
})

test('a write to the lake between comparison and cut-over is noticed', async () => {
  const { lake } = await barsAndLogs()
  await verifyOldFile(lake)
  await lake.write('more', async (tx) => {
    await tx.append('logs', [{ n: 7, words: 'only here' }])
  })
  await expect(cutOverToLake(lake)).rejects.toMatchObject({ code: 'STALE' })
  const { tables } = await verifyOldFile(lake)
  expect(tables[1]).toMatchObject({ name: 'logs', missing: 0, extra: 1 })
})
