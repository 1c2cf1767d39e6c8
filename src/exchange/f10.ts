/** The reports of single companies: full statements by kind of company, the list of companies, valuations. */
import { addQuarters, quarterEnds } from '../model/period.ts'
import { addDays } from '../model/date.ts'
import type { Company, CompanyType } from './market.ts'
import { barsOf } from './prices.ts'
import type { SourceRow, World } from './reports.ts'
import { shownReport } from './reports.ts'

const KINDS: Readonly<Record<CompanyType, string>> = {
  general: 'G',
  bank: 'B',
  broker: 'S',
  insurer: 'I',
}
const STATEMENT = /^RPT_F10_FINANCE_([GBSI])(BALANCE|INCOME|CASHFLOW)$/

const ITEMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  BALANCE: {
    MONETARYFUNDS: 'cash',
    ACCOUNTS_RECE: 'receivables',
    INVENTORY: 'inventory',
    FIXED_ASSET: 'fixedAssets',
    TOTAL_ASSETS: 'assets',
    ACCOUNTS_PAYABLE: 'payables',
    TOTAL_LIABILITIES: 'liabilities',
    TOTAL_PARENT_EQUITY: 'equity',
    TOTAL_EQUITY: 'equity',
  },
  INCOME: {
    TOTAL_OPERATE_INCOME: 'revenue',
    OPERATE_INCOME: 'revenue',
    OPERATE_COST: 'cost',
    TOTAL_PROFIT: 'profit',
    NETPROFIT: 'profit',
    PARENT_NETPROFIT: 'profit',
  },
  CASHFLOW: {
    NETCASH_OPERATE: 'cashFlow',
    NETCASH_INVEST: 'investFlow',
    NETCASH_FINANCE: 'financeFlow',
    END_CCE: 'endCash',
  },
}

/** Rows of a report of one company, or of all companies; undefined for a report that is served elsewhere. */
export function f10Rows(world: World, report: string, filter: string): SourceRow[] | undefined {
  if (report === 'RPT_F10_BASIC_ORGINFO') return world.market.companies.map((c) => organisation(c))
  const code = /\((?:SECUCODE|SECURITY_CODE)="(\d{6})(?:\.[A-Z]{2})?"\)/.exec(filter)?.[1]
  const company = world.market.companies.find((c) => c.code === code)
  if (report === 'RPT_F10_EH_EQUITY') return company ? shareChanges(world, company) : []
  if (report === 'RPT_VALUEANALYSIS_DET') return company ? valuations(world, company, filter) : []
  const match = STATEMENT.exec(report)
  if (!match) return undefined
  if (!company || KINDS[company.type] !== match[1]) return []
  return statementRows(world, company, match[2]!)
}

function organisation(company: Company): SourceRow {
  return {
    SECUCODE: company.symbol,
    SECURITY_CODE: company.code,
    SECURITY_NAME_ABBR: company.name,
    EM2016: company.industry,
    LISTING_DATE: `${company.listDate} 00:00:00`,
  }
}

/** Every period there is. UPDATE_DATE is that of the next report, which shows the opening balance again. */
function statementRows(world: World, company: Company, statement: string): SourceRow[] {
  return quarterEnds(company.listDate, world.today).flatMap((period): SourceRow[] => {
    const report = shownReport(world, company, period)
    if (!report) return []
    const next = world.market.noticeOf(company, addQuarters(period, 1))
    const updated = next <= world.today ? next : report.noticeDate
    const before = shownReport(world, company, addQuarters(period, -4))
    const items = Object.entries(ITEMS[statement]!).flatMap(([name, key]) => {
      const [now, then] = [report.values[key] ?? null, before?.values[key]]
      const change = now !== null && then ? (now / then - 1) * 100 : null
      return [
        [name, now],
        [`${name}_YOY`, change],
      ]
    })
    return [
      {
        SECUCODE: company.symbol,
        SECURITY_CODE: company.code,
        SECURITY_NAME_ABBR: company.name,
        ORG_TYPE: company.type === 'general' ? '通用' : '金融',
        REPORT_DATE: `${period} 00:00:00`,
        REPORT_TYPE: period.endsWith('12-31') ? '年报' : '季报',
        NOTICE_DATE: `${report.noticeDate} 00:00:00`,
        UPDATE_DATE: `${updated} 00:00:00`,
        CURRENCY: 'CNY',
        LISTING_STATE: '0',
        ...(company.type === 'bank' && statement === 'BALANCE' && { LOAN_ADVANCE: 1e9 }),
        ...(Object.fromEntries(items) as Record<string, number | null>),
      },
    ]
  })
}

/** Shares grow by a tenth every third year. */
function shareChanges(world: World, company: Company): SourceRow[] {
  const first = Number(company.listDate.slice(0, 4))
  const last = Number(world.today.slice(0, 4)) - 1
  const count = Math.floor(Math.max(0, last - first) / 3) + 1
  return Array.from({ length: count }, (_, i): SourceRow => {
    const day = i === 0 ? company.listDate : `${first + 3 * i}-07-15`
    const total = Math.round(500_000_000 * 1.1 ** i)
    return {
      SECUCODE: company.symbol,
      SECURITY_CODE: company.code,
      END_DATE: `${day} 00:00:00`,
      NOTICE_DATE: `${addDays(day, -2)} 00:00:00`,
      CHANGE_REASON: i === 0 ? '首发A股上市' : '送、转股',
      TOTAL_SHARES: total,
      LISTED_A_SHARES: Math.round(total * 0.8),
    }
  })
}

function valuations(world: World, company: Company, filter: string): SourceRow[] {
  const since = /TRADE_DATE>='([\d-]+)'/.exec(filter)?.[1] ?? '2018-01-02'
  const shares = 500_000_000
  return barsOf(world.seed, company, since, addDays(world.today, -1)).map((bar) => ({
    SECUCODE: company.symbol,
    SECURITY_CODE: company.code,
    TRADE_DATE: `${bar.date} 00:00:00`,
    CLOSE_PRICE: bar.close,
    TOTAL_MARKET_CAP: bar.close * shares,
    NOTLIMITED_MARKETCAP_A: bar.close * shares,
    TOTAL_SHARES: shares,
    FREE_SHARES_A: shares,
    PE_TTM: 20,
    PE_LAR: 21,
    PB_MRQ: 2,
    PS_TTM: 3,
    PCF_OCF_TTM: 15,
    PEG_CAR: 1,
  }))
}
