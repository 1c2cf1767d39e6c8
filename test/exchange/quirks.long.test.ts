/** Each quirk of the exchange, met by the real collector: it ends with the same lake, or with what the quirk says. */
import { beforeAll, describe, expect, test } from 'vitest'
import { FAULT_QUIRKS, ROW_QUIRKS } from '../../src/exchange/quirks.ts'
import type { Quirk } from '../../src/exchange/quirks.ts'
import type { ExchangeOptions } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { realEffects } from '../../src/model/effects.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { rowsOf } from '../support/lake.ts'
import { sourceLake } from '../support/source-lake.ts'

/** More than a page of companies, so that rows can move between pages. */
const SYMBOLS = 560
const PERIOD = '2024-03-31'
const FAULT_SHARE = 0.5
const ATTEMPTS_MAX = 30

/** Syncs one quarter until nothing is missing; waits take no time. */
async function synced(options: ExchangeOptions): Promise<Lake> {
  const { lake } = await sourceLake({ symbols: SYMBOLS, today: '2024-06-30', ...options })
  let passedMs = 0
  const effects = {
    ...realEffects,
    now: () => Date.now() + passedMs,
    sleep: (timeMs: number) => {
      passedMs += timeMs
      return Promise.resolve()
    },
  }
  const patient = await openLake(lake.root, { maintenance: false, effects })
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const result = await syncLake(patient, { since: PERIOD, until: PERIOD })
      if (result.failed.length === 0) return lake
      // Of what did not come whole nothing is stored.
      expect(result.commits).toBe(0)
      passedMs += 3_600_000
    }
    throw new Error('it never came whole')
  } finally {
    await patient.close()
  }
}

const CONTENT = ['fin_indicators', 'fin_balance_sheet', 'fin_income_statement', 'fin_cash_flow']
  .map(
    (
      view,
    ) => `SELECT '${view}' AS name, count(*) AS rows, CAST(bit_xor(hash(r)) AS VARCHAR) AS content
    FROM (SELECT * EXCLUDE (known_at, visible_date) FROM ${view}_all) r`,
  )
  .join(' UNION ALL ')

let calm: Row[]
beforeAll(async () => {
  calm = await rowsOf(await synced({ quirks: [] }), CONTENT)
})

describe('a fault that befalls every second request changes nothing', () => {
  test.each(Object.keys(FAULT_QUIRKS) as Quirk[])('%s', async (quirk) => {
    const lake = await synced({ quirks: [quirk], faultShare: FAULT_SHARE })
    expect(await rowsOf(lake, CONTENT)).toEqual(calm)
  })
})

describe('odd rows', () => {
  test.each(['other-market', 'republished', 'year-on-year'] as const)(
    '%s: nothing of it is stored',
    async (quirk) => {
      expect(ROW_QUIRKS).toHaveProperty(quirk)
      expect(await rowsOf(await synced({ quirks: [quirk] }), CONTENT)).toEqual(calm)
    },
  )

  test('two-rows: both versions of a restated report, the later one is the newest', async () => {
    const today = '2025-06-30'
    const lake = await synced({ quirks: ['two-rows'], today })
    const plain = await synced({ quirks: [], today })
    const newest = 'SELECT symbol, basic_eps FROM fin_indicators ORDER BY symbol'
    expect(await rowsOf(lake, newest)).toEqual(await rowsOf(plain, newest))
    const twice = await rowsOf(
      lake,
      `SELECT count(*) AS n FROM fin_indicators_all WHERE vintage = 2 AND is_latest`,
    )
    expect(twice[0]!['n']).toBeGreaterThan(0n)
    expect((await rowsOf(plain, 'SELECT max(vintage) AS v FROM fin_indicators_all'))[0]).toEqual({
      v: 1,
    })
  })

  test('no-date: unknown at first, not visible then, and filled when the source knows it', async () => {
    // Of 560 companies some told their first quarter in the last days before this one.
    const { lake, exchange } = await sourceLake({
      symbols: SYMBOLS,
      today: '2024-05-02',
      quirks: ['no-date'],
    })
    const open = 'SELECT count(*) AS n FROM fin_indicators_all WHERE notice_date IS NULL'
    await syncLake(lake, { since: PERIOD, until: PERIOD })
    const [before] = await rowsOf(lake, open)
    expect(before!['n']).toBeGreaterThan(0n)
    const hidden = `SELECT count(*) AS n FROM fin_indicators_all WHERE notice_date IS NULL AND visible_date IS NOT NULL`
    expect(await rowsOf(lake, hidden)).toEqual([{ n: 0n }])
    exchange.setToday('2024-06-30')
    await syncLake(lake, { since: PERIOD, until: PERIOD })
    expect(await rowsOf(lake, open)).toEqual([{ n: 0n }])
    const versions = 'SELECT max(vintage) AS v FROM fin_indicators_all'
    expect(await rowsOf(lake, versions)).toEqual([{ v: 1 }])
  })

  test('code-change: rows stand under the code that the source wrote that day', async () => {
    const codes = (lake: Lake) =>
      rowsOf(
        lake,
        `SELECT DISTINCT left(symbol, 2) AS code FROM fin_balance_sheet WHERE symbol LIKE '%.BJ'`,
      )
    expect(await codes(await synced({ quirks: ['code-change'], today: '2025-10-08' }))).toEqual([
      { code: '83' },
    ])
    expect(await codes(await synced({ quirks: ['code-change'], today: '2025-10-09' }))).toEqual([
      { code: '92' },
    ])
  })
})
