/** A unit that does not come whole leaves nothing behind, whatever went wrong, and is fetched again. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { beforeAll, expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { sourceLake } from '../support/source-lake.ts'

type Fault = (request: IncomingMessage, response: ServerResponse) => void

let fault: Fault | undefined
let lake: Lake
beforeAll(async () => {
  ;({ lake } = await sourceLake({
    symbols: 40,
    today: '2026-05-06',
    intercept: (request, response, url) => {
      // The last of the reports of a quarter: what came before it must not be stored either.
      if (!fault || url.searchParams.get('reportName') !== 'RPT_DMSK_FN_CASHFLOW') return false
      fault(request, response)
      return true
    },
  }))
})

function json(body: unknown): Fault {
  return (_request, response) => response.end(JSON.stringify(body))
}

const short = { result: { pages: 1, count: 40, data: [] }, success: true, code: 0 }

test.each<readonly [string, Fault, string]>([
  ['a web page', (_request, response) => response.end('<html>'), 'SOURCE_FAILED'],
  ['fewer rows than declared', json(short), 'SOURCE_FAILED'],
  ['a code nobody knows', json({ success: false, code: 1 }), 'SOURCE_FAILED'],
  ['a report that changed', json({ success: false, code: 9501, message: 'x' }), 'SOURCE_REFUSED'],
  ['a refusal', (_request, response) => response.writeHead(403).end(), 'SOURCE_REFUSED'],
])('%s', async (_name, broken, code) => {
  const quarter = { since: '2025-09-30', until: '2025-09-30' }
  const { version } = await lake.head()
  fault = broken
  const failed = await syncLake(lake, quarter)
  expect(failed).toMatchObject({ outcome: 'failed', commits: 0, inserted: 0 })
  expect(failed.failed.map((unit) => unit.table)).toEqual([
    'indicators',
    'balance',
    'income',
    'cashflow',
  ])
  expect(new Set(failed.failed.map((unit) => unit.code))).toEqual(new Set([code]))
  expect((await lake.head()).version).toBe(version)
})

test('afterwards it comes whole', async () => {
  fault = undefined
  const result = await syncLake(lake, { since: '2025-09-30', until: '2025-09-30' })
  expect(result).toMatchObject({ outcome: 'committed', commits: 1, failed: [] })
  expect(result.inserted % 4).toBe(0)
})
