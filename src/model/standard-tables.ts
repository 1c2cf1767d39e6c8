/** The standard tables: columns, keys and layouts of financial statements, indicators, bars and reference data. */
import type { Field, PrimitiveType } from './schema.ts'
import { schemaOf } from './schema.ts'
import type { PeriodColumn, TableDefinition } from './table.ts'

/** Where a column comes from and what it means; stands in the column's Delta metadata. */
export interface ColumnMeaning {
  /** The source's own name. */
  readonly source?: string
  /** Chinese label. */
  readonly label?: string
  readonly unit?: string
}

const SOURCE = 'marketlake.source'
const UNIT = 'marketlake.unit'

/** A nullable column with its meaning; the label is the `comment` that other engines show. */
export function describedField(
  name: string,
  type: PrimitiveType,
  meaning: ColumnMeaning = {},
): Field {
  return {
    name,
    type,
    nullable: true,
    metadata: {
      ...(meaning.label !== undefined && { comment: meaning.label }),
      ...(meaning.source !== undefined && { [SOURCE]: meaning.source }),
      ...(meaning.unit !== undefined && { [UNIT]: meaning.unit }),
    },
  }
}

/** The meaning that stands in a column's metadata. */
export function meaningOf(column: Field): ColumnMeaning {
  const text = (key: string): string | undefined => {
    const value = column.metadata[key]
    return typeof value === 'string' ? value : undefined
  }
  const [label, source, unit] = [text('comment'), text(SOURCE), text(UNIT)]
  return {
    ...(label !== undefined && { label }),
    ...(source !== undefined && { source }),
    ...(unit !== undefined && { unit }),
  }
}

/** A measure: column name, EastMoney's name, Chinese label, unit. */
type Measure = readonly [name: string, source: string, label: string, unit: string]

/** The columns that every vintage table starts with. */
const VINTAGE_HEAD: readonly Field[] = [
  describedField('symbol', 'string', { label: '股票代码' }),
  describedField('end_date', 'date', { label: '报告期' }),
  describedField('source', 'string', { label: '数据来源' }),
  describedField('vintage', 'integer', { label: '版本号' }),
  describedField('notice_date', 'date', { label: '公告日期' }),
  describedField('visible_date', 'date', { label: '可见日期' }),
  describedField('known_at', 'timestamp', { label: '入库时间' }),
  describedField('is_latest', 'boolean', { label: '最新版本' }),
  describedField('origin', 'string', { label: '采集方式' }),
]

/** Names of the columns that staging fills in; callers bring none of them. */
export const ASSIGNED_COLUMNS: readonly string[] = ['vintage', 'visible_date', 'is_latest']
/** Names of the columns of a vintage table that are no measures. */
export const VINTAGE_COLUMNS: readonly string[] = VINTAGE_HEAD.map((f) => f.name)

const INDICATORS: readonly Measure[] = [
  ['basic_eps', 'BASIC_EPS', '基本每股收益', '元'],
  ['deduct_basic_eps', 'DEDUCT_BASIC_EPS', '扣非每股收益', '元'],
  ['total_revenue', 'TOTAL_OPERATE_INCOME', '营业总收入', '元'],
  ['n_income_attr_p', 'PARENT_NETPROFIT', '归母净利润', '元'],
  ['roe_waa', 'WEIGHTAVG_ROE', '加权净资产收益率', '%'],
  ['bps', 'BPS', '每股净资产', '元'],
  ['ocfps', 'MGJYXJJE', '每股经营现金流', '元'],
  ['grossprofit_margin', 'XSMLL', '销售毛利率', '%'],
]

const BALANCE: readonly Measure[] = [
  ['total_assets', 'TOTAL_ASSETS', '资产总计', '元'],
  ['fix_assets', 'FIXED_ASSET', '固定资产', '元'],
  ['money_cap', 'MONETARYFUNDS', '货币资金', '元'],
  ['accounts_receiv', 'ACCOUNTS_RECE', '应收账款', '元'],
  ['inventories', 'INVENTORY', '存货', '元'],
  ['total_liab', 'TOTAL_LIABILITIES', '负债合计', '元'],
  ['acct_payable', 'ACCOUNTS_PAYABLE', '应付账款', '元'],
  ['adv_receipts', 'ADVANCE_RECEIVABLES', '预收款项', '元'],
  ['total_hldr_eqy_inc_min_int', 'TOTAL_EQUITY', '股东权益合计', '元'],
]

