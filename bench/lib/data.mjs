/** The data of the benchmarks: reports of 5,400 symbols over 60 quarters, 84 columns, and 1.4 million bars, from a seed. */

export const SYMBOLS = 5400
export const QUARTERS = 60
export const MEASURES = 80
/** The newest report period. */
export const NEWEST = '2025-09-30'
const SEED = 20_260_930

/** Names of the measures: `m00`, `m01`, … */
export const measures = Array.from({ length: MEASURES }, (_, i) => `m${String(i).padStart(2, '0')}`)

const SYMBOL =
  "printf('%06d.%s', CAST(600000 + s AS INTEGER), CASE WHEN s % 2 = 0 THEN 'SH' ELSE 'SZ' END)"
const PERIOD = (q) =>
  `CAST(last_day(DATE '${NEWEST}' - to_months(CAST(3 * (${QUARTERS - 1} - ${q}) AS INTEGER))) AS DATE)`
const number = (i) => `round((hash(s, q, ${SEED + i}) % 1000003) / 97.0, 2)`

/** A SELECT of reports: symbols `from` to below `to`, quarters likewise; `shift` changes every measure. */
export function reportsSql({
  from = 0,
  to = SYMBOLS,
  fromQuarter = 0,
  toQuarter = QUARTERS,
  shift = 0,
} = {}) {
  const columns = measures.map((name, i) => `${number(i)} + ${shift} AS ${name}`)
  return `SELECT ${SYMBOL} AS symbol, ${PERIOD('q')} AS end_date,
      CAST(${PERIOD('q')} + CAST(25 + hash(s, q) % 60 AS INTEGER) AS DATE) AS notice_date,
      CASE WHEN s % 20 = 0 THEN 'bank' ELSE 'general' END AS kind, ${columns.join(', ')}
    FROM range(${from}, ${to}) a(s), range(${fromQuarter}, ${toQuarter}) b(q) ORDER BY symbol, end_date`
}

/** A SELECT of daily bars: 5,400 symbols over `days` days. */
export function barsSql({ days = 260 } = {}) {
  return `SELECT ${SYMBOL} AS symbol, CAST(DATE '2025-01-01' + CAST(q AS INTEGER) AS DATE) AS trade_date,
      ${[0, 1, 2, 3].map((i) => `${number(i)} AS ${['open', 'high', 'low', 'close'][i]}`).join(', ')},
      CAST(hash(s, q, 9) % 10000000 AS DOUBLE) AS volume
    FROM range(${SYMBOLS}) a(s), range(${days}) b(q) ORDER BY symbol, trade_date`
}

/** The six questions; \`reports\` and \`bars\` stand for what each system calls them. */
export function queries(reports, bars) {
  const asOf = '2024-06-15'
  return {
    'average of one column': `SELECT avg(m07) FROM ${reports}`,
    'newest cross-section': `SELECT symbol, m00, m01, m02 FROM ${reports} WHERE end_date = DATE '${NEWEST}'`,
    'one symbol, all columns': `SELECT * FROM ${reports} WHERE symbol = '603000.SH' ORDER BY end_date`,
    'one symbol, 3 columns': `SELECT end_date, m00, m01 FROM ${reports} WHERE symbol = '603000.SH' ORDER BY end_date`,
    'newest row of every symbol': `SELECT symbol, max(end_date), arg_max(m03, end_date) FROM ${reports} GROUP BY symbol`,
    'as-of cross-section': `SELECT symbol, arg_max(m03, end_date) FROM ${reports} WHERE notice_date <= DATE '${asOf}' GROUP BY symbol`,
    'ASOF join of the bars': `SELECT count(*), sum(b.close / r.m05) FROM ${bars} b ASOF JOIN (SELECT symbol, notice_date, m05 FROM ${reports}) r
      ON b.symbol = r.symbol AND b.trade_date >= r.notice_date`,
  }
}
