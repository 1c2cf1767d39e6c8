/** The simulated market: companies and their reports, all from a seed. */
import { addDays, formatDay } from '../model/date.ts'
import { addQuarters } from '../model/period.ts'
import { bell, chance, pick } from './random.ts'

/** What kind of statements a company publishes. */
export type CompanyType = 'general' | 'bank' | 'broker' | 'insurer'

/** A listed company. */
export interface Company {
  readonly code: string
  /** `600519.SH`. */
  readonly symbol: string
  readonly name: string
  readonly type: CompanyType
  readonly listDate: string
  /** Empty while it is listed. */
  readonly delistDate: string
  readonly industry: string
}

/** A version of a report: values and the days on which the exchange shows them. */
export interface Report {
  readonly company: Company
  readonly period: string
  /** The first notice. */
  readonly noticeDate: string
  /** 1, or 2 after a restatement. */
  readonly version: number
  /** Day from which this version is shown. */
  readonly shownFrom: string
  readonly values: Readonly<Record<string, number | null>>
}

const BOARDS: readonly (readonly [prefix: string, exchange: string, share: number])[] = [
  ['600', 'SH', 0.16],
  ['601', 'SH', 0.05],
  ['603', 'SH', 0.12],
  ['605', 'SH', 0.03],
  ['688', 'SH', 0.11],
  ['000', 'SZ', 0.09],
  ['002', 'SZ', 0.18],
  ['300', 'SZ', 0.17],
  ['301', 'SZ', 0.05],
  ['920', 'BJ', 0.04],
]
const INDUSTRIES = [
  '白酒',
  '银行',
  '半导体',
  '医药',
  '软件服务',
  '电力',
  '钢铁',
  '房地产',
  '汽车',
  '化工',
]
const SYLLABLES = [
  '华',
  '中',
  '金',
  '东',
  '海',
  '天',
  '新',
  '科',
  '瑞',
  '康',
  '宏',
  '恒',
  '联',
  '泰',
  '信',
]

/** Companies and their reports, from a seed or from recorded values. */
export interface Market {
  readonly companies: readonly Company[]
  /** All versions of a company's report, oldest first; empty if it has none for the period. */
  versions(company: Company, period: string): readonly Report[]
  /** The first notice date of a report; also of one that is still to come. */
  noticeOf(company: Company, period: string): string
}

/** A market that is made up from a seed. */
export function simulatedMarket(seed: number, count: number): Market {
  const made = new Map<string, Report[]>()
  return {
    companies: companies(seed, count),
    versions: (company, period) => {
      const key = `${company.code} ${period}`
      const versions = made.get(key) ?? reportVersions(seed, company, period)
      if (made.size >= REPORTS_KEPT) made.clear()
      made.set(key, versions)
      return versions
    },
    noticeOf: (company, period) => noticeOf(seed, company, period),
  }
}

/** Reports that are kept, because each page of each request asks for them again. */
const REPORTS_KEPT = 300_000

/** The companies of a market, in the order of their codes within each board. */
function companies(seed: number, count: number): Company[] {
  const found: Company[] = []
  for (const [prefix, exchange, share] of BOARDS) {
    const size = Math.round(count * share)
    for (let i = 1; i <= size; i++) found.push(company(seed, prefix, exchange, i))
  }
  return found.slice(0, count)
}

function company(seed: number, prefix: string, exchange: string, index: number): Company {
  const code = `${prefix}${String(index).padStart(3, '0')}`
  const listed = 7300 + Math.floor(chance(seed, code, 'list') * 12_000)
  const gone = chance(seed, code, 'gone') < 0.03
  const name = [1, 2].map((n) => pick(SYLLABLES, seed, code, 'name', n)).join('')
  return {
    code,
    symbol: `${code}.${exchange}`,
    name: `${name}${pick(['股份', '科技', '集团', '控股'], seed, code, 'kind')}`,
    type: companyType(seed, code),
    listDate: formatDay(listed),
    delistDate: gone ? formatDay(listed + 1500 + Math.floor(chance(seed, code, 'end') * 4000)) : '',
    industry: pick(INDUSTRIES, seed, code, 'industry'),
  }
}

