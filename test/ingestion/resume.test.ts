/** What an unfinished run has done is skipped once, lately, and never because of a clock. */
import { readFileSync, readdirSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { lakeFacts } from '../../src/ingestion/facts.ts'
import { contextOf, syncLake } from '../../src/lake/sync.ts'
import { realEffects } from '../../src/model/effects.ts'
import { newLake } from '../support/lake.ts'
import { sourceLake } from '../support/source-lake.ts'

const RANGE = { since: '2022-09-30', until: '2022-12-31' }
const HOUR_MS = 3_600_000

/** Another process, whose clock differs from this one's. */
async function at(lake: Lake, offsetMs: number) {
  const effects = { ...realEffects, now: () => Date.now() + offsetMs }
  const other = await openLake(lake.root, { maintenance: false, effects })
  try {
    const { batches, skipped, failed } = await syncLake(other, RANGE)
    return { batches, skipped, failed }
  } finally {
    await other.close()
  }
}

/** The journal as a process leaves it that is killed after its last batch. */
function forgetEnd({ root }: Lake): void {
  const directory = join(root, '_lake', 'journal')
  const path = join(directory, readdirSync(directory).toSorted().at(-1)!)
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  chmodSync(path, 0o644)
  writeFileSync(path, `${lines.filter((line) => !line.includes('"type":"end"')).join('\n')}\n`)
}

test('a run killed after its last batch is over with the next one; the one after that asks again', async () => {
  const { lake } = await sourceLake({ symbols: 30, today: '2024-06-30' })
  expect(await at(lake, 0)).toMatchObject({ batches: 2, skipped: 0, failed: [] })
  forgetEnd(lake)
  expect(await at(lake, 0)).toMatchObject({ batches: 0, skipped: 2 })
  expect(await at(lake, 0)).toMatchObject({ batches: 2, skipped: 0 })
})

test('the day after an unfinished run everything is asked again', async () => {
  const { lake } = await sourceLake({ symbols: 30, today: '2024-06-30' })
  await at(lake, 0)
  forgetEnd(lake)
  expect(await at(lake, 24 * HOUR_MS)).toMatchObject({ batches: 2, skipped: 0 })
})

test('a clock that was moved back makes nothing look done', async () => {
  const { lake } = await sourceLake({ symbols: 30, today: '2024-06-30' })
  await at(lake, 48 * HOUR_MS)
  forgetEnd(lake)
  expect(await at(lake, 0)).toMatchObject({ batches: 2, skipped: 0, failed: [] })
  expect(await at(lake, 0)).toMatchObject({ batches: 2, skipped: 0 })
})

test('what a restore took away is fetched again', async () => {
  const { lake } = await sourceLake({ symbols: 30, today: '2024-06-30' })
  const { version } = await lake.head()
  await at(lake, 0)
  forgetEnd(lake)
  await lake.restore(version)
  expect(await at(lake, 0)).toMatchObject({ batches: 2, skipped: 0, failed: [] })
})

test('a day that a table no longer holds does not count as stored', async () => {
  const lake = await newLake()
  const bar = { symbol: '600519.SH', close: 1, volume: 1, source: 'tushare' }
  for (const day of ['2024-01-02', '2024-01-03']) {
    await lake.write(day, async (tx) => {
      await tx.upsert('daily', [{ ...bar, trade_date: day }])
      tx.change = { units: [{ source: 'tushare', table: 'daily', period: day, rows: 1 }] }
    })
  }
  const stored = () => lakeFacts(contextOf(lake), 'tushare').stored('daily')
  expect([...(await stored())].toSorted()).toEqual(['2024-01-02', '2024-01-03'])
  await lake.delete('daily', "trade_date = DATE '2024-01-03'")
  expect([...(await stored())]).toEqual(['2024-01-02'])
  await lake.delete('daily', 'true')
  expect([...(await stored())]).toEqual([])
})
