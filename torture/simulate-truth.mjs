/**
 * What a lake must hold after syncs on known days, worked out from the exchange's own record by the rules of vintages:
 * a report's versions as far as a sync saw them, numbered from 1, each with its notice and the day it is visible from.
 */
import { reportRows } from '../dist/exchange/reports.js'

/** Tables, their reports, and the columns that scripts may rely on. */
export const TABLES = {
  indicators: {
    report: 'RPT_LICO_FN_CPD',
    columns: {
      BASIC_EPS: 'basic_eps',
      TOTAL_OPERATE_INCOME: 'total_revenue',
      PARENT_NETPROFIT: 'n_income_attr_p',
      WEIGHTAVG_ROE: 'roe_waa',
      BPS: 'bps',
      MGJYXJJE: 'ocfps',
      XSMLL: 'grossprofit_margin',
    },
  },
  balance: {
    report: 'RPT_DMSK_FN_BALANCE',
    columns: {
      TOTAL_ASSETS: 'total_assets',
      TOTAL_LIABILITIES: 'total_liab',
      TOTAL_EQUITY: 'total_hldr_eqy_inc_min_int',
      MONETARYFUNDS: 'money_cap',
      ACCOUNTS_RECE: 'accounts_receiv',
      INVENTORY: 'inventories',
      FIXED_ASSET: 'fix_assets',
      ACCOUNTS_PAYABLE: 'acct_payable',
    },
  },
  income: {
    report: 'RPT_DMSK_FN_INCOME',
    columns: {
      TOTAL_OPERATE_INCOME: 'total_revenue',
      OPERATE_INCOME: 'revenue',
      OPERATE_COST: 'oper_cost',
      OPERATE_PROFIT: 'operate_profit',
      TOTAL_PROFIT: 'total_profit',
      INCOME_TAX: 'income_tax',
      PARENT_NETPROFIT: 'n_income_attr_p',
    },
  },
  cashflow: {
    report: 'RPT_DMSK_FN_CASHFLOW',
    columns: {
      NETCASH_OPERATE: 'n_cashflow_act',
      NETCASH_INVEST: 'n_cashflow_inv_act',
      NETCASH_FINANCE: 'n_cash_flows_fnc_act',
      CONSTRUCT_LONG_ASSET: 'c_pay_acq_const_fiolta',
      END_CCE: 'c_cash_equ_end_period',
    },
  },
}

const SENTINEL = '1900-01-01'
const LIVE_DAYS = 7

/** The indicators of a period on a day, by day: made once, because every table asks for them. */
export function indicatorsOn(world, period) {
  const made = new Map()
  return (day) => {
    const rows =
      made.get(day) ?? onMainland(reportRows(world(day), TABLES.indicators.report, period))
    made.set(day, rows)
    return rows
  }
}

/**
 * The vintages of one period in one table: `days` are those on which a sync read it, `world(day)` the exchange on
 * that day, `calendar` the open days, `indicators(day)` as above. Keyed by symbol, each a list in the order of vintages.
 */
export function expectedVintages(world, table, period, { days, calendar, indicators }) {
  const { report, columns } = TABLES[table]
  const own = table === 'indicators'
  const stored = new Map()
  for (const day of days) {
    const rows = own ? indicators(day) : onMainland(reportRows(world(day), report, period))
    const notices = own ? undefined : firstNotices(indicators(day))
    for (const [symbol, versions] of bySymbol(rows)) {
      const held = stored.get(symbol) ?? []
      const before = held.length
      versions.forEach((row, i) => {
        const notice = notices ? (notices.get(symbol) ?? null) : dateOf(row.NOTICE_DATE)
        const values = Object.keys(columns).map((name) => plus(row[name] ?? null))
        meet(held, values, { notice, day, last: i === versions.length - 1, before, calendar })
      })
      stored.set(symbol, held)
    }
  }
  for (const held of stored.values()) flag(held)
  return stored
}

/** -0 is stored as 0. */
function plus(value) {
  return value === 0 ? 0 : value
}

/** One row of a source that shows only the present state, against what is held of the report. */
function meet(held, values, { notice, day, last, before, calendar }) {
  const same = (one) => one.values.every((value, i) => Object.is(value, values[i]))
  const newest = latest(held)
  const known = last ? newest !== undefined && same(newest) : held.some(same)
  if (!known) held.push(versionOf(held, values, { notice, day, before }))
  // An unknown first notice is filled once.
  const [first] = held
  if (first.notice === null && notice !== null) first.notice = notice
  for (const one of held) one.visible ??= visibleFrom(one.notice, calendar)
}

function versionOf(held, values, { notice, day, before }) {
  if (held.length === 0)
    return { values, notice, day, origin: within(day, notice) ? 'live' : 'backfill', visible: null }
  const newestNotice = held.reduce(
    (max, one) => (one.notice !== null && one.notice > (max ?? '') ? one.notice : max),
    null,
  )
  const moved = notice !== null && newestNotice !== null && notice > newestNotice
  const own = moved ? notice : newestNotice !== null && newestNotice > day ? newestNotice : day
  // Found as a change against what an earlier sync stored.
  const live = before > 0 || within(day, own)
  return { values, notice: own, day, origin: live ? 'live' : 'backfill', visible: null }
}

function within(day, notice) {
  return notice !== null && Date.parse(day) <= Date.parse(notice) + LIVE_DAYS * 86_400_000
}

/** The newest by notice, then by number; an unknown notice is the oldest. */
function latest(held) {
  return held.reduce(
    (best, one) => (best === undefined || (one.notice ?? '') >= (best.notice ?? '') ? one : best),
    undefined,
  )
}

function flag(held) {
  const newest = latest(held)
  for (const one of held) one.isLatest = one === newest
}

/** The first open day after a notice. */
function visibleFrom(notice, calendar) {
  if (notice === null || notice < calendar[0]) return null
  let [low, high] = [0, calendar.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (calendar[middle] > notice) high = middle
    else low = middle + 1
  }
  return calendar[low] ?? null
}

function onMainland(rows) {
  return rows.filter((row) => /\.(SH|SZ|BJ)$/.test(row.SECUCODE))
}

/** Rows of each symbol, the older version first. */
function bySymbol(rows) {
  const found = new Map()
  for (const row of rows) found.set(row.SECUCODE, [...(found.get(row.SECUCODE) ?? []), row])
  for (const versions of found.values())
    versions.sort((a, b) => String(a.UPDATE_DATE).localeCompare(String(b.UPDATE_DATE)))
  return found
}

function firstNotices(rows) {
  const found = new Map()
  for (const row of rows) {
    const notice = dateOf(row.NOTICE_DATE)
    const known = found.get(row.SECUCODE)
    if (notice !== null && (known === undefined || notice < known)) found.set(row.SECUCODE, notice)
  }
  return found
}

function dateOf(text) {
  const date = String(text).slice(0, 10)
  return date === SENTINEL ? null : date
}
