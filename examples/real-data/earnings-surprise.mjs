/**
 * A strategy on real data: after each reporting season the stocks whose profit of the quarter rose the most
 * against the same quarter of the year before, measured by what the company is worth.
 *
 * `node examples/real-data/earnings-surprise.mjs [LAKE]`; see market.mjs for the data.
 */
import { defineStrategy } from 'marketlake'
import { realMarket } from './market.mjs'
import { report } from './report.mjs'

const strategy = defineStrategy({
  name: 'earnings_surprise',
  rebalance: 'month',
  universe: 'SELECT symbol FROM daily WHERE trade_date = $date AND volume > 0',
  factors: `
    SELECT symbol, q.end_date::VARCHAR AS period, q.n_income_attr_p AS profit,
      (q.n_income_attr_p - y.n_income_attr_p) / v.total_mv AS surprise
    FROM fin_single_quarter q
    JOIN fin_single_quarter y USING (symbol)
    JOIN valuation v USING (symbol)
    WHERE y.end_date = last_day(q.end_date - INTERVAL 1 YEAR)
      AND v.trade_date = $date
      -- Only what is news: reports that became visible in the last six weeks.
      AND q.visible_date > $date::DATE - INTERVAL 42 DAY
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY q.end_date DESC) = 1`,
  picks: (rows) =>
    rows
      .filter((row) => row.surprise > 0)
      .toSorted((a, b) => b.surprise - a.surprise)
      .slice(0, 30)
      .map((row) => row.symbol),
})

const lake = await realMarket(process.argv[2] ?? 'real-market')
if (lake) {
  const range = { from: '2016-02-01', to: '2016-07-31' }
  await report(
    lake,
    await strategy.run(lake, { ...range, resident: ['daily', 'indicators', 'income'] }),
  )
  const changed = await strategy.lookAhead(lake, ['2016-04-29', '2016-11-24'])
  console.log(`with later knowledge ${changed.length} rows of 2016-04-29 would be others`)
  await lake.close()
}