const INCOME: readonly Measure[] = [
  ['total_revenue', 'TOTAL_OPERATE_INCOME', '营业总收入', '元'],
  ['revenue', 'OPERATE_INCOME', '营业收入', '元'],
  ['total_cogs', 'TOTAL_OPERATE_COST', '营业总成本', '元'],
  ['oper_cost', 'OPERATE_COST', '营业成本', '元'],
  ['sell_exp', 'SALE_EXPENSE', '销售费用', '元'],
  ['admin_exp', 'MANAGE_EXPENSE', '管理费用', '元'],
  ['fin_exp', 'FINANCE_EXPENSE', '财务费用', '元'],
  ['operate_profit', 'OPERATE_PROFIT', '营业利润', '元'],
  ['total_profit', 'TOTAL_PROFIT', '利润总额', '元'],
  ['income_tax', 'INCOME_TAX', '所得税', '元'],
  ['n_income_attr_p', 'PARENT_NETPROFIT', '归母净利润', '元'],
  ['deduct_parent_netprofit', 'DEDUCT_PARENT_NETPROFIT', '扣非归母净利润', '元'],
]

const CASHFLOW: readonly Measure[] = [
  ['n_cashflow_act', 'NETCASH_OPERATE', '经营活动现金流量净额', '元'],
  ['n_cashflow_inv_act', 'NETCASH_INVEST', '投资活动现金流量净额', '元'],
  ['n_cash_flows_fnc_act', 'NETCASH_FINANCE', '筹资活动现金流量净额', '元'],
  ['c_fr_sale_sg', 'SALES_SERVICES', '销售商品提供劳务收到的现金', '元'],
  ['c_paid_to_for_empl', 'PAY_STAFF_CASH', '支付给职工的现金', '元'],
  ['c_recp_return_invest', 'RECEIVE_INVEST_INCOME', '取得投资收益收到的现金', '元'],
  ['c_pay_acq_const_fiolta', 'CONSTRUCT_LONG_ASSET', '购建长期资产支付的现金', '元'],
  ['n_incr_cash_cash_equ', 'CCE_ADD', '现金净增加额', '元'],
  ['c_cash_equ_end_period', 'END_CCE', '期末现金余额', '元'],
]

/** Measures of the vintage tables by table: column name, EastMoney's name, label, unit. */
export const MEASURES: Readonly<Record<string, readonly Measure[]>> = {
  indicators: INDICATORS,
  balance: BALANCE,
  income: INCOME,
  cashflow: CASHFLOW,
}

const QUARTER: PeriodColumn = { column: 'end_date', unit: 'quarter' }
const MONTH: PeriodColumn = { column: 'trade_date', unit: 'month' }

function vintageTable(name: string, path: string): TableDefinition {
  const measures = MEASURES[name]!.map(([column, source, label, unit]) =>
    describedField(column, 'double', { source, label, unit }),
  )
  return {
    name,
    path,
    schema: schemaOf([...VINTAGE_HEAD, ...measures]),
    key: ['symbol', 'end_date', 'source', 'vintage'],
    clustering: ['symbol', 'end_date', 'source', 'vintage'],
    period: QUARTER,
    layout: 'clustered',
    vintage: true,
  }
}

function plainTable(
  name: string,
  key: readonly string[],
  fields: readonly Field[],
  period?: PeriodColumn,
): TableDefinition {
  return {
    name,
    path: `warehouse/${name}`,
    schema: schemaOf(fields),
    key,
    clustering: key,
    ...(period && { period }),
    layout: 'clustered',
    vintage: false,
  }
}

const symbol = describedField('symbol', 'string', { label: '股票代码' })
const tradeDate = describedField('trade_date', 'date', { label: '交易日期' })
const source = describedField('source', 'string', { label: '数据来源' })

function yuan(name: string, label: string): Field {
  return describedField(name, 'double', { label, unit: '元' })
}

const DAILY: readonly Field[] = [
  symbol,
  tradeDate,
  yuan('open', '开盘价'),
  yuan('high', '最高价'),
  yuan('low', '最低价'),
  yuan('close', '收盘价'),
  yuan('pre_close', '昨收价'),
  describedField('volume', 'double', { label: '成交量', unit: '股' }),
  yuan('amount', '成交额'),
  source,
]

