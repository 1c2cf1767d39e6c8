/** Comparisons and a cut-over while a writer writes both sides. */
import { expect, test } from 'vitest'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { beginDualWrite, cutOverToLake, verifyOldFile } from '../../src/lake/migration.ts'
import { markOf } from '../../src/migration/old-file.ts'
import { rowsOf } from '../support/lake.ts'
import { barsAndLogs, inOldFile } from '../support/migration.ts'

const WAIT = { waitMs: 60_000 }

/** Writes batches until it is told to stop; the outcome of each. */
function writing(lake: Lake): { stop: () => Promise<Record<number, string>> } {
  const state = { going: true }
  const done = (async () => {
    const writer = await DualWriter.open({ lake: lake.root, threads: 1 })
    const outcomes: Record<number, string> = {}
    for (let n = 100; state.going; n++) {
      const { old, lake: inLake } = await writer.write({ logs: [{ n, words: 'batch' }] })
      outcomes[n] = `${old.kind} ${inLake.kind}`
    }
    await writer.close()
    return outcomes
  })()
  return {
    stop: () => {
      state.going = false
      return done
    },
  }
}

test('both sides are compared while both are written, and are equal every time', async () => {
  const { lake } = await barsAndLogs()
  await beginDualWrite(lake)
  const writer = writing(lake)
  const found: boolean[] = []
  for (let i = 0; i < 4; i++)
    found.push((await verifyOldFile(lake, { ...WAIT, copy: i % 2 === 0 })).equal)
  const outcomes = await writer.stop()
  expect(found).toEqual([true, true, true, true])
  expect(new Set(Object.values(outcomes))).toEqual(new Set(['written committed']))
  expect((await verifyOldFile(lake)).equal).toBe(true)
})

test('a cut-over in the middle of writing: every batch is in the lake, and none in the old file afterwards', async () => {
  const { lake, old } = await barsAndLogs()
  await beginDualWrite(lake)
  const writer = writing(lake)
  await verifyOldFile(lake, WAIT)
  expect((await cutOverToLake(lake, { ...WAIT, force: true })).changed).toBe(true)
  const mark = await markOf(lake.store.files, old)
  await new Promise((done) => setTimeout(done, 300))
  const outcomes = await writer.stop()
  expect(await markOf(lake.store.files, old)).toEqual(mark)
  const stored = await rowsOf(lake, 'SELECT n FROM logs WHERE n >= 100 ORDER BY n')
  expect(stored.map((row) => row['n'])).toEqual(Object.keys(outcomes).map(Number))
  const written = Object.values(outcomes).filter((kind) => kind === 'written committed').length
  const inOld = await inOldFile(old, 'SELECT count(*) AS n FROM logs WHERE n >= 100')
  expect(inOld).toEqual([{ n: BigInt(written) }])
  expect(new Set(Object.values(outcomes))).toContain('stopped committed')
})
