/** The vocabulary of reports: what items are called in the lake and at each source, with Chinese labels and units. */
import type { ColumnMeaning } from './standard-tables.ts'
import { MEASURES } from './standard-tables.ts'

/** A source of reports with names of its own. */
export type ReportSource = 'eastmoney' | 'tushare'

/** A column of the lake and what it means. */
export interface MeasureMeaning {
  readonly name: string
  readonly meaning: Pick<ColumnMeaning, 'label' | 'unit'>
}

/** Column name (Tushare's), EastMoney's name or nothing, label. The unit is yuan unless a fourth entry says otherwise. */
type Item = readonly [name: string, eastmoney: string, label: string, unit?: string]

const BALANCE: readonly Item[] = [
  ['trad_asset', 'TRADE_FINASSET', '交易性金融资产'],
  ['notes_receiv', 'NOTE_RECE', '应收票据'],
  ['receiv_financing', 'FINANCE_RECE', '应收款项融资'],
  ['accounts_receiv_bill', 'NOTE_ACCOUNTS_RECE', '应收票据及应收账款'],
  ['oth_receiv', 'OTHER_RECE', '其他应收款'],
  ['oth_rcv_total', 'TOTAL_OTHER_RECE', '其他应收款合计'],
  ['prepayment', 'PREPAYMENT', '预付款项'],
  ['div_receiv', 'DIVIDEND_RECE', '应收股利'],
  ['int_receiv', 'INTEREST_RECE', '应收利息'],
  ['contract_assets', 'CONTRACT_ASSET', '合同资产'],
  ['nca_within_1y', 'NONCURRENT_ASSET_1YEAR', '一年内到期的非流动资产'],
  ['oth_cur_assets', 'OTHER_CURRENT_ASSET', '其他流动资产'],
  ['total_cur_assets', 'TOTAL_CURRENT_ASSETS', '流动资产合计'],
  ['fa_avail_for_sale', 'AVAILABLE_SALE_FINASSET', '可供出售金融资产'],
  ['lt_eqt_invest', 'LONG_EQUITY_INVEST', '长期股权投资'],
  ['invest_real_estate', 'INVEST_REALESTATE', '投资性房地产'],
  ['lt_rec', 'LONG_RECE', '长期应收款'],
  ['debt_invest', 'CREDITOR_INVEST', '债权投资'],
  ['oth_debt_invest', 'OTHER_CREDITOR_INVEST', '其他债权投资'],
  ['oth_eq_invest', 'OTHER_EQUITY_INVEST', '其他权益工具投资'],
  ['cip', 'CIP', '在建工程'],
  ['use_right_assets', 'USERIGHT_ASSET', '使用权资产'],
  ['intan_assets', 'INTANGIBLE_ASSET', '无形资产'],
  ['r_and_d', 'DEVELOP_EXPENSE', '开发支出'],
  ['goodwill', 'GOODWILL', '商誉'],
  ['lt_amor_exp', 'LONG_PREPAID_EXPENSE', '长期待摊费用'],
  ['defer_tax_assets', 'DEFER_TAX_ASSET', '递延所得税资产'],
  ['oth_nca', 'OTHER_NONCURRENT_ASSET', '其他非流动资产'],
  ['total_nca', 'TOTAL_NONCURRENT_ASSETS', '非流动资产合计'],
  ['st_borr', 'SHORT_LOAN', '短期借款'],
  ['lt_borr', 'LONG_LOAN', '长期借款'],
  ['notes_payable', 'NOTE_PAYABLE', '应付票据'],
  ['contract_liab', 'CONTRACT_LIAB', '合同负债'],
  ['payroll_payable', 'STAFF_SALARY_PAYABLE', '应付职工薪酬'],
  ['taxes_payable', 'TAX_PAYABLE', '应交税费'],
  ['int_payable', 'INTEREST_PAYABLE', '应付利息'],
  ['div_payable', 'DIVIDEND_PAYABLE', '应付股利'],
  ['oth_payable', 'OTHER_PAYABLE', '其他应付款'],
  ['non_cur_liab_due_1y', 'NONCURRENT_LIAB_1YEAR', '一年内到期的非流动负债'],
  ['oth_cur_liab', 'OTHER_CURRENT_LIAB', '其他流动负债'],
  ['total_cur_liab', 'TOTAL_CURRENT_LIAB', '流动负债合计'],
  ['bond_payable', 'BOND_PAYABLE', '应付债券'],
  ['lease_liab', 'LEASE_LIAB', '租赁负债'],
  ['lt_payable', 'LONG_PAYABLE', '长期应付款'],
  ['estimated_liab', 'PREDICT_LIAB', '预计负债'],
  ['defer_tax_liab', 'DEFER_TAX_LIAB', '递延所得税负债'],
  ['oth_ncl', 'OTHER_NONCURRENT_LIAB', '其他非流动负债'],
  ['total_ncl', 'TOTAL_NONCURRENT_LIAB', '非流动负债合计'],
  ['total_share', 'SHARE_CAPITAL', '股本', '股'],
  ['oth_eqt_tools', 'OTHER_EQUITY_TOOL', '其他权益工具'],
  ['cap_rese', 'CAPITAL_RESERVE', '资本公积'],
  ['treasury_share', 'TREASURY_SHARES', '库存股'],
  ['oth_comp_income', 'OTHER_COMPRE_INCOME', '其他综合收益'],
  ['special_rese', 'SPECIAL_RESERVE', '专项储备'],
  ['surplus_rese', 'SURPLUS_RESERVE', '盈余公积'],
  ['ordin_risk_reser', 'GENERAL_RISK_RESERVE', '一般风险准备'],
  ['undistr_porfit', 'UNASSIGN_RPOFIT', '未分配利润'],
  ['minority_int', 'MINORITY_EQUITY', '少数股东权益'],
  ['total_hldr_eqy_exc_min_int', 'TOTAL_PARENT_EQUITY', '归母股东权益合计'],
  ['total_liab_hldr_eqy', 'TOTAL_LIAB_EQUITY', '负债和股东权益总计'],
  ['cash_reser_cb', 'CASH_DEPOSIT_PBC', '现金及存放中央银行款项'],
  ['decr_in_disbur', 'LOAN_ADVANCE', '发放贷款和垫款'],
  ['current_ratio', 'CURRENT_RATIO', '流动比率', '%'],
  ['debt_to_assets', 'DEBT_ASSET_RATIO', '资产负债率', '%'],
]

