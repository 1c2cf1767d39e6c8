/** EastMoney's reports, held against rows as the source gave them. */
import { describe, expect, test } from 'vitest'
import type { Batch, CollectedTable } from '../../src/ingestion/collector.ts'
import { eastmoneyF10Collector } from '../../src/ingestion/eastmoney-f10.ts'
import { eastmoneyCollector } from '../../src/ingestion/eastmoney.ts'
import { meaningOf } from '../../src/model/standard-tables.ts'
import { DMSK_INCOME_ROW, F10_BALANCE_ROWS, LICO_ROW } from '../support/recorded.ts'
import type { Reports } from '../support/datacenter.ts'
import { served } from '../support/datacenter.ts'
import { NO_SETTINGS, fakeSource, requestOf, toolsOf } from '../support/source.ts'

const collector = eastmoneyCollector(NO_SETTINGS)

function quarter(period: string, tables: readonly string[]): Batch {
  return { kind: 'quarter', period, tables, requests: 1 }
}

async function collect(batch: Batch, reports: Reports): Promise<readonly CollectedTable[]> {
  return collector.collect(batch, toolsOf(fakeSource(served(reports))))
}

describe('indicators', () => {
  const batch = quarter('2020-06-30', ['indicators'])

  test('keep the levels of the recorded row under the names of the lake, and no change rates', async () => {
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [LICO_ROW] })
    expect(table!.rows).toEqual([
      {
        symbol: '300344.SZ',
        end_date: '2020-06-30',
        source: 'eastmoney',
        notice_date: '2020-08-28',
        known_at: new Date('2026-11-26T12:00:00Z'),
        basic_eps: -0.0874,
        deduct_basic_eps: -0.0893,
        total_revenue: 76755948.04,
        n_income_attr_p: -42325660,
        roe_waa: -6.55,
        bps: 1.230604809575,
        ocfps: -0.027835091109,
        grossprofit_margin: 23.9988262283,
      },
    ])
    const roe = table!.fields.find((field) => field.name === 'roe_waa')!
    expect(meaningOf(roe)).toEqual({
      source: 'WEIGHTAVG_ROE',
      label: '加权净资产收益率',
      unit: '%',
    })
  })

  test('leave out the over-the-counter market, and say so', async () => {
    const foreign = { ...LICO_ROW, SECUCODE: '830001.NQ', SECURITY_CODE: '830001' }
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [LICO_ROW, foreign] })
    expect(table!.rows).toHaveLength(1)
    expect(table!.warnings.join()).toContain('1 rows are not listed')
  })

  test('take 1900-01-01 for an unknown date', async () => {
    const unknown = { ...LICO_ROW, NOTICE_DATE: '1900-01-01 00:00:00' }
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [unknown] })
    expect(table!.rows[0]).toMatchObject({ notice_date: null })
  })

  test('keep both rows of a restated report, each with its date, the later one last', async () => {
    const restated = {
      ...LICO_ROW,
      UPDATE_DATE: '2021-04-01 00:00:00',
      NOTICE_DATE: '2021-03-31 00:00:00',
      BASIC_EPS: -0.09,
    }
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [restated, LICO_ROW] })
    expect(table!.rows.map((row) => [row['notice_date'], row['basic_eps']])).toEqual([
      ['2020-08-28', -0.0874],
      ['2021-03-31', -0.09],
    ])
  })

  test('take new columns, numbers and words, under their own names', async () => {
    const wider = { ...LICO_ROW, NEW_LEVEL: 1.5, NEW_WORD: '甲', NEW_THING: null, NEW_YOY: 3 }
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [LICO_ROW, wider] })
    const added = table!.fields.filter((field) => field.name.startsWith('new_'))
    expect(added.map((field) => [field.name, field.type])).toEqual([
      ['new_level', 'double'],
      ['new_word', 'string'],
    ])
    expect(table!.rows[0]).toMatchObject({ new_level: null, new_word: null })
    expect(table!.rows[1]).toMatchObject({ new_level: 1.5, new_word: '甲' })
  })

  test('do not take a name of the source for an item of the lake that is called so', async () => {
    const [table] = await collect(batch, { RPT_LICO_FN_CPD: [{ ...LICO_ROW, TOTAL_REVENUE: 5 }] })
    expect(table!.rows[0]).toMatchObject({ total_revenue: 76755948.04, total_revenue_em: 5 })
  })

  test.each([
    ['BPS', '1.23'],
    ['BPS', true],
    ['BPS', { value: 1 }],
  ])('refuse %s when it comes as %j', async (column, value) => {
    const changed = { ...LICO_ROW, SECURITY_CODE: '300345', [column]: value }
    await expect(collect(batch, { RPT_LICO_FN_CPD: [LICO_ROW, changed] })).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      details: { table: 'indicators', column },
    })
  })

  test('refuse rows of another period', async () => {
    const other = { ...LICO_ROW, REPORTDATE: '2020-03-31 00:00:00' }
    await expect(collect(batch, { RPT_LICO_FN_CPD: [other] })).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
    })
  })
})

