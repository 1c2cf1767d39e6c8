/** Real values through the exchange and a sync: what is stored is what the files say. */
import { afterAll, expect, test } from 'vitest'
import { recordedMarket } from '../../src/exchange/recorded-market.ts'
import { startExchange } from '../../src/exchange/server.ts'
import type { Exchange } from '../../src/exchange/server.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import { newPacelessLake, rowsOf } from '../support/lake.ts'
import { describeShared, sharedPath } from '../support/shared.ts'

const open: Exchange[] = []
afterAll(async () => {
  for (const exchange of open) await exchange.close()
  delete process.env['MARKETLAKE_EASTMONEY_URL']
})

test('a directory without recorded reports is refused with what is missing', async () => {
  await expect(recordedMarket('/nowhere')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('annual_key_items') as string,
  })
})

describeShared('recorded reports', ['data', 'ashare'], () => {
  test('are synced to their values, quarterly ones visible from their real notice', async () => {
    const directory = sharedPath('data', 'ashare')
    const market = await recordedMarket(directory)
    const exchange = await startExchange({ market, today: '2020-06-30' })
    open.push(exchange)
    process.env['MARKETLAKE_EASTMONEY_URL'] = exchange.url
    const lake = await newPacelessLake()
    const result = await syncLake(lake, { since: '2016-03-31', until: '2016-03-31' })
    expect(result).toMatchObject({ outcome: 'committed', failed: [] })

    const stored = await rowsOf(
      lake,
      `SELECT symbol, basic_eps, bps, CAST(notice_date AS VARCHAR) AS notice FROM fin_indicators
       WHERE end_date = '2016-03-31' ORDER BY symbol`,
    )
    const database = await Database.open({ threads: 1 })
    const raw = await database.using((session) =>
      session.rows(
        `SELECT DISTINCT ON (code) code, eps, bvps, report_mmdd FROM read_parquet('${directory}/tushare_old_report_2014q1_2016q2.parquet')
         WHERE end_date = '2016-03-31' AND report_mmdd IS NOT NULL AND code NOT LIKE '9%' AND code NOT LIKE '2%' ORDER BY code`,
      ),
    )
    await database.close()
    expect(stored.length).toBeGreaterThan(2000)
    const bySymbol = new Map(stored.map((row) => [(row['symbol'] as string).slice(0, 6), row]))
    const first = raw.filter((row) => bySymbol.has(row['code'] as string)).slice(0, 500)
    expect(first.length).toBeGreaterThan(400)
    for (const row of first) {
      expect(bySymbol.get(row['code'] as string)).toMatchObject({
        basic_eps: row['eps'],
        bps: row['bvps'],
        notice: `2016-${row['report_mmdd'] as string}`,
      })
    }
  })
})
