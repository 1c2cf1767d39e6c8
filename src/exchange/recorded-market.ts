/** A market of recorded values: real reports out of Parquet files, with the notice dates that are known of them. */
import { join } from 'node:path'
import { LakeError } from '../model/errors.ts'
import { parseSymbol } from '../model/symbol.ts'
import { localFiles } from '../storage/files/local.ts'
import type { Session } from '../storage/parquet/database.ts'
import { Database } from '../storage/parquet/database.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { Company, Market, Report } from './market.ts'

/** Yearly key items by symbol and end_date, in yuan. */
const ANNUAL = 'annual_key_items_1989_2020_163.parquet'
/** Quarterly reports by code and end_date: profit in units of 10,000 yuan, the notice as month and day. */
const QUARTERLY = 'tushare_old_report_2014q1_2016q2.parquet'
/** Names and listing dates. */
const STOCKS = 'stock_basic.parquet'

interface Row {
  readonly code: string
  readonly period: string
  readonly notice: string | null
  readonly values: Readonly<Record<string, number | null>>
}

type Book = ReadonlyMap<string, ReadonlyMap<string, Report>>

/**
 * Reads a market out of a directory with the file of yearly items and, where they are, the quarterly reports and the stock list.
 * Codes that are no A shares are left out. A missing file of yearly items is an error.
 */
export async function recordedMarket(directory: string): Promise<Market> {
  const path = join(directory, ANNUAL)
  if (!(await localFiles.stat(path))) {
    throw new LakeError('INVALID_ARGUMENT', `there are no recorded reports here: ${path}`, {
      details: { path },
      next: 'Name a directory that holds this file, or leave the option out for a simulated market.',
    })
  }
  const database = await Database.open({ threads: 1 })
  try {
    return await database.using((session) => readMarket(session, directory))
  } finally {
    await database.close()
  }
}

async function readMarket(session: Session, directory: string): Promise<Market> {
  const rows = [
    ...(await annualRows(session, directory)),
    ...(await quarterlyRows(session, directory)),
  ]
  const names = await stockNames(session, directory)
  const companies = new Map<string, Company>()
  const book = new Map<string, Map<string, Report>>()
  for (const row of rows) {
    const symbol = parseSymbol(row.code)
    if (symbol === undefined) continue
    const company = companies.get(symbol) ?? companyOf(symbol, names)
    companies.set(symbol, company)
    const reports = book.get(symbol) ?? new Map<string, Report>()
    book.set(symbol, reports.set(row.period, reportOf(company, row, reports.get(row.period))))
  }
  return marketOf([...companies.values()], book)
}

function marketOf(companies: readonly Company[], book: Book): Market {
  const find = (company: Company, period: string): Report | undefined =>
    book.get(company.symbol)?.get(period)
  return {
    companies: companies.toSorted((a, b) => (a.code < b.code ? -1 : 1)),
    versions: (company, period) => {
      const report = find(company, period)
      return report ? [report] : []
    },
    noticeOf: (company, period) => find(company, period)?.noticeDate ?? lastDay(period),
  }
}

function companyOf(symbol: string, names: ReadonlyMap<string, string>): Company {
  const code = symbol.slice(0, 6)
  return {
    code,
    symbol,
    name: names.get(code) ?? code,
    type: 'general',
    listDate: '1989-01-01',
    delistDate: '',
    industry: '',
  }
}

/** Values of both files of one report together; a notice date that is known goes before the rule. */
function reportOf(company: Company, row: Row, before: Report | undefined): Report {
  const known = row.notice ?? (before && before.noticeDate !== lastDay(row.period) ? before : null)
  const noticeDate = typeof known === 'string' ? known : (known?.noticeDate ?? lastDay(row.period))
  const values = { ...row.values, ...before?.values }
  return { company, period: row.period, noticeDate, version: 1, shownFrom: noticeDate, values }
}

/** The last day on which a report may come: the end of April, August, October, and of April for the year. */
function lastDay(period: string): string {
  const [year, day] = [Number(period.slice(0, 4)), period.slice(5)]
  switch (day) {
    case '03-31':
      return `${year}-04-30`
    case '06-30':
      return `${year}-08-31`
    case '09-30':
      return `${year}-10-31`
    default:
      return `${year + 1}-04-30`
  }
}

async function annualRows(session: Session, directory: string): Promise<Row[]> {
  const file = literal(join(directory, ANNUAL))
  const rows = await session.rows<Record<string, string | number | null>>(
    `SELECT symbol AS code, CAST(end_date AS VARCHAR) AS period, CAST(revenue AS DOUBLE) AS revenue,
            CAST(n_income AS DOUBLE) AS profit, CAST(total_assets AS DOUBLE) AS assets,
            CAST(total_liab AS DOUBLE) AS liabilities, CAST(total_hldr_eqy_exc_min_int AS DOUBLE) AS equity,
            basic_eps AS eps, bps, roe_waa AS roe, ocfps AS "cashPerShare",
            CAST(n_cashflow_act AS DOUBLE) AS "cashFlow"
     FROM read_parquet(${file}) ORDER BY code, period`,
  )
  return rows.map(({ code, period, ...values }) => ({
    code: String(code),
    period: String(period),
    notice: null,
    values: values as Record<string, number | null>,
  }))
}

/** The first of several rows of one report counts; the file repeats thousands of them. */
async function quarterlyRows(session: Session, directory: string): Promise<Row[]> {
  if (!(await localFiles.stat(join(directory, QUARTERLY)))) return []
  const file = literal(join(directory, QUARTERLY))
  const rows = await session.rows<Record<string, string | number | null>>(
    `SELECT code, CAST(end_date AS VARCHAR) AS period, report_mmdd AS day, eps, bvps AS bps, roe,
            epcf AS "cashPerShare", net_profits * 10000 AS profit
     FROM read_parquet(${file}) WHERE report_mmdd IS NOT NULL
     QUALIFY row_number() OVER (PARTITION BY code, end_date) = 1 ORDER BY code, period`,
  )
  return rows.map(({ code, period, day, ...values }) => ({
    code: String(code),
    period: String(period),
    notice: noticeDate(String(period), String(day)),
    values: values as Record<string, number | null>,
  }))
}

/** A month and day after the end of the period. The 29th of February of the wrong year is unknown. */
function noticeDate(period: string, monthDay: string): string | null {
  if (!/^\d\d-\d\d$/.test(monthDay)) return null
  const year = Number(period.slice(0, 4)) + (monthDay > period.slice(5) ? 0 : 1)
  const date = `${year}-${monthDay}`
  return Number.isNaN(Date.parse(date)) ||
    new Date(Date.parse(date)).toISOString().slice(0, 10) !== date
    ? null
    : date
}

async function stockNames(session: Session, directory: string): Promise<Map<string, string>> {
  if (!(await localFiles.stat(join(directory, STOCKS)))) return new Map()
  const rows = await session.rows<{ symbol: string; name: string }>(
    `SELECT symbol, name FROM read_parquet(${literal(join(directory, STOCKS))})`,
  )
  return new Map(rows.map(({ symbol, name }) => [symbol.slice(0, 6), name]))
}