describe('statements', () => {
  const lico = {
    ...LICO_ROW,
    SECUCODE: '600519.SH',
    SECURITY_CODE: '600519',
    REPORTDATE: '2025-03-31 00:00:00',
    NOTICE_DATE: '2025-04-30 00:00:00',
  }

  test('take the first notice from the indicators, not the date they were shown last', async () => {
    const later = {
      ...lico,
      NOTICE_DATE: '2025-09-01 00:00:00',
      UPDATE_DATE: '2025-09-01 00:00:00',
    }
    const [table] = await collect(quarter('2025-03-31', ['income']), {
      RPT_LICO_FN_CPD: [later, lico],
      RPT_DMSK_FN_INCOME: [DMSK_INCOME_ROW],
    })
    expect(table!.rows).toEqual([
      {
        symbol: '600519.SH',
        end_date: '2025-03-31',
        source: 'eastmoney',
        notice_date: '2025-04-30',
        known_at: new Date('2026-11-26T12:00:00Z'),
        total_revenue: 51443450583.77,
        revenue: null,
        total_cogs: 14433297495.64,
        oper_cost: 4061430550.43,
        sell_exp: 1495322480.9,
        admin_exp: 1919959143.43,
        fin_exp: -282549536.99,
        operate_profit: 37036598228,
        total_profit: 37031453649.79,
        income_tax: 9256817638.18,
        n_income_attr_p: 26847474238.76,
        deduct_parent_netprofit: 26849883702.9,
      },
    ])
  })

  test('without indicators have no date', async () => {
    const [table] = await collect(quarter('2025-03-31', ['income']), {
      RPT_DMSK_FN_INCOME: [DMSK_INCOME_ROW],
    })
    expect(table!.rows[0]).toMatchObject({ notice_date: null })
  })

  test('of a bank are rows with other columns', async () => {
    const bank = { ...DMSK_INCOME_ROW, SECUCODE: '601398.SH', INTEREST_INCOME: 12.5 }
    const [table] = await collect(quarter('2025-03-31', ['income']), {
      RPT_DMSK_FN_INCOME: [DMSK_INCOME_ROW, bank],
    })
    const interest = table!.fields.find((field) => field.name === 'int_income')!
    expect(meaningOf(interest)).toMatchObject({ source: 'INTEREST_INCOME', label: '利息收入' })
    expect(table!.rows.map((row) => row['int_income'])).toEqual([null, 12.5])
  })
})

