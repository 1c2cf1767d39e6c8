/** Rows of the reports that the datacenter serves, in EastMoney's names. */
import { addDays } from '../model/date.ts'
import { addQuarters, quarterName } from '../model/period.ts'
import type { Company, Market, Report } from './market.ts'
import type { Quirk } from './quirks.ts'
import { chance } from './random.ts'

/** A row of an answer. */
export type SourceRow = Readonly<Record<string, string | number | null>>

/** What the exchange knows: the market and its present day. */
export interface World {
  readonly seed: number
  readonly market: Market
  /** The present day, `YYYY-MM-DD`: reports of later notices are not shown yet. */
  readonly today: string
  /** What is odd about the rows (see `ROW_QUIRKS`). */
  readonly quirks: ReadonlySet<Quirk>
}

/** The reports that are served, with the name of their period column. */
export const REPORTS: Readonly<Record<string, string>> = {
  RPT_LICO_FN_CPD: 'REPORTDATE',
  RPT_DMSK_FN_BALANCE: 'REPORT_DATE',
  RPT_DMSK_FN_INCOME: 'REPORT_DATE',
  RPT_DMSK_FN_CASHFLOW: 'REPORT_DATE',
}

/** All rows of a report for a period, as they stand on the world's day. */
export function reportRows(world: World, report: string, period: string): SourceRow[] {
  const rows: SourceRow[] = []
  for (const company of world.market.companies) {
    const shown = shownReport(world, company, period)
    if (!shown) continue
    if (report !== 'RPT_LICO_FN_CPD') {
      rows.push(statementRow(world, report, shown))
      continue
    }
    const before = world.quirks.has('two-rows')
      ? world.market.versions(company, period).filter((r) => r.version < shown.version)
      : []
    rows.push(...[...before, shown].map((version) => indicatorRow(world, version)))
  }
  if (report === 'RPT_LICO_FN_CPD' && world.quirks.has('other-market'))
    rows.push(...overTheCounterRows(world, period))
  return rows
}

/** The version that the exchange shows today, if any. */
export function shownReport(world: World, company: Company, period: string): Report | undefined {
  return world.market.versions(company, period).findLast((r) => r.shownFrom <= world.today)
}

const MARKET_CODES: Readonly<Record<string, string>> = {
  SH: '069001001001',
  SZ: '069001002001',
  BJ: '069001017',
}

const CODES_CHANGED = '2025-10-09'

/** The symbol of a company as the exchange writes it today, also in its old reports. */
export function symbolToday(world: World, company: Company): string {
  const old = world.quirks.has('code-change') && world.today < CODES_CHANGED
  return old ? company.symbol.replace(/^92(?=\d+\.BJ$)/, '83') : company.symbol
}

function head(world: World, company: Company): Record<string, string> {
  const symbol = symbolToday(world, company)
  return {
    SECUCODE: symbol,
    SECURITY_CODE: symbol.slice(0, 6),
    SECURITY_NAME_ABBR: company.name,
    TRADE_MARKET_CODE: MARKET_CODES[company.symbol.slice(7)]!,
    SECURITY_TYPE_CODE: '058001001',
  }
}

function midnight(date: string): string {
  return `${date} 00:00:00`
}

function indicatorRow(world: World, report: Report): SourceRow {
  const { company, period, values } = report
  const before = previousYear(world, report)
  const change = (name: string): number | null => growth(values[name], before?.values[name])
  return {
    ...head(world, company),
    TRADE_MARKET: company.symbol.endsWith('SH') ? '上交所主板' : '深交所主板',
    SECURITY_TYPE: 'A股',
    UPDATE_DATE: midnight(report.shownFrom),
    REPORTDATE: midnight(period),
    BASIC_EPS: values['eps'] ?? null,
    DEDUCT_BASIC_EPS: scaled(values['eps'], 0.94),
    TOTAL_OPERATE_INCOME: values['revenue'] ?? null,
    PARENT_NETPROFIT: values['profit'] ?? null,
    WEIGHTAVG_ROE: values['roe'] ?? null,
    YSTZ: change('revenue'),
    SJLTZ: change('profit'),
    BPS: values['bps'] ?? null,
    MGJYXJJE: values['cashPerShare'] ?? null,
    XSMLL: values['grossMargin'] ?? null,
    YSHZ: null,
    SJLHZ: null,
    ASSIGNDSCRPT: '不分配不转增',
    PAYYEAR: period.slice(0, 4),
    PUBLISHNAME: company.industry,
    ZXGXL: null,
    NOTICE_DATE: midnight(writtenNotice(world, report)),
    ORG_CODE: `1${company.code}0`,
    TRADE_MARKET_ZJG: '0101',
    ISNEW: '1',
    QDATE: quarterName(period),
    DATATYPE: `${period.slice(0, 4)}年 报告`,
    DATAYEAR: period.slice(0, 4),
    DATEMMDD: '报告',
    EITIME: `${addDays(report.noticeDate, -1)} 17:30:00`,
  }
}