const INCOME: readonly Item[] = [
  ['basic_eps', 'BASIC_EPS', '基本每股收益'],
  ['diluted_eps', 'DILUTED_EPS', '稀释每股收益'],
  ['int_income', 'INTEREST_INCOME', '利息收入'],
  ['prem_earned', 'EARNED_PREMIUM', '已赚保费'],
  ['comm_income', 'FEE_COMMISSION_INCOME', '手续费及佣金收入'],
  ['n_commis_income', 'FEE_COMMISSION_NI', '手续费及佣金净收入'],
  ['int_exp', 'INTEREST_EXPENSE', '利息支出'],
  ['comm_exp', 'FEE_COMMISSION_EXPENSE', '手续费及佣金支出'],
  ['biz_tax_surchg', 'OPERATE_TAX_ADD', '税金及附加'],
  ['rd_exp', 'RESEARCH_EXPENSE', '研发费用'],
  ['assets_impair_loss', 'ASSET_IMPAIRMENT_LOSS', '资产减值损失'],
  ['credit_impa_loss', 'CREDIT_IMPAIRMENT_LOSS', '信用减值损失'],
  ['fv_value_chg_gain', 'FAIRVALUE_CHANGE_INCOME', '公允价值变动收益'],
  ['invest_income', 'INVEST_INCOME', '投资收益'],
  ['ass_invest_income', 'INVEST_JOINT_INCOME', '对联营和合营企业的投资收益'],
  ['forex_gain', 'EXCHANGE_INCOME', '汇兑收益'],
  ['asset_disp_income', 'ASSET_DISPOSAL_INCOME', '资产处置收益'],
  ['oth_income', 'OTHER_INCOME', '其他收益'],
  ['non_oper_income', 'NONBUSINESS_INCOME', '营业外收入'],
  ['non_oper_exp', 'NONBUSINESS_EXPENSE', '营业外支出'],
  ['n_income', 'NETPROFIT', '净利润'],
  ['minority_gain', 'MINORITY_INTEREST', '少数股东损益'],
  ['oth_compr_income', 'OTHER_COMPRE_INCOME', '其他综合收益'],
  ['t_compr_income', 'TOTAL_COMPRE_INCOME', '综合收益总额'],
  ['compr_inc_attr_p', 'PARENT_TCI', '归母综合收益总额'],
  ['compr_inc_attr_m_s', 'MINORITY_TCI', '少数股东综合收益总额'],
  ['ebit', '', '息税前利润'],
  ['ebitda', '', '息税折旧摊销前利润'],
]