describe('batches', () => {
  test('are quarters, by default the last eight', async () => {
    const batches = await collector.batches(requestOf({ tables: ['indicators', 'income'] }))
    expect(batches).toHaveLength(8)
    expect(batches[0]).toMatchObject({ kind: 'quarter', period: '2024-12-31', requests: 24 })
    expect(batches.at(-1)).toMatchObject({ period: '2026-09-30' })
  })

  test('of a few symbols are one request a report, with all periods', async () => {
    const [batch, more] = await collector.batches(
      requestOf({ tables: ['income'], symbols: ['600519.SH'], since: '2025-01-01' }),
    )
    expect(more).toBeUndefined()
    const source = fakeSource(
      served({
        RPT_LICO_FN_CPD: [
          { ...LICO_ROW, SECUCODE: '600519.SH', REPORTDATE: '2025-03-31 00:00:00' },
        ],
        RPT_DMSK_FN_INCOME: [
          DMSK_INCOME_ROW,
          { ...DMSK_INCOME_ROW, REPORT_DATE: '2019-03-31 00:00:00' },
        ],
      }),
    )
    const [table] = await collector.collect(batch!, toolsOf(source))
    expect(table!.rows.map((row) => row['end_date'])).toEqual(['2025-03-31'])
    expect(source.asked.map((one) => one.query.get('filter'))).toEqual([
      '(SECURITY_CODE="600519")',
      '(SECUCODE="600519.SH")',
    ])
  })
})

describe('full statements', () => {
  const f10 = eastmoneyF10Collector(NO_SETTINGS)
  const asks = requestOf({ tables: ['balance'], symbols: ['600519.SH'] })

  test('hold every period of the recorded rows; a date of updating alone is nothing', async () => {
    const [batch] = await f10.batches(asks)
    const source = fakeSource(served({ RPT_F10_FINANCE_GBALANCE: F10_BALANCE_ROWS }))
    const [table] = await f10.collect(batch!, toolsOf(source))
    expect(table!.rows).toEqual([
      expect.objectContaining({
        symbol: '600519.SH',
        end_date: '2025-12-31',
        source: 'eastmoney_f10',
        notice_date: '2026-04-17',
        undistr_porfit: 191899647000.5,
        opinion_type: '标准无保留意见',
      }),
      expect.objectContaining({
        end_date: '2026-03-31',
        notice_date: '2026-04-25',
        money_cap: 48786691397.55,
        inventories: 60692316104.51,
        total_assets: 319918844905.58,
        total_liab: 38782958469.89,
        total_hldr_eqy_exc_min_int: 270894035676.27,
        total_hldr_eqy_inc_min_int: 281135886435.69,
        undistr_porfit: 219147661718.66,
        currency: 'CNY',
      }),
    ])
    const names = table!.fields.map((field) => field.name)
    expect(names).not.toContain('monetaryfunds_yoy')
    expect(names).not.toContain('update_date')
  })

  test('of a bank stand in another report, which is found once and remembered', async () => {
    const bank = F10_BALANCE_ROWS.map((row) => ({ ...row, SECUCODE: '601398.SH' }))
    const source = fakeSource(served({ RPT_F10_FINANCE_BBALANCE: bank }))
    const tools = toolsOf(source)
    const [batch] = await f10.batches({ ...asks, symbols: ['601398.SH'] })
    const reports = (): (string | null)[] => source.asked.map((one) => one.query.get('reportName'))
    expect((await f10.collect(batch!, tools))[0]!.rows).toHaveLength(2)
    // General companies first, asked twice as it was empty; then banks, and the statement itself.
    expect(reports()).toEqual([
      'RPT_F10_FINANCE_GBALANCE',
      'RPT_F10_FINANCE_GBALANCE',
      'RPT_F10_FINANCE_BBALANCE',
      'RPT_F10_FINANCE_BBALANCE',
    ])
    source.asked.length = 0
    await f10.collect(batch!, tools)
    expect(reports()).toEqual(['RPT_F10_FINANCE_BBALANCE'])
  })

  test('need a list of stocks, or symbols', async () => {
    await expect(f10.batches(requestOf({ tables: ['balance'] }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})
