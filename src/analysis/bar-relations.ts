/** Adjusted bars: raw prices times the factor of the day, and for `qfq` over the newest factor. */
import type { Relation } from './relation.ts'

const PRICES = ['open', 'high', 'low', 'close', 'pre_close'] as const
const TABLES = ['daily', 'adj_factor'] as const

/** `daily_hfq`, `daily_qfq` and `daily_qfq_between`. A bar before the first factor has no adjusted price. */
export function barRelations(): Relation[] {
  const prices = (factor: string): string =>
    PRICES.map((price) => `d.${price} * ${factor} AS ${price}`).join(', ')
  const rest = 'd.volume, d.amount, d.source'
  const joined = `FROM daily d ASOF LEFT JOIN adj_factor f
    ON d.symbol = f.symbol AND d.trade_date >= f.trade_date`
  const newest = `(SELECT symbol, max_by(adj_factor, trade_date) AS newest FROM adj_factor GROUP BY symbol)`
  const anchored = (anchor: string): string =>
    `SELECT d.symbol, d.trade_date, ${prices('f.adj_factor / nullif(n.newest, 0)')}, ${rest}
     ${joined} LEFT JOIN ${anchor} n ON d.symbol = n.symbol`
  const common = { tables: TABLES, prunable: ['symbol'] }
  return [
    {
      ...common,
      name: 'daily_hfq',
      kind: 'view',
      sql: `SELECT d.symbol, d.trade_date, ${prices('f.adj_factor')}, ${rest} ${joined}`,
      label: '后复权日线',
      about: 'Daily bars adjusted backward: raw price times the factor of the day.',
    },
    {
      ...common,
      name: 'daily_qfq',
      kind: 'view',
      sql: anchored(newest),
      label: '前复权日线，以最新复权因子为锚',
      about:
        'Daily bars adjusted forward, anchored at the newest factor of the version (of the as-of date).',
    },
    {
      ...common,
      name: 'daily_qfq_between',
      kind: 'table macro',
      parameters: '(from_date, to_date)',
      sql: `${anchored(
        `(SELECT symbol, max_by(adj_factor, trade_date) AS newest FROM adj_factor
          WHERE trade_date <= CAST(to_date AS DATE) GROUP BY symbol)`,
      )} WHERE d.trade_date BETWEEN CAST(from_date AS DATE) AND CAST(to_date AS DATE)`,
      label: '区间前复权日线，以截止日为锚',
      about: 'Daily bars of a range, adjusted forward and anchored at its last day.',
    },
  ]
}