const NO_DATE = '1900-01-01'
const NO_DATE_SHARE = 0.03
const NO_DATE_DAYS = 20

/** The first notice as it is written today. */
export function writtenNotice(world: World, { company, period, noticeDate }: Report): string {
  if (!world.quirks.has('no-date') || world.today >= addDays(noticeDate, NO_DATE_DAYS))
    return noticeDate
  return chance(world.seed, company.code, period, 'no date') < NO_DATE_SHARE ? NO_DATE : noticeDate
}

const STATEMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  RPT_DMSK_FN_BALANCE: {
    TOTAL_ASSETS: 'assets',
    FIXED_ASSET: 'fixedAssets',
    MONETARYFUNDS: 'cash',
    ACCOUNTS_RECE: 'receivables',
    INVENTORY: 'inventory',
    TOTAL_LIABILITIES: 'liabilities',
    ACCOUNTS_PAYABLE: 'payables',
    TOTAL_EQUITY: 'equity',
  },
  RPT_DMSK_FN_INCOME: {
    TOTAL_OPERATE_INCOME: 'revenue',
    OPERATE_INCOME: 'revenue',
    OPERATE_COST: 'cost',
    OPERATE_PROFIT: 'profit',
    TOTAL_PROFIT: 'profit',
    INCOME_TAX: 'tax',
    PARENT_NETPROFIT: 'profit',
  },
  RPT_DMSK_FN_CASHFLOW: {
    NETCASH_OPERATE: 'cashFlow',
    NETCASH_INVEST: 'investFlow',
    NETCASH_FINANCE: 'financeFlow',
    CONSTRUCT_LONG_ASSET: 'capex',
    END_CCE: 'endCash',
  },
}
const RATIOS: Readonly<Record<string, readonly [column: string, value: string]>> = {
  RPT_DMSK_FN_BALANCE: ['TOTAL_ASSETS_RATIO', 'assets'],
  RPT_DMSK_FN_INCOME: ['TOI_RATIO', 'revenue'],
  RPT_DMSK_FN_CASHFLOW: ['NETCASH_OPERATE_RATIO', 'cashFlow'],
}

function statementRow(world: World, report: string, shown: Report): SourceRow {
  const { company, period, values } = shown
  const items = Object.entries(STATEMENTS[report]!).map(([name, key]) => [
    name,
    values[key] ?? null,
  ])
  const [ratio, value] = RATIOS[report]!
  return {
    ...head(world, company),
    INDUSTRY_CODE: '016022',
    ORG_CODE: `1${company.code}0`,
    INDUSTRY_NAME: company.industry,
    MARKET: company.symbol.slice(7),
    DATE_TYPE_CODE: '001',
    REPORT_TYPE_CODE: '001',
    DATA_STATE: '2',
    NOTICE_DATE: midnight(republished(world, shown)),
    REPORT_DATE: midnight(period),
    ...(Object.fromEntries(items) as Record<string, number | null>),
    [ratio]: growth(values[value], previousYear(world, shown)?.values[value]),
  }
}

/** The statements' notice date is that of the last report that showed the period: a year late once it is out. */
function republished(world: World, shown: Report): string {
  if (!world.quirks.has('republished')) return shown.noticeDate
  const again = world.market.noticeOf(shown.company, addQuarters(shown.period, 4))
  return again <= world.today ? again : shown.noticeDate
}

function previousYear(world: World, report: Report): Report | undefined {
  const period = addQuarters(report.period, -4)
  if (!world.quirks.has('year-on-year')) return world.market.versions(report.company, period)[0]
  return shownReport(world, report.company, period)
}

function growth(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now === null || now === undefined || !before) return null
  return Number(((now / before - 1) * 100).toFixed(10))
}

function scaled(value: number | null | undefined, factor: number): number | null {
  return value === null || value === undefined ? null : Number((value * factor).toFixed(4))
}

/** The indicator report mixes in companies of the over-the-counter market unless a filter leaves them out. */
function overTheCounterRows(world: World, period: string): SourceRow[] {
  const count = Math.round(world.market.companies.length / 20)
  return Array.from({ length: count }, (_, i): SourceRow => {
    const code = `83${String(i).padStart(4, '0')}`
    return {
      SECUCODE: `${code}.NQ`,
      SECURITY_CODE: code,
      SECURITY_NAME_ABBR: `三板${i}`,
      TRADE_MARKET_CODE: '069001018',
      SECURITY_TYPE_CODE: '058001010',
      REPORTDATE: midnight(period),
      NOTICE_DATE: midnight(addDays(period, 60)),
      UPDATE_DATE: midnight(addDays(period, 60)),
      BASIC_EPS: Number(chance(world.seed, code, period).toFixed(4)),
    }
  })
}
