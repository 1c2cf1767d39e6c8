/** EastMoney's list of stocks and its valuations. */
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/ingestion/collector.ts'
import { eastmoneyCollector } from '../../src/ingestion/eastmoney.ts'
import { served } from '../support/datacenter.ts'
import type { Asked, Reply } from '../support/source.ts'
import { NO_SETTINGS, fakeSource, requestOf, toolsOf } from '../support/source.ts'

const collector = eastmoneyCollector(NO_SETTINGS)

const ORGANISATIONS = [
  {
    SECUCODE: '000001.SZ',
    SECURITY_CODE: '000001',
    SECURITY_NAME_ABBR: '平安银行',
    EM2016: '金融-银行-股份制银行',
    LISTING_DATE: '1991-04-03 00:00:00',
  },
  { SECUCODE: '900901.SH', SECURITY_CODE: '900901', LISTING_DATE: '1992-02-21 00:00:00' },
  { SECUCODE: '430001.NQ', SECURITY_CODE: '430001', LISTING_DATE: '2006-01-23 00:00:00' },
  {
    SECUCODE: '603999.SH',
    SECURITY_CODE: '603999',
    SECURITY_NAME_ABBR: '未上市',
    LISTING_DATE: null,
  },
  {
    SECUCODE: '600001.SH',
    SECURITY_CODE: '600001',
    SECURITY_NAME_ABBR: '邯郸钢铁',
    EM2016: null,
    LISTING_DATE: '1998-01-22 00:00:00',
  },
]
const SSE = {
  result: [
    {
      COMPANY_CODE: '600001',
      COMPANY_ABBR: '邯郸钢铁',
      LIST_DATE: '19980122',
      DELIST_DATE: '20091229',
    },
  ],
  pageHelp: { total: 1 },
}
const SZSE = [
  { metadata: { tabkey: 'tab1', pagecount: 0, recordcount: 0 }, data: [] },
  {
    metadata: { tabkey: 'tab2', pagecount: 1, recordcount: 2 },
    data: [
      { zqdm: '000013', zqjc: '*ST石化A', ssrq: '1992-05-06', zzrq: '2004-09-20' },
      { zqdm: '200013', zqjc: '石化B', ssrq: '1992-05-06', zzrq: '2004-09-20' },
    ],
  },
]

describe('the list of stocks', () => {
  function lists(szse: unknown): (one: Asked) => Reply {
    return (one) => {
      if (one.url.pathname === '/commonQuery.do') return { body: JSON.stringify(SSE) }
      if (one.url.pathname.endsWith('ShowReport/data')) return { body: JSON.stringify(szse) }
      return served({ RPT_F10_BASIC_ORGINFO: ORGANISATIONS })(one)
    }
  }
  const batch: Batch = { kind: 'whole', period: '2026-11-26', tables: ['stock_basic'], requests: 1 }

  test('holds A shares, the delisted ones too, and nothing else', async () => {
    const [table] = await collector.collect(batch, toolsOf(fakeSource(lists(SZSE))))
    expect(table!.rows).toEqual([
      {
        symbol: '000001.SZ',
        code: '000001',
        name: '平安银行',
        list_date: '1991-04-03',
        board: '主板',
        industry: '金融-银行-股份制银行',
        delist_date: null,
        list_status: 'L',
      },
      expect.objectContaining({
        symbol: '600001.SH',
        delist_date: '2009-12-29',
        list_status: 'D',
        name: '邯郸钢铁',
      }),
      expect.objectContaining({
        symbol: '000013.SZ',
        list_date: '1992-05-06',
        delist_date: '2004-09-20',
        list_status: 'D',
      }),
    ])
  })

  test('leaves dates of delisting alone when an exchange does not answer well', async () => {
    const [table] = await collector.collect(batch, toolsOf(fakeSource(lists({ error: 1 }))))
    expect(table!.rows).toHaveLength(2)
    expect(table!.rows.every((row) => !('delist_date' in row) && !('list_status' in row))).toBe(
      true,
    )
    expect(table!.warnings.join()).toContain('dates of delisting were not read')
  })
})

test('changes of share capital come by symbol; of two of one day the later holds', async () => {
  const change = { SECUCODE: '600519.SH', END_DATE: '2015-07-17 00:00:00', UNLIMITED_SHARES: 7 }
  const [batch] = await collector.batches(
    requestOf({ tables: ['share_capital'], symbols: ['600519.SH'] }),
  )
  const rows = [
    { ...change, NOTICE_DATE: '2015-07-20 00:00:00', TOTAL_SHARES: 9, LISTED_A_SHARES: 8 },
    { ...change, NOTICE_DATE: '2015-07-10 00:00:00', TOTAL_SHARES: 8, LISTED_A_SHARES: 8 },
    { ...change, END_DATE: '2001-07-31 00:00:00', TOTAL_SHARES: 5, LISTED_A_SHARES: null },
  ]
  const [table] = await collector.collect(
    batch!,
    toolsOf(fakeSource(served({ RPT_F10_EH_EQUITY: rows }))),
  )
  const head = { symbol: '600519.SH' }
  expect(table!.rows).toEqual([
    {
      ...head,
      change_date: '2001-07-31',
      notice_date: null,
      total_share: 5,
      float_share: 7,
    },
    {
      ...head,
      change_date: '2015-07-17',
      notice_date: '2015-07-20',
      total_share: 9,
      float_share: 8,
    },
  ])
})

test('valuations come by symbol, in the columns of the lake', async () => {
  const row = {
    SECURITY_CODE: '600519',
    SECUCODE: '600519.SH',
    TRADE_DATE: '2026-11-25 00:00:00',
    CLOSE_PRICE: 1488,
    TOTAL_MARKET_CAP: 1.8692e12,
    NOTLIMITED_MARKETCAP_A: 1.8692e12,
    TOTAL_SHARES: 1256197800,
    FREE_SHARES_A: 1256197800,
    PE_TTM: 21.5,
    PE_LAR: 22.1,
    PB_MRQ: 7.6,
    PS_TTM: 10.9,
    PCF_OCF_TTM: 20.1,
    PEG_CAR: 1.4,
  }
  const [batch] = await collector.batches(
    requestOf({ tables: ['daily_valuation'], symbols: ['600519.SH'], since: '2026-11-01' }),
  )
  const source = fakeSource(served({ RPT_VALUEANALYSIS_DET: [row] }))
  const [table] = await collector.collect(batch!, toolsOf(source))
  expect(source.asked[0]!.query.get('filter')).toBe(
    `(SECURITY_CODE="600519")(TRADE_DATE>='2026-11-01')`,
  )
  expect(table!.rows).toEqual([
    {
      symbol: '600519.SH',
      trade_date: '2026-11-25',
      source: 'eastmoney',
      close: 1488,
      total_mv: 1.8692e12,
      circ_mv: 1.8692e12,
      total_share: 1256197800,
      float_share: 1256197800,
      pe_ttm: 21.5,
      pe: 22.1,
      pb: 7.6,
      ps_ttm: 10.9,
      pcf_ocf_ttm: 20.1,
      peg: 1.4,
    },
  ])
})