function companyType(seed: number, code: string): CompanyType {
  const draw = chance(seed, code, 'type')
  if (draw < 0.008) return 'bank'
  if (draw < 0.018) return 'broker'
  return draw < 0.02 ? 'insurer' : 'general'
}

/** Share of the year that has passed at the end of a quarter, in money. */
const SEASON: Readonly<Record<string, number>> = {
  '03-31': 0.21,
  '06-30': 0.46,
  '09-30': 0.71,
  '12-31': 1,
}
/** Days after the end of the period in which reports come: first and last. */
const NOTICE_WINDOW: Readonly<Record<string, readonly [number, number]>> = {
  '03-31': [12, 30],
  '06-30': [30, 62],
  '09-30': [15, 31],
  '12-31': [45, 120],
}

function reportVersions(seed: number, company: Company, period: string): Report[] {
  if (period < company.listDate || (company.delistDate !== '' && period > company.delistDate))
    return []
  const noticeDate = noticeOf(seed, company, period)
  const first = { company, period, noticeDate, version: 1, shownFrom: noticeDate }
  const values = reportValues(seed, company, period, 1)
  const versions: Report[] = [{ ...first, values }]
  if (chance(seed, company.code, period, 'restated') < RESTATED_SHARE) {
    // Restatements come with next year's report, which shows the year before again.
    const shownFrom = noticeOf(seed, company, addQuarters(period, 4))
    versions.push({
      ...first,
      version: 2,
      shownFrom,
      values: reportValues(seed, company, period, 2),
    })
  }
  return versions
}

/** About one report in seventy is restated. */
const RESTATED_SHARE = 0.014

/** The first notice date of a report. */
export function noticeOf(seed: number, company: Company, period: string): string {
  const [first, last] = NOTICE_WINDOW[period.slice(5)]!
  // Most companies wait for the last days.
  const late = Math.sqrt(chance(seed, company.code, period, 'notice'))
  return addDays(period, first + Math.floor(late * (last - first + 1)) - (late === 1 ? 1 : 0))
}

function reportValues(
  seed: number,
  company: Company,
  period: string,
  version: number,
): Record<string, number | null> {
  const { code } = company
  const year = Number(period.slice(0, 4))
  const season = SEASON[period.slice(5)]!
  const size = Math.exp(20.5 + 1.4 * bell(seed, code, 'size'))
  const growth = 1 + 0.07 + 0.12 * bell(seed, code, 'growth')
  const noise = (word: string, scale: number): number =>
    scale * bell(seed, code, period, word, version)
  const revenue = money(
    size * Math.max(0.2, growth) ** ((year - 2015) / 3) * season * (1 + noise('rev', 0.06)),
  )
  const margin = 0.09 + 0.08 * bell(seed, code, 'margin') + noise('margin', 0.02)
  const profit = money(revenue * margin)
  const assets = money(size * 2.2 * (1 + noise('assets', 0.05)))
  const liabilities = money(
    assets * Math.min(0.95, Math.max(0.08, 0.42 + 0.16 * bell(seed, code, 'debt'))),
  )
  const shares = Math.round(size / 6)
  const cashFlow = money(profit * (1.1 + noise('cash', 0.5)))
  return {
    revenue,
    profit,
    assets,
    liabilities,
    equity: money(assets - liabilities),
    eps: round(profit / shares, 4),
    bps: round((assets - liabilities) / shares, 6),
    roe: round((profit / Math.max(1, assets - liabilities)) * 100, 2),
    cashFlow,
    cashPerShare: round(cashFlow / shares, 6),
    grossMargin: round(25 + 12 * bell(seed, code, 'gross') + noise('gross', 2), 4),
    cash: money(assets * 0.17),
    receivables: money(revenue * 0.22),
    inventory: company.type === 'general' ? money(revenue * 0.18) : null,
    fixedAssets: money(assets * 0.24),
    payables: money(liabilities * 0.3),
    investFlow: money(-assets * 0.04 * (1 + noise('invest', 0.4))),
    financeFlow: money(assets * noise('finance', 0.03)),
    capex: money(assets * 0.05),
    endCash: money(assets * 0.16),
    cost: company.type === 'general' ? money(revenue * 0.72) : null,
    tax: money(Math.max(0, profit) * 0.22),
  }
}

function money(value: number): number {
  return Math.round(value * 100) / 100
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
