/** Tushare Pro: columns and items, pages by limit and offset, points, and a limit of requests a minute. */
import { addQuarters, quarterEnds } from '../model/period.ts'
import { boardOf } from '../model/symbol.ts'
import { seedCalendar } from '../model/calendar.ts'
import type { Company, Report } from './market.ts'
import type { PlainAnswer } from './plain-answer.ts'
import { jsonAnswer } from './plain-answer.ts'
import { barsOf, factorOn, factorsOf, openDays } from './prices.ts'
import type { World } from './reports.ts'

/** How the source behaves. */
export interface TushareOptions {
  /** The token that is accepted; left out: any. */
  readonly token?: string
  /** Points of the account: 2000 for one stock, 5000 for the whole market. */
  readonly points?: number
  /** Rows an answer has at most, whatever is asked for. */
  readonly rowsMax?: number
  /** Requests in a minute after which a limit is answered. */
  readonly requestsPerMinute?: number
}

type Cell = string | number | null
type Record_ = Readonly<Record<string, Cell>>
type Parameters = Readonly<Record<string, string | number | undefined>>

const ROWS_MAX = 6000
/** Indicators of one stock come in small pages. */
const INDICATOR_ROWS_MAX = 100
const VIP_POINTS = 5000
const MINUTE_MS = 60_000

/** Requests of the last minute; the clock is the real one, since the limit is. */
export interface TushareState {
  readonly times: number[]
}

/** Answers a request. */
export function tushareAnswer(
  world: World,
  text: string,
  options: TushareOptions,
  state: TushareState,
): PlainAnswer {
  const body = parse(text)
  if (!body) return refusal(40001, '参数错误')
  const { token, api_name: api = '', params = {}, fields = '' } = body
  if (options.token !== undefined && token !== options.token) {
    return refusal(40101, '您的token不对，请确认。')
  }
  const rows = APIS[api]
  if (!rows) return refusal(40001, `请指定正确的接口名: ${api}`)
  if (api.endsWith('_vip') && (options.points ?? VIP_POINTS) < VIP_POINTS) {
    return refusal(40203, '抱歉，您没有访问该接口的权限，权限的具体详情访问')
  }
  if (overLimit(state, options)) {
    return refusal(40203, `抱歉，您每分钟最多访问该接口${options.requestsPerMinute!}次`)
  }
  const rowsMax = api === 'fina_indicator' ? INDICATOR_ROWS_MAX : (options.rowsMax ?? ROWS_MAX)
  return pageOf(rows(world, params), params, fields, rowsMax)
}

interface Body {
  readonly token?: string
  readonly api_name?: string
  readonly params?: Parameters
  readonly fields?: string
}

function parse(text: string): Body | undefined {
  try {
    return JSON.parse(text) as Body
  } catch {
    return undefined
  }
}

function refusal(code: number, msg: string): PlainAnswer {
  return jsonAnswer({ request_id: 'sim', code, msg, data: null })
}

function overLimit(state: TushareState, options: TushareOptions): boolean {
  if (options.requestsPerMinute === undefined) return false
  const nowMs = Date.now()
  while (state.times.length > 0 && state.times[0]! < nowMs - MINUTE_MS) state.times.shift()
  if (state.times.length >= options.requestsPerMinute) return true
  state.times.push(nowMs)
  return false
}

function pageOf(
  rows: readonly Record_[],
  parameters: Parameters,
  wanted: string,
  rowsMax: number,
): PlainAnswer {
  const offset = Number(parameters['offset'] ?? 0)
  const limit = Math.min(Number(parameters['limit'] ?? ROWS_MAX), rowsMax)
  const all = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const fields =
    wanted === '' ? all : wanted.split(',').filter((name) => all.length === 0 || all.includes(name))
  const items = rows
    .slice(offset, offset + limit)
    .map((row) => fields.map((name) => row[name] ?? null))
  const data = { fields, items, has_more: offset + limit < rows.length }
  return jsonAnswer({ request_id: 'sim', code: 0, msg: '', data })
}

const APIS: Readonly<Record<string, (world: World, parameters: Parameters) => readonly Record_[]>> =
  {
    income: (world, p) => statements(world, p, incomeItems),
    balancesheet: (world, p) => statements(world, p, balanceItems),
    cashflow: (world, p) => statements(world, p, cashflowItems),
    fina_indicator: (world, p) => statements(world, p, indicatorItems),
    income_vip: (world, p) => statements(world, p, incomeItems),
    balancesheet_vip: (world, p) => statements(world, p, balanceItems),
    cashflow_vip: (world, p) => statements(world, p, cashflowItems),
    fina_indicator_vip: (world, p) => statements(world, p, indicatorItems),
    daily,
    adj_factor: adjustments,
    trade_cal: calendar,
    stock_basic: list,
    namechange: names,
  }

function compact(date: string): string {
  return date.replaceAll('-', '')
}

function dashed(value: string | number | undefined): string {
  return String(value ?? '').replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')
}

const COMPANY_TYPES = { general: '1', bank: '2', insurer: '3', broker: '4' } as const

/** Every version that was published by now, with the date of its own notice: of a period, or of a stock. */
function statements(
  world: World,
  parameters: Parameters,
  items: (report: Report) => Record_,
): Record_[] {
  const { ts_code: code, period } = parameters
  const companies = world.market.companies.filter((c) => code === undefined || c.symbol === code)
  return companies.flatMap((company) => {
    const periods =
      period === undefined ? quarterEnds(company.listDate, world.today) : [dashed(period)]
    return periods.flatMap((end) => versionsOf(world, company, end, items))
  })
}

