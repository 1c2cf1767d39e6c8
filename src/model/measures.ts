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
  ['sett_rsrv', 'SETTLE_EXCESS_RESERVE', '结算备付金'],
  ['loanto_oth_bank_fi', 'LEND_FUND', '拆出资金'],
  ['deriv_assets', 'DERIVE_FINASSET', '衍生金融资产'],
  ['premium_receiv', 'PREMIUM_RECE', '应收保费'],
  ['reinsur_receiv', 'REINSURE_RECE', '应收分保账款'],
  ['reinsur_res_receiv', 'RC_RESERVE_RECE', '应收分保合同准备金'],
  ['pur_resale_fa', 'BUY_RESALE_FINASSET', '买入返售金融资产'],
  ['hfs_assets', 'HOLDSALE_ASSET', '持有待售资产'],
  ['htm_invest', 'HOLD_MATURITY_INVEST', '持有至到期投资'],
  ['oth_illiq_fin_assets', 'OTHER_NONCURRENT_FINASSET', '其他非流动金融资产'],
  ['const_materials', 'PROJECT_MATERIAL', '工程物资'],
  ['fixed_assets_disp', 'FIXED_ASSET_DISPOSAL', '固定资产清理'],
  ['produc_bio_assets', 'PRODUCTIVE_BIOLOGY_ASSET', '生产性生物资产'],
  ['oil_and_gas_assets', 'OIL_GAS_ASSET', '油气资产'],
  ['depos_in_oth_bfi', '', '存放同业和其他金融机构款项'],
  ['prec_metals', 'PRECIOUS_METAL', '贵金属'],
  ['time_deposits', '', '定期存款'],
  ['oth_assets', 'OTHER_ASSET', '其他资产'],
  ['fix_assets_total', '', '固定资产合计'],
  ['cip_total', '', '在建工程合计'],
  ['cb_borr', 'LOAN_PBC', '向中央银行借款'],
  ['depos_ib_deposits', 'ACCEPT_DEPOSIT_INTERBANK', '吸收存款及同业存放'],
  ['depos', 'ACCEPT_DEPOSIT', '吸收存款'],
  ['loan_oth_bank', 'BORROW_FUND', '拆入资金'],
  ['trading_fl', 'TRADE_FINLIAB', '交易性金融负债'],
  ['deriv_liab', 'DERIVE_FINLIAB', '衍生金融负债'],
  ['accounts_pay', 'NOTE_ACCOUNTS_PAYABLE', '应付票据及应付账款'],
  ['sold_for_repur_fa', 'SELL_REPO_FINASSET', '卖出回购金融资产款'],
  ['comm_payable', 'FEE_COMMISSION_PAYABLE', '应付手续费及佣金'],
  ['payable_to_reinsurer', 'REINSURE_PAYABLE', '应付分保账款'],
  ['rsrv_insur_cont', 'INSURANCE_CONTRACT_RESERVE', '保险合同准备金'],
  ['acting_trading_sec', 'AGENT_TRADE_SECURITY', '代理买卖证券款'],
  ['acting_uw_sec', 'AGENT_UNDERWRITE_SECURITY', '代理承销证券款'],
  ['st_bonds_payable', 'SHORT_BOND_PAYABLE', '应付短期债券'],
  ['acc_exp', 'PREDICT_CURRENT_LIAB', '预提费用'],
  ['deferred_inc', 'DEFER_INCOME_1YEAR', '递延收益'],
  ['hfs_sales', 'HOLDSALE_LIAB', '持有待售负债'],
  ['oth_pay_total', 'TOTAL_OTHER_PAYABLE', '其他应付款合计'],
  ['specific_payables', 'SPECIAL_PAYABLE', '专项应付款'],
  ['long_pay_total', '', '长期应付款合计'],
  ['lt_payroll_payable', 'LONG_STAFFSALARY_PAYABLE', '长期应付职工薪酬'],
  ['defer_inc_non_cur_liab', 'DEFER_INCOME', '递延收益（非流动）'],
  ['forex_differ', 'CONVERT_DIFF', '外币报表折算差额'],
  ['invest_loss_unconf', 'UNCONFIRM_INVEST_LOSS', '未确认投资损失'],
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
  ['prem_income', '', '保险业务收入'],
  ['out_prem', '', '分出保费'],
  ['une_prem_reser', '', '提取未到期责任准备金'],
  ['n_sec_tb_income', '', '代理买卖证券业务净收入'],
  ['n_sec_uw_income', '', '证券承销业务净收入'],
  ['n_asset_mg_income', '', '受托资产管理业务净收入'],
  ['oth_b_income', 'OTHER_BUSINESS_INCOME', '其他业务收入'],
  ['prem_refund', 'SURRENDER_VALUE', '退保金'],
  ['compens_payout', 'NET_COMPENSATE_EXPENSE', '赔付总支出'],
  ['reser_insur_liab', 'NET_CONTRACT_RESERVE', '提取保险责任准备金'],
  ['div_payt', 'POLICY_BONUS_EXPENSE', '保户红利支出'],
  ['oper_exp', 'OPERATE_EXPENSE', '营业支出'],
  ['other_bus_cost', 'OTHER_BUSINESS_COST', '其他业务成本'],
  ['nca_disploss', 'NONCURRENT_DISPOSAL_LOSS', '非流动资产处置净损失'],
  ['continued_net_profit', 'CONTINUED_NETPROFIT', '持续经营净利润'],
  ['fin_exp_int_exp', 'FE_INTEREST_EXPENSE', '财务费用：利息费用'],
  ['fin_exp_int_inc', 'FE_INTEREST_INCOME', '财务费用：利息收入'],
  ['net_expo_hedging_benefits', 'NET_EXPOSURE_INCOME', '净敞口套期收益'],
  ['undist_profit', '', '年初未分配利润'],
  ['distable_profit', '', '可分配利润'],
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
  ['finan_exp', 'FINANCE_EXPENSE', '财务费用'],
  ['n_depos_incr_fi', 'DEPOSIT_INTERBANK_ADD', '客户存款和同业存放净增加额'],
  ['n_incr_loans_cb', 'LOAN_PBC_ADD', '向中央银行借款净增加额'],
  ['ifc_cash_incr', 'RECEIVE_INTEREST_COMMISSION', '收取利息手续费的现金'],
  ['n_incr_clt_loan_adv', 'LOAN_ADVANCE_ADD', '客户贷款及垫款净增加额'],
  ['n_incr_dep_cbob', 'PBC_INTERBANK_ADD', '存放央行和同业款项净增加额'],
  ['pay_handling_chrg', 'PAY_INTEREST_COMMISSION', '支付利息手续费的现金'],
  ['pay_comm_insur_plcy', 'PAY_POLICY_BONUS', '支付保单红利的现金'],
  ['c_pay_claims_orig_inco', 'PAY_ORIGIN_COMPENSATE', '支付原保险合同赔付款'],
  ['n_disp_subs_oth_biz', 'DISPOSAL_SUBSIDIARY_OTHER', '处置子公司收到的现金净额'],
  ['oth_recp_ral_inv_act', 'RECEIVE_OTHER_INVEST', '收到其他与投资活动有关的现金'],
  ['oth_pay_ral_inv_act', 'PAY_OTHER_INVEST', '支付其他与投资活动有关的现金'],
  ['oth_cash_recp_ral_fnc_act', 'RECEIVE_OTHER_FINANCE', '收到其他与筹资活动有关的现金'],
  ['oth_cashpay_ral_fnc_act', 'PAY_OTHER_FINANCE', '支付其他与筹资活动有关的现金'],
  ['incl_dvd_profit_paid_sc_ms', 'SUBSIDIARY_PAY_DIVIDEND', '子公司支付给少数股东的股利'],
  ['incl_cash_rec_saims', 'SUBSIDIARY_ACCEPT_INVEST', '子公司吸收少数股东投资'],
  ['lt_amort_deferred_exp', 'LPE_AMORTIZE', '长期待摊费用摊销'],
  ['loss_disp_fiolta', 'DISPOSAL_LONGASSET_LOSS', '处置长期资产的损失'],
  ['loss_scr_fa', 'FA_SCRAP_LOSS', '固定资产报废损失'],
  ['loss_fv_chg', 'FAIRVALUE_CHANGE_LOSS', '公允价值变动损失'],
  ['invest_loss', 'INVEST_LOSS', '投资损失'],
  ['decr_inventories', 'INVENTORY_REDUCE', '存货的减少'],
  ['decr_oper_payable', 'OPERATE_RECE_REDUCE', '经营性应收项目的减少'],
  ['incr_oper_payable', 'OPERATE_PAYABLE_ADD', '经营性应付项目的增加'],
  ['im_net_cashflow_oper_act', 'NETCASH_OPERATENOTE', '经营活动现金流量净额（间接法）'],
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
