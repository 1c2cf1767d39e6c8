/**
 * A lake of real reports and bars, 1989 to 2019: `node examples/real-data/market.mjs LAKE` makes it.
 *
 * The files are not part of this repository; they are looked for in ../shared/data/ashare or MARKETLAKE_SHARED.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createLake, field, openLake } from 'marketlake'

const data = join(resolve(process.env.MARKETLAKE_SHARED ?? '../shared'), 'data', 'ashare')
const file = (name) => `read_parquet('${join(data, `${name}.parquet`).replaceAll("'", "''")}')`

/** Opens the lake, and makes it first where it is not there; undefined, said loudly, without the files. */
export async function realMarket(directory) {
  if (existsSync(join(directory, '_lake'))) return openLake(directory)
  if (!existsSync(data)) {
    process.stderr.write(`SKIPPED: ${data} is not there: this example needs real market data\n`)
    return undefined
  }
  const lake = await createLake(directory)
  const outcome = await lake.write('reports and bars', stageMarket)
  if (outcome.kind !== 'committed') throw new Error(outcome.reason)
  return lake
}

const symbol = (code) =>
  `${code} || CASE WHEN ${code} SIMILAR TO '[69].*' THEN '.SH' WHEN ${code} SIMILAR TO '[48].*' THEN '.BJ' ELSE '.SZ' END`

/** One row of each report: pages overlap in the source. Its announcement has no year, and comes after the period. */
const QUARTERLY = `SELECT DISTINCT ON (code, end_date) *, ${symbol('code')} AS symbol,
    CASE WHEN this_year > end_date THEN this_year ELSE this_year + INTERVAL 1 YEAR END::DATE AS notice_date
  FROM (SELECT *, try_cast(year || '-' || report_mmdd AS DATE) AS this_year
        FROM ${file('tushare_old_report_2014q1_2016q2')})
  ORDER BY code, end_date`

/** Annual reports say nothing of their day: the quarterly file's where it has it, else the last day the law allows. */
const ANNUAL = `SELECT ${symbol('a.symbol')} AS symbol, a.end_date,
    COLUMNS(a.* EXCLUDE (symbol, end_date))::DOUBLE,
    coalesce(q.notice_date, make_date(year(a.end_date) + 1, 4, 30)) AS notice_date
  FROM ${file('annual_key_items_1989_2020_163')} a
  LEFT JOIN (${QUARTERLY}) q ON q.code = a.symbol AND q.end_date = a.end_date`

const SHARES = `coalesce(CASE WHEN bps > 0 THEN total_hldr_eqy_exc_min_int / bps END,
  CASE WHEN abs(basic_eps) >= 0.05 THEN n_income / basic_eps END)`
const KEY = "symbol, end_date, 'netease' AS source, notice_date"

async function stageMarket(tx) {
  await tx.upsert('indicators', {
    sql: `SELECT q.symbol, q.end_date, 'tushare' AS source, q.notice_date, q.eps AS basic_eps, q.bvps AS bps,
        q.roe AS roe_waa, q.epcf AS ocfps, q.net_profits * 1e4 AS n_income_attr_p,
        p.business_income * 1e6 AS total_revenue, p.gross_profit_rate AS grossprofit_margin
      FROM (${QUARTERLY}) q LEFT JOIN (
        SELECT DISTINCT ON (code, end_date) * FROM ${file('tushare_old_profit_2014q1_2016q2')}
        ORDER BY ALL) p USING (code, end_date)
      UNION ALL BY NAME
      SELECT ${KEY}, basic_eps, bps, roe_waa, ocfps, n_income AS n_income_attr_p, revenue AS total_revenue
      FROM (${ANNUAL})`,
  })
  await tx.upsert('income', {
    sql: `SELECT ${KEY}, revenue AS total_revenue, revenue, operate_profit, total_profit,
      n_income AS n_income_attr_p FROM (${ANNUAL})`,
  })
  await tx.widen('balance', [field('total_hldr_eqy_exc_min_int', 'double')])
  await tx.upsert('balance', {
    sql: `SELECT ${KEY}, total_assets, total_liab, total_hldr_eqy_exc_min_int FROM (${ANNUAL})`,
  })
  await tx.upsert('cashflow', {
    sql: `SELECT ${KEY}, n_cashflow_act, net_increase_cash AS n_incr_cash_cash_equ FROM (${ANNUAL})`,
  })
  await tx.upsert('daily', {
    sql: `SELECT * EXCLUDE (symbol), ${symbol('symbol')} AS symbol, 'tushare' AS source
      FROM ${file('daily_2015_2016_tushare')}`,
  })
  await tx.upsert('stock_basic', {
    sql: `SELECT ts_code AS symbol, symbol AS code, name, strptime(list_date, '%Y%m%d')::DATE AS list_date,
      market AS board, list_status FROM ${file('stock_basic')}`,
  })
  // Nobody gives share counts, but profit over earnings per share, or equity over book value per share, is one.
  await tx.upsert('share_capital', {
    sql: `SELECT symbol, end_date AS change_date, round(${SHARES}) AS total_share
      FROM (${ANNUAL}) WHERE ${SHARES} > 0`,
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const lake = await realMarket(process.argv[2] ?? 'real-market')
  for (const { name, rows } of (await lake?.tables()) ?? []) console.log(name, rows)
  await lake?.close()
}