const CASHFLOW: readonly Item[] = [
  ['net_profit', 'NETPROFIT', '净利润'],
  ['recp_tax_rends', 'RECEIVE_TAX_REFUND', '收到的税费返还'],
  ['c_fr_oth_operate_a', 'RECEIVE_OTHER_OPERATE', '收到其他与经营活动有关的现金'],
  ['c_inf_fr_operate_a', 'TOTAL_OPERATE_INFLOW', '经营活动现金流入小计'],
  ['c_paid_goods_s', 'BUY_SERVICES', '购买商品接受劳务支付的现金'],
  ['c_paid_for_taxes', 'PAY_ALL_TAX', '支付的各项税费'],
  ['oth_cash_pay_oper_act', 'PAY_OTHER_OPERATE', '支付其他与经营活动有关的现金'],
  ['st_cash_out_act', 'TOTAL_OPERATE_OUTFLOW', '经营活动现金流出小计'],
  ['c_disp_withdrwl_invest', 'WITHDRAW_INVEST', '收回投资收到的现金'],
  ['n_recp_disp_fiolta', 'DISPOSAL_LONG_ASSET', '处置长期资产收回的现金净额'],
  ['stot_inflows_inv_act', 'TOTAL_INVEST_INFLOW', '投资活动现金流入小计'],
  ['c_paid_invest', 'INVEST_PAY_CASH', '投资支付的现金'],
  ['stot_out_inv_act', 'TOTAL_INVEST_OUTFLOW', '投资活动现金流出小计'],
  ['c_recp_cap_contrib', 'ACCEPT_INVEST_CASH', '吸收投资收到的现金'],
  ['c_recp_borrow', 'RECEIVE_LOAN_CASH', '取得借款收到的现金'],
  ['proc_issue_bonds', 'ISSUE_BOND', '发行债券收到的现金'],
  ['stot_cash_in_fnc_act', 'TOTAL_FINANCE_INFLOW', '筹资活动现金流入小计'],
  ['c_prepay_amt_borr', 'PAY_DEBT_CASH', '偿还债务支付的现金'],
  ['c_pay_dist_dpcp_int_exp', 'ASSIGN_DIVIDEND_PORFIT', '分配股利利润或偿付利息支付的现金'],
  ['stot_cashout_fnc_act', 'TOTAL_FINANCE_OUTFLOW', '筹资活动现金流出小计'],
  ['eff_fx_flu_cash', 'RATE_CHANGE_EFFECT', '汇率变动对现金的影响'],
  ['c_cash_equ_beg_period', 'BEGIN_CCE', '期初现金余额'],
  ['free_cashflow', '', '企业自由现金流量'],
  ['prov_depr_assets', 'ASSET_IMPAIRMENT', '资产减值准备'],
  ['depr_fa_coga_dpba', 'FA_IR_DEPR', '固定资产折旧'],
  ['amort_intang_assets', 'IA_AMORTIZE', '无形资产摊销'],
]

const INDICATORS: readonly Item[] = [
  ['dt_eps', '', '稀释每股收益'],
  ['total_revenue_ps', '', '每股营业总收入'],
  ['revenue_ps', '', '每股营业收入'],
  ['capital_rese_ps', '', '每股资本公积'],
  ['undist_profit_ps', '', '每股未分配利润'],
  ['cfps', '', '每股现金流量净额'],
  ['profit_dedt', '', '扣非净利润'],
  ['gross_margin', '', '毛利'],
  ['ebit', '', '息税前利润'],
  ['ebitda', '', '息税折旧摊销前利润'],
  ['fcff', '', '企业自由现金流量'],
  ['current_ratio', '', '流动比率', '倍'],
  ['quick_ratio', '', '速动比率', '倍'],
  ['cash_ratio', '', '保守速动比率', '倍'],
  ['inv_turn', '', '存货周转率', '次'],
  ['ar_turn', '', '应收账款周转率', '次'],
  ['assets_turn', '', '总资产周转率', '次'],
  ['netprofit_margin', '', '销售净利率', '%'],
  ['roe', '', '净资产收益率', '%'],
  ['roe_dt', '', '扣非净资产收益率', '%'],
  ['roa', '', '总资产报酬率', '%'],
  ['roic', '', '投入资本回报率', '%'],
  ['debt_to_assets', '', '资产负债率', '%'],
  ['debt_to_eqt', '', '产权比率', '%'],
  ['ocf_to_debt', '', '经营现金流与负债比', '倍'],
]

const EXTRA: Readonly<Record<string, readonly Item[]>> = {
  balance: BALANCE,
  income: INCOME,
  cashflow: CASHFLOW,
  indicators: INDICATORS,
}

/** Where Tushare's name is not the lake's. */
const TUSHARE_NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  indicators: { eps: 'basic_eps' },
}

/** The columns a table may have from the sources we know, beyond the standard ones. */
export function extraMeasures(table: string): readonly MeasureMeaning[] {
  return (EXTRA[table] ?? []).map(([name, , label, unit = '元']) => ({
    name,
    meaning: { label, unit },
  }))
}

/** The column of a source's name, or undefined for one that is not known. */
export function measureOf(
  table: string,
  source: ReportSource,
  name: string,
): MeasureMeaning | undefined {
  return vocabulary(table, source).get(name)
}

const built = new Map<string, ReadonlyMap<string, MeasureMeaning>>()

function vocabulary(table: string, source: ReportSource): ReadonlyMap<string, MeasureMeaning> {
  const key = `${table}|${source}`
  const known = built.get(key)
  if (known) return known
  const items: readonly Item[] = [...(MEASURES[table] ?? []), ...(EXTRA[table] ?? [])]
  const words = new Map<string, MeasureMeaning>()
  for (const [name, eastmoney, label, unit = '元'] of items) {
    const theirs = source === 'eastmoney' ? eastmoney : name
    if (theirs !== '' && !words.has(theirs)) words.set(theirs, { name, meaning: { label, unit } })
  }
  for (const [theirs, name] of Object.entries(TUSHARE_NAMES[table] ?? {})) {
    const same = words.get(name)
    if (source === 'tushare' && same) words.set(theirs, same)
  }
  built.set(key, words)
  return words
}
