/** A source that has lost half of a period says so nowhere; the sync finds it by the periods beside it. */
import { expect, test } from 'vitest'
import { syncLake } from '../../src/lake/sync.ts'
import type { SyncEvent } from '../../src/ingestion/events.ts'
import { sourceLake } from '../support/source-lake.ts'

interface Answer {
  result: { count: number; pages: number; data: unknown[] } | null
}

test('half of a quarter is missing at the source', async () => {
  const { lake, exchange } = await sourceLake({
    symbols: 60,
    today: '2024-06-30',
    intercept: (request, response, url) => {
      const loses =
        url.searchParams.get('reportName') === 'RPT_DMSK_FN_BALANCE' &&
        (url.searchParams.get('filter') ?? '').includes('2022-06-30')
      if (!loses || request.headers['x-whole'] !== undefined) return false
      void fetch(`${exchange.url}${url.pathname}${url.search}`, { headers: { 'x-whole': '1' } })
        .then((whole) => whole.json() as Promise<Answer>)
        .then((answer) => {
          const { result } = answer
          if (result) result.data = result.data.slice(0, Math.floor(result.data.length / 2))
          if (result) result.count = result.data.length
          response.end(JSON.stringify(answer))
        })
      return true
    },
  })
  const events: SyncEvent[] = []
  const result = await syncLake(lake, {
    since: '2022-03-31',
    until: '2022-12-31',
    onEvent: (event) => void events.push(event),
  })
  expect(result).toMatchObject({ outcome: 'committed', failed: [] })
  expect(result.thin).toHaveLength(1)
  const [thin] = result.thin
  expect(thin).toMatchObject({ source: 'eastmoney', table: 'balance', period: '2022-06-30' })
  expect(thin!.symbols).toBeLessThan(thin!.expected * 0.6)
  expect(events).toContainEqual({ type: 'thin', ...thin })
  // Asked for by itself it is found again, because the periods beside it are in the lake.
  const again = await syncLake(lake, { since: '2022-06-30', until: '2022-06-30' })
  expect(again).toMatchObject({ outcome: 'unchanged', thin: [thin] })
  const beside = await syncLake(lake, { since: '2022-09-30', until: '2022-09-30' })
  expect(beside.thin).toEqual([])
})
