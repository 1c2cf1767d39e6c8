/**
 * A strategy on real data: each month the thirty stocks that are cheapest and most profitable together.
 *
 * `node examples/real-data/low-pe-high-roe.mjs [LAKE]`; see market.mjs for the data.
 */
import { defineStrategy } from 'marketlake'
import { realMarket } from './market.mjs'
import { report } from './report.mjs'

const strategy = defineStrategy({
  name: 'low_pe_high_roe',
  rebalance: 'month',
  // What traded that day, also what was delisted since.
  universe: 'SELECT symbol FROM daily WHERE trade_date = $date AND volume > 0',
  // Every view is the knowledge of the day, so the newest report here is the newest one then.
  factors: `
    WITH annual AS (
      SELECT symbol, max_by(roe_waa, end_date) AS roe FROM fin_indicators
      WHERE month(end_date) = 12 GROUP BY symbol)
    SELECT symbol, v.pe_ttm AS pe, roe,
      rank() OVER (ORDER BY v.pe_ttm) + rank() OVER (ORDER BY roe DESC) AS score
    FROM valuation v JOIN annual USING (symbol)
    WHERE trade_date = $date AND v.pe_ttm > 0 AND roe > 0`,
  picks: { by: 'score', top: 30, order: 'asc' },
})

const lake = await realMarket(process.argv[2] ?? 'real-market')
if (lake) {
  const range = { from: '2015-12-01', to: '2016-10-31' }
  await report(
    lake,
    await strategy.run(lake, { ...range, resident: ['daily', 'indicators', 'income'] }),
  )
  await lake.close()
}
