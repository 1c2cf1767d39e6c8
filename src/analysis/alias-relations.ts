/** Tushare's and AkShare's names over the same rows, in schemas of their own, in the units of each. */
import { MEASURES } from '../model/standard-tables.ts'
import { identifier } from '../storage/parquet/sql.ts'
import type { Relation } from './relation.ts'
import { VINTAGE_VIEWS } from './relation.ts'

/** Schemas of aliases and their relations. */
export function aliasRelations(): Readonly<Record<string, readonly Relation[]>> {
  return { tushare: tushareRelations(), akshare: akshareRelations() }
}

type Alias = readonly [name: string, table: string, sql: string, label: string]

function relations(source: string, aliases: readonly Alias[]): Relation[] {
  return aliases.map(([name, table, sql, label]) => ({
    name,
    kind: 'view',
    tables: [table],
    prunable: [],
    sql,
    label,
    about: `${source}'s \`${name}\`, over \`${VINTAGE_VIEWS[table] ?? table}\`.`,
  }))
}

function tushareReport(name: string, table: string, label: string): Alias {
  const measures = MEASURES[table]!.map(([column]) => identifier(column)).join(', ')
  return [
    name,
    table,
    `SELECT symbol AS ts_code, notice_date AS ann_date, notice_date AS f_ann_date, end_date, ${measures}
     FROM main.${VINTAGE_VIEWS[table]}`,
    label,
  ]
}

/** Volumes in lots of 100 shares, amounts in thousands, market values in tens of thousands of yuan. */
function tushareRelations(): Relation[] {
  const bar = 'symbol AS ts_code, trade_date, open, high, low, close, pre_close'
  return relations('Tushare', [
    tushareReport('fina_indicator', 'indicators', '财务指标'),
    tushareReport('balancesheet', 'balance', '资产负债表'),
    tushareReport('income', 'income', '利润表'),
    tushareReport('cashflow', 'cashflow', '现金流量表'),
    [
      'daily',
      'daily',
      `SELECT ${bar}, close - pre_close AS change, (close / nullif(pre_close, 0) - 1) * 100 AS pct_chg,
        volume / 100 AS vol, amount / 1000 AS amount FROM main.daily`,
      '日线（vol 手，amount 千元）',
    ],
    [
      'daily_basic',
      'daily',
      `SELECT symbol AS ts_code, trade_date, close, pe_ttm, pb, ps_ttm, total_mv / 10000 AS total_mv,
        circ_mv / 10000 AS circ_mv FROM main.valuation`,
      '每日指标（市值万元）',
    ],
    [
      'adj_factor',
      'adj_factor',
      'SELECT symbol AS ts_code, trade_date, adj_factor FROM main.adj_factor',
      '复权因子',
    ],
    [
      'stock_basic',
      'stock_basic',
      `SELECT symbol AS ts_code, code AS symbol, name, board AS market, list_status, list_date, delist_date
       FROM main.stock_basic`,
      '股票列表',
    ],
    [
      'trade_cal',
      'trade_cal',
      'SELECT date AS cal_date, CAST(is_open AS INTEGER) AS is_open FROM main.trade_cal',
      '交易日历',
    ],
    [
      'namechange',
      'name_history',
      'SELECT symbol AS ts_code, name, start_date, end_date FROM main.name_history',
      '股票曾用名',
    ],
  ])
}

function akshareReport(name: string, table: string, label: string): Alias {
  const measures = MEASURES[table]!.map(
    ([column, , words]) => `r.${identifier(column)} AS ${identifier(words)}`,
  )
  return [
    name,
    table,
    `SELECT left(r.symbol, 6) AS "股票代码", b.name AS "股票简称", ${measures.join(', ')},
      r.end_date AS "报告期", r.notice_date AS "公告日期"
     FROM main.${VINTAGE_VIEWS[table]} r LEFT JOIN main.stock_basic b USING (symbol)`,
    label,
  ]
}

/** Volumes in lots of 100 shares. */
function akshareRelations(): Relation[] {
  const bars = (table: string): string =>
    `SELECT trade_date AS "日期", left(symbol, 6) AS "股票代码", open AS "开盘", close AS "收盘", high AS "最高",
      low AS "最低", volume / 100 AS "成交量", amount AS "成交额" FROM main.${table}`
  return relations('AkShare', [
    akshareReport('stock_yjbb_em', 'indicators', '业绩报表'),
    akshareReport('stock_zcfz_em', 'balance', '资产负债表'),
    akshareReport('stock_lrb_em', 'income', '利润表'),
    akshareReport('stock_xjll_em', 'cashflow', '现金流量表'),
    ['stock_zh_a_hist', 'daily', bars('daily'), '历史行情（成交量 手）'],
    ['stock_zh_a_hist_qfq', 'daily', bars('daily_qfq'), '历史行情，前复权'],
    ['stock_zh_a_hist_hfq', 'daily', bars('daily_hfq'), '历史行情，后复权'],
    [
      'stock_info_a_code_name',
      'stock_basic',
      'SELECT code, name FROM main.stock_basic',
      '代码与简称',
    ],
  ])
}