const STOCK_BASIC: readonly Field[] = [
  symbol,
  describedField('code', 'string', { label: '六位代码' }),
  describedField('name', 'string', { label: '简称' }),
  describedField('list_date', 'date', { label: '上市日期' }),
  describedField('delist_date', 'date', { label: '退市日期' }),
  describedField('board', 'string', { label: '板块' }),
  describedField('list_status', 'string', { label: '上市状态' }),
]

const NAME_HISTORY: readonly Field[] = [
  symbol,
  describedField('start_date', 'date', { label: '开始日期' }),
  describedField('end_date', 'date', { label: '结束日期' }),
  describedField('name', 'string', { label: '简称' }),
  describedField('is_st', 'boolean', { label: '是否ST' }),
]

const SHARE_CAPITAL: readonly Field[] = [
  symbol,
  describedField('change_date', 'date', { label: '变动日期' }),
  describedField('notice_date', 'date', { label: '公告日期' }),
  describedField('total_share', 'double', { label: '总股本', unit: '股' }),
  describedField('float_share', 'double', { label: '流通股本', unit: '股' }),
]

const TRADE_CAL: readonly Field[] = [
  describedField('date', 'date', { label: '日期' }),
  describedField('is_open', 'boolean', { label: '是否开市' }),
]

const ADJ_FACTOR: readonly Field[] = [
  symbol,
  tradeDate,
  describedField('adj_factor', 'double', { label: '复权因子' }),
  source,
]

/** The standard tables, in the order in which `init` makes them. */
export const STANDARD_TABLES: readonly TableDefinition[] = [
  vintageTable('indicators', 'warehouse/indicators'),
  vintageTable('balance', 'warehouse/financial_statements/type=balance'),
  vintageTable('income', 'warehouse/financial_statements/type=income'),
  vintageTable('cashflow', 'warehouse/financial_statements/type=cashflow'),
  plainTable('stock_basic', ['symbol'], STOCK_BASIC),
  plainTable('name_history', ['symbol', 'start_date'], NAME_HISTORY),
  plainTable('share_capital', ['symbol', 'change_date'], SHARE_CAPITAL),
  plainTable('trade_cal', ['date'], TRADE_CAL),
  plainTable('daily', ['symbol', 'trade_date'], DAILY, MONTH),
  plainTable('adj_factor', ['symbol', 'trade_date'], ADJ_FACTOR, MONTH),
]

const DAILY_VALUATION: readonly Field[] = [
  symbol,
  tradeDate,
  describedField('close', 'double', { source: 'CLOSE_PRICE', label: '收盘价', unit: '元' }),
  describedField('total_mv', 'double', { source: 'TOTAL_MARKET_CAP', label: '总市值', unit: '元' }),
  describedField('circ_mv', 'double', {
    source: 'NOTLIMITED_MARKETCAP_A',
    label: '流通市值',
    unit: '元',
  }),
  describedField('total_share', 'double', { source: 'TOTAL_SHARES', label: '总股本', unit: '股' }),
  describedField('float_share', 'double', {
    source: 'FREE_SHARES_A',
    label: '流通股本',
    unit: '股',
  }),
  describedField('pe_ttm', 'double', { source: 'PE_TTM', label: '滚动市盈率', unit: '倍' }),
  describedField('pe', 'double', { source: 'PE_LAR', label: '静态市盈率', unit: '倍' }),
  describedField('pb', 'double', { source: 'PB_MRQ', label: '市净率', unit: '倍' }),
  describedField('ps_ttm', 'double', { source: 'PS_TTM', label: '滚动市销率', unit: '倍' }),
  describedField('pcf_ocf_ttm', 'double', {
    source: 'PCF_OCF_TTM',
    label: '滚动市现率',
    unit: '倍',
  }),
  describedField('peg', 'double', { source: 'PEG_CAR', label: '市盈增长比' }),
  source,
]

/** Tables that have a definition but are made only when a source fills them. */
const OPTIONAL_TABLES: readonly TableDefinition[] = [
  plainTable('daily_valuation', ['symbol', 'trade_date'], DAILY_VALUATION, MONTH),
]

/** Tables in which all rows of a symbol come from one source: factors of two do not fit together. */
export const SINGLE_SOURCE_TABLES: readonly string[] = ['adj_factor']

/** The standard table of a name, or undefined. */
export function standardTable(name: string): TableDefinition | undefined {
  return [...STANDARD_TABLES, ...OPTIONAL_TABLES].find((table) => table.name === name)
}
