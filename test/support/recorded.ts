/** Rows as the sources gave them, letter by letter, for tests of shape. */

/** `RPT_LICO_FN_CPD`, half-year report of 2020. */
export const LICO_ROW = {
  SECURITY_CODE: '300344',
  SECURITY_NAME_ABBR: '太空智造',
  TRADE_MARKET_CODE: '069001002002',
  TRADE_MARKET: '深交所创业板',
  SECURITY_TYPE_CODE: '058001001',
  SECURITY_TYPE: 'A股',
  UPDATE_DATE: '2020-10-01 00:00:00',
  REPORTDATE: '2020-06-30 00:00:00',
  BASIC_EPS: -0.0874,
  DEDUCT_BASIC_EPS: -0.0893,
  TOTAL_OPERATE_INCOME: 76755948.04,
  PARENT_NETPROFIT: -42325660,
  WEIGHTAVG_ROE: -6.55,
  YSTZ: -65.0955787682,
  SJLTZ: -444.03,
  BPS: 1.230604809575,
  MGJYXJJE: -0.027835091109,
  XSMLL: 23.9988262283,
  YSHZ: 47.8119,
  SJLHZ: -11.9622,
  ASSIGNDSCRPT: '不分配不转增',
  PAYYEAR: '2020',
  PUBLISHNAME: '软件服务',
  ZXGXL: null,
  NOTICE_DATE: '2020-08-28 00:00:00',
  ORG_CODE: '10119359',
  TRADE_MARKET_ZJG: '0202',
  ISNEW: '1',
  QDATE: '2020Q2',
  DATATYPE: '2020年 半年报',
  DATAYEAR: '2020',
  DATEMMDD: '半年报',
  EITIME: '2020-08-27 16:08:42',
} as const

/** `RPT_DMSK_FN_INCOME`: the notice date is that of the report a year later. */
export const DMSK_INCOME_ROW = {
  SECUCODE: '600519.SH',
  SECURITY_CODE: '600519',
  SECURITY_NAME_ABBR: '贵州茅台',
  REPORT_DATE: '2025-03-31 00:00:00',
  NOTICE_DATE: '2026-04-25 00:00:00',
  TOTAL_OPERATE_INCOME: 51443450583.77,
  OPERATE_INCOME: null,
  TOTAL_OPERATE_COST: 14433297495.64,
  OPERATE_COST: 4061430550.43,
  SALE_EXPENSE: 1495322480.9,
  MANAGE_EXPENSE: 1919959143.43,
  FINANCE_EXPENSE: -282549536.99,
  OPERATE_PROFIT: 37036598228.0,
  TOTAL_PROFIT: 37031453649.79,
  INCOME_TAX: 9256817638.18,
  PARENT_NETPROFIT: 26847474238.76,
  DEDUCT_PARENT_NETPROFIT: 26849883702.9,
} as const

const F10_HEAD = {
  SECUCODE: '600519.SH',
  SECURITY_CODE: '600519',
  ORG_CODE: '10002602',
  ORG_TYPE: '通用',
  CURRENCY: 'CNY',
} as const

/** `RPT_F10_FINANCE_GBALANCE`: the second row was published again with the next report. */
export const F10_BALANCE_ROWS = [
  {
    ...F10_HEAD,
    REPORT_DATE: '2025-12-31 00:00:00',
    REPORT_TYPE: '年报',
    REPORT_DATE_NAME: '2025年报',
    NOTICE_DATE: '2026-04-17 00:00:00',
    UPDATE_DATE: '2026-04-25 00:00:00',
    MONETARYFUNDS: 51753144000.12,
    UNASSIGN_RPOFIT: 191899647000.5,
    OPINION_TYPE: '标准无保留意见',
  },
  {
    ...F10_HEAD,
    REPORT_DATE: '2026-03-31 00:00:00',
    REPORT_TYPE: '一季报',
    REPORT_DATE_NAME: '2026一季报',
    NOTICE_DATE: '2026-04-25 00:00:00',
    UPDATE_DATE: '2026-04-25 00:00:00',
    MONETARYFUNDS: 48786691397.55,
    INVENTORY: 60692316104.51,
    TOTAL_ASSETS: 319918844905.58,
    TOTAL_LIABILITIES: 38782958469.89,
    TOTAL_PARENT_EQUITY: 270894035676.27,
    TOTAL_EQUITY: 281135886435.69,
    UNASSIGN_RPOFIT: 219147661718.66,
    MONETARYFUNDS_YOY: 3.3,
  },
] as const

/** Sina's bars, as text. */
export const SINA_BARS =
  '[{"day":"2024-12-18","open":"1545.000","high":"1557.980","low":"1536.000","close":"1541.000","volume":"2310987"},' +
  '{"day":"2024-12-19","open":"1530.000","high":"1539.900","low":"1518.100","close":"1535.000","volume":"2581622"}]'

/** Sina's factors: steps from the newest on, down to the sentinel. */
export const SINA_FACTORS =
  'var sh600519hfq={"total":3,"data":[{"d":"2023-06-30","f":"169.1453"},{"d":"2022-06-30","f":"165.2010"},{"d":"1900-01-01","f":"1.0000"}]}\n/* * */'

/** Tencent's bars: date, open, close, high, low, volume in lots, a note, turnover, amount in tens of thousands. */
export const TENCENT_BARS = {
  code: 0,
  msg: '',
  data: {
    sh601872: {
      day: [
        ['2024-12-17', '6.080', '6.080', '6.150', '6.020', '701000.000', {}, '0.86', '42620.80'],
        ['2024-12-18', '6.110', '6.180', '6.280', '6.100', '842743.000', {}, '1.03', '54282.95'],
      ],
    },
  },
} as const
