/** What became of the picks: their median return until the next rebalance day, beside that of every stock. */
const RETURNS = `
  WITH days AS (SELECT trade_date, lead(trade_date) OVER (ORDER BY trade_date) AS next
                FROM (SELECT DISTINCT trade_date FROM NAME_factors)),
  r AS (SELECT a.trade_date, a.symbol, b.close / a.close - 1 AS return
        FROM days JOIN daily a USING (trade_date) JOIN daily b ON b.symbol = a.symbol AND b.trade_date = days.next)
  SELECT trade_date, count(p.symbol) AS picks, median(return) FILTER (p.symbol IS NOT NULL) AS picked,
    median(return) AS market
  FROM r LEFT JOIN NAME_picks p USING (trade_date, symbol) GROUP BY trade_date ORDER BY trade_date`

/** Prints one line a rebalance day, from the tables that the run has written. */
export async function report(lake, run) {
  const percent = (value) => (value === null ? '-' : `${(100 * value).toFixed(1)} %`).padStart(8)
  const engine = await lake.analysis()
  try {
    console.log('day         picks   picked   market')
    for (const row of await engine.query(RETURNS.replaceAll('NAME', run.strategy))) {
      const { trade_date, picks, picked, market } = row
      console.log(
        `${trade_date}  ${String(picks).padStart(5)} ${percent(picked)} ${percent(market)}`,
      )
    }
    console.log(`${run.outcome.kind}: read ${run.pin.token.split(':').slice(0, 3).join(':')}:…`)
  } finally {
    await engine.close()
  }
}
