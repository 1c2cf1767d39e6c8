/** What was known of each company from each day on, and the valuation of every bar from it. */
import type { Relation } from './relation.ts'
import { preference } from './relation.ts'

/** Measures of the newest report, and of the twelve months before its end. */
const TTM = ['n_income_attr_p', 'total_revenue', 'basic_eps'] as const
const POINT = ['bps', 'roe_waa'] as const
const OF_INCOME = ['n_income_attr_p', 'total_revenue'] as const

/** `fin_known` and `valuation`. */
export function valuationRelations(prefer: readonly string[]): Relation[] {
  return [
    {
      name: 'fin_known',
      kind: 'view',
      tables: ['indicators', 'income'],
      prunable: ['symbol'],
      sql: knownSql(prefer),
      label: '逐日已知的最新报告期及TTM，自 known_from 起有效',
      about:
        'What was known of a company, from `known_from` on until the next row: the newest visible report and its trailing twelve months, in the versions visible then. Join bars to it with ASOF.',
    },
    {
      name: 'valuation',
      kind: 'view',
      tables: ['daily', 'share_capital', 'indicators', 'income'],
      prunable: ['symbol'],
      sql: VALUATION,
      label: '每日估值：市值、市盈率TTM、市净率、市销率TTM，仅用当日可见的报告',
      about:
        'Market value and ratios of every bar, from the reports visible on its day. NULL where a part is missing, where the share count is unknown, and for ratios to a loss or to negative equity.',
    },
  ]
}

/**
 * Versions of one table in the order in which they took effect. A version of a later source in the order of
 * preference counts only until a better source has one.
 */
function versions(table: string, columns: readonly string[], prefer: readonly string[]): string {
  return `SELECT symbol, end_date, visible_date, ${columns.join(', ')} FROM (
      SELECT *, min(place) OVER (PARTITION BY symbol, end_date ORDER BY visible_date
          RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS best
      FROM (SELECT *, dense_rank() OVER (ORDER BY ${preference(prefer)}) AS place
            FROM ${table}_all WHERE visible_date IS NOT NULL))
    WHERE place = best
    QUALIFY row_number() OVER (PARTITION BY symbol, end_date, visible_date ORDER BY vintage DESC) = 1`
}

function knownSql(prefer: readonly string[]): string {
  const parts = ['a', 'y', 's'] as const
  const period = {
    a: 'e.end_date',
    y: 'make_date(year(e.end_date) - 1, 12, 31)',
    s: 'last_day(e.end_date - INTERVAL 1 YEAR)',
  }
  const joins = parts.flatMap((part) =>
    ['k', 'i'].map(
      (table) => `ASOF LEFT JOIN ${table}v ${table}_${part} ON ${table}_${part}.symbol = e.symbol
        AND ${table}_${part}.end_date = ${period[part]} AND e.known_from >= ${table}_${part}.visible_date`,
    ),
  )
  const value = (part: string, name: string): string =>
    (OF_INCOME as readonly string[]).includes(name)
      ? `coalesce(i_${part}.${name}, k_${part}.${name})`
      : `k_${part}.${name}`
  const ttm = TTM.map(
    (name) => `CASE WHEN month(e.end_date) = 12 THEN ${value('a', name)}
      ELSE ${value('a', name)} + ${value('y', name)} - ${value('s', name)} END AS ${name}_ttm`,
  )
  const point = POINT.map((name) => `k_a.${name}`)
  return `WITH kv AS (${versions('fin_indicators', [...TTM, ...POINT], prefer)}),
    iv AS (${versions('fin_income_statement', OF_INCOME, prefer)}),
    e AS (SELECT DISTINCT symbol, visible_date AS known_from,
        max(end_date) OVER (PARTITION BY symbol ORDER BY visible_date
          RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS end_date
      FROM (SELECT symbol, end_date, visible_date FROM kv
            UNION ALL SELECT symbol, end_date, visible_date FROM iv)
      WHERE end_date = last_day(end_date) AND month(end_date) % 3 = 0)
    SELECT e.symbol, e.known_from, e.end_date, ${[...ttm, ...point].join(', ')} FROM e ${joins.join(' ')}`
}

/** Shares as they stood on the day; book value per share is of the report's end, so it is taken times the shares then. */
const VALUATION = `WITH c AS (
    SELECT symbol, greatest(change_date, coalesce(notice_date, change_date)) AS effective, total_share, float_share
    FROM share_capital
    QUALIFY row_number() OVER (PARTITION BY symbol, effective ORDER BY change_date DESC) = 1),
  b AS (
    SELECT d.symbol, d.trade_date, d.close, k.known_from, k.end_date, k.n_income_attr_p_ttm, k.total_revenue_ttm,
      k.basic_eps_ttm, k.bps, d.close * n.total_share AS total_mv, d.close * n.float_share AS circ_mv,
      k.bps * r.total_share AS equity
    FROM daily d
    ASOF LEFT JOIN fin_known k ON d.symbol = k.symbol AND d.trade_date >= k.known_from
    ASOF LEFT JOIN c n ON d.symbol = n.symbol AND d.trade_date >= n.effective
    ASOF LEFT JOIN c r ON d.symbol = r.symbol AND k.end_date >= r.effective)
  SELECT symbol, trade_date, close, end_date, known_from, total_mv, circ_mv,
    CASE WHEN n_income_attr_p_ttm > 0 THEN total_mv / n_income_attr_p_ttm END AS pe_ttm,
    CASE WHEN equity > 0 THEN total_mv / equity END AS pb,
    CASE WHEN total_revenue_ttm > 0 THEN total_mv / total_revenue_ttm END AS ps_ttm,
    n_income_attr_p_ttm, total_revenue_ttm, basic_eps_ttm, bps
  FROM b`