function versionsOf(
  world: World,
  company: Company,
  period: string,
  items: (report: Report) => Record_,
): Record_[] {
  const versions = world.market
    .versions(company, period)
    .filter((report) => report.shownFrom <= world.today)
  return versions.map((report, i) => ({
    ts_code: company.symbol,
    ann_date: compact(report.noticeDate),
    f_ann_date: compact(report.shownFrom),
    end_date: compact(period),
    report_type: '1',
    comp_type: COMPANY_TYPES[company.type],
    update_flag: i === versions.length - 1 ? '1' : '0',
    ...items(report),
  }))
}

function value(report: Report, name: string): number | null {
  return report.values[name] ?? null
}

function incomeItems(report: Report): Record_ {
  return {
    total_revenue: value(report, 'revenue'),
    revenue: value(report, 'revenue'),
    oper_cost: value(report, 'cost'),
    operate_profit: value(report, 'profit'),
    total_profit: value(report, 'profit'),
    income_tax: value(report, 'tax'),
    n_income_attr_p: value(report, 'profit'),
  }
}

function balanceItems(report: Report): Record_ {
  return {
    total_assets: value(report, 'assets'),
    total_liab: value(report, 'liabilities'),
    total_hldr_eqy_inc_min_int: value(report, 'equity'),
    money_cap: value(report, 'cash'),
    accounts_receiv: value(report, 'receivables'),
    inventories: value(report, 'inventory'),
    fix_assets: value(report, 'fixedAssets'),
    acct_payable: value(report, 'payables'),
  }
}

function cashflowItems(report: Report): Record_ {
  return {
    n_cashflow_act: value(report, 'cashFlow'),
    n_cashflow_inv_act: value(report, 'investFlow'),
    n_cash_flows_fnc_act: value(report, 'financeFlow'),
    c_pay_acq_const_fiolta: value(report, 'capex'),
    c_cash_equ_end_period: value(report, 'endCash'),
  }
}

function indicatorItems(report: Report): Record_ {
  return {
    eps: value(report, 'eps'),
    bps: value(report, 'bps'),
    roe_waa: value(report, 'roe'),
    ocfps: value(report, 'cashPerShare'),
    grossprofit_margin: value(report, 'grossMargin'),
  }
}

/** Companies and days that a request means. */
function wanted(
  world: World,
  parameters: Parameters,
): { companies: readonly Company[]; since: string; until: string } {
  const { ts_code: code, trade_date: day } = parameters
  const companies = world.market.companies.filter((c) => code === undefined || c.symbol === code)
  const last = dashed(day ?? parameters['end_date'] ?? compact(world.today))
  return {
    companies,
    since: dashed(day ?? parameters['start_date'] ?? '19900101'),
    until: last < world.today ? last : world.today,
  }
}

const LOT = 100
const YUAN_PER_THOUSAND = 1000

function daily(world: World, parameters: Parameters): Record_[] {
  const { companies, since, until } = wanted(world, parameters)
  return companies.flatMap((company) =>
    barsOf(world.seed, company, since, until).map((bar) => ({
      ts_code: company.symbol,
      trade_date: compact(bar.date),
      open: bar.open,
      high: bar.high,
      low: bar.low,
      close: bar.close,
      pre_close: bar.preClose,
      vol: bar.shares / LOT,
      amount: bar.yuan / YUAN_PER_THOUSAND,
    })),
  )
}

function adjustments(world: World, parameters: Parameters): Record_[] {
  const { companies, since, until } = wanted(world, parameters)
  return companies.flatMap((company) => {
    const steps = factorsOf(world.seed, company, world.today)
    return openDays()
      .filter((day) => day >= since && day <= until && day >= company.listDate)
      .filter((day) => company.delistDate === '' || day <= company.delistDate)
      .map((day) => ({
        ts_code: company.symbol,
        trade_date: compact(day),
        adj_factor: factorOn(steps, day),
      }))
  })
}

function calendar(_world: World, parameters: Parameters): Record_[] {
  const [since, until] = [dashed(parameters['start_date']), dashed(parameters['end_date'])]
  return seedCalendar()
    .filter(({ date }) => date >= since && date <= until)
    .map((day) => ({
      exchange: 'SSE',
      cal_date: compact(day.date),
      is_open: day.is_open ? 1 : 0,
    }))
}

function list(world: World, parameters: Parameters): Record_[] {
  const isGone = ({ delistDate }: Company): boolean =>
    delistDate !== '' && delistDate <= world.today
  return world.market.companies
    .filter((company) => company.listDate <= world.today)
    .filter((company) => (isGone(company) ? 'D' : 'L') === parameters['list_status'])
    .map((company) => ({
      ts_code: company.symbol,
      name: company.name,
      industry: company.industry,
      market: boardOf(company.symbol) ?? null,
      list_status: isGone(company) ? 'D' : 'L',
      list_date: compact(company.listDate),
      delist_date: isGone(company) ? compact(company.delistDate) : null,
    }))
}

/** Before it goes, a company is under special treatment for a year. */
function names(world: World): Record_[] {
  return world.market.companies.flatMap((company) => {
    const first = {
      ts_code: company.symbol,
      name: company.name,
      start_date: compact(company.listDate),
      end_date: null,
      ann_date: compact(company.listDate),
      change_reason: '上市',
    }
    const treated = company.delistDate === '' ? '' : addQuartersBefore(company.delistDate)
    if (treated === '' || treated > world.today || treated <= company.listDate) return [first]
    return [
      { ...first, end_date: compact(treated) },
      {
        ...first,
        name: `*ST${company.name.slice(0, 2)}`,
        start_date: compact(treated),
        ann_date: compact(treated),
        change_reason: '*ST',
      },
    ]
  })
}

function addQuartersBefore(date: string): string {
  return addQuarters(`${date.slice(0, 4)}-03-31`, -3)
}
