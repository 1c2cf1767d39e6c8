/** Single quarters and trailing twelve months, from reports that add up within the year. */
import { MEASURES } from '../model/standard-tables.ts'
import { identifier } from '../storage/parquet/sql.ts'
import type { Relation } from './relation.ts'

const INCOME = MEASURES['income']!.map(([name]) => name)
/** The balance at the end of the period is no flow. */
const CASHFLOW = MEASURES['cashflow']!.map(([name]) => name).filter(
  (name) => name !== 'c_cash_equ_end_period',
)
/** Where there is no income statement the headline indicators have these two. */
const SHARED = new Set(['total_revenue', 'n_income_attr_p'])

/** Measures that add up over the quarters of a year. */
const FLOWS: readonly string[] = [...INCOME, ...CASHFLOW, 'basic_eps']

const TABLES = ['indicators', 'income', 'cashflow'] as const

/** Views and macros of derived periods. A missing part gives NULL, never a guess. */
export function flowRelations(): Relation[] {
  return ['', '_asof'].flatMap((suffix) => {
    const common = {
      kind: suffix === '' ? ('view' as const) : ('table macro' as const),
      ...(suffix !== '' && { parameters: '(as_of)' }),
      tables: TABLES,
      prunable: ['symbol'],
    }
    const then = suffix === '' ? '' : '（截至某日可见）'
    const thenAbout = suffix === '' ? '' : ' From what was visible on a day.'
    return [
      {
        ...common,
        name: `fin_single_quarter${suffix}`,
        sql: quarterSql(suffix),
        label: `单季度数据${then}`,
        about: `Flows of single quarters: the report minus the one before it in the same year.${thenAbout}`,
      },
      {
        ...common,
        name: `fin_ttm${suffix}`,
        sql: ttmSql(suffix),
        label: `滚动十二个月数据（TTM）${then}`,
        about: `Flows of twelve months: this year so far, plus last year, minus last year's same period.${thenAbout}`,
      },
    ]
  })
}

/** Cumulative flows of all reports. A part that is there but whose notice is unknown makes the date unknown. */
function flowsSql(suffix: string): string {
  const call = suffix === '' ? '' : '(as_of)'
  const column = (name: string): string => {
    if (SHARED.has(name)) return `coalesce(i.${name}, k.${name}) AS ${name}`
    if (name === 'basic_eps') return 'k.basic_eps'
    return `${CASHFLOW.includes(name) ? 'c' : 'i'}.${identifier(name)}`
  }
  const unknown = ['i', 'c', 'k'].map(
    (t) => `(${t}.vintage IS NOT NULL AND ${t}.visible_date IS NULL)`,
  )
  return `SELECT symbol, end_date, CASE WHEN NOT (${unknown.join(' OR ')})
      THEN greatest(i.visible_date, c.visible_date, k.visible_date) END AS visible_date,
    ${FLOWS.map(column).join(', ')}
    FROM fin_income_statement${suffix}${call} i
    FULL JOIN fin_cash_flow${suffix}${call} c USING (symbol, end_date)
    FULL JOIN fin_indicators${suffix}${call} k USING (symbol, end_date)
    WHERE end_date = last_day(end_date) AND month(end_date) % 3 = 0`
}

/** The greatest of dates that must all be known. */
function allKnown(dates: readonly string[]): string {
  return `CASE WHEN ${dates.map((d) => `${d} IS NOT NULL`).join(' AND ')} THEN greatest(${dates.join(', ')}) END`
}

function quarterSql(suffix: string): string {
  const flows = `(${flowsSql(suffix)})`
  const columns = FLOWS.map(
    (name) =>
      `CASE WHEN month(a.end_date) = 3 THEN a.${name} ELSE a.${name} - b.${name} END AS ${name}`,
  )
  return `SELECT a.symbol, a.end_date,
      CASE WHEN month(a.end_date) = 3 THEN a.visible_date
           ELSE ${allKnown(['a.visible_date', 'b.visible_date'])} END AS visible_date,
      ${columns.join(', ')}
    FROM ${flows} a LEFT JOIN ${flows} b
      ON a.symbol = b.symbol AND b.end_date = last_day(a.end_date - INTERVAL 3 MONTH)`
}

function ttmSql(suffix: string): string {
  const flows = `(${flowsSql(suffix)})`
  const columns = FLOWS.map(
    (name) =>
      `CASE WHEN month(a.end_date) = 12 THEN a.${name} ELSE a.${name} + y.${name} - s.${name} END AS ${name}`,
  )
  return `SELECT a.symbol, a.end_date,
      CASE WHEN month(a.end_date) = 12 THEN a.visible_date
           ELSE ${allKnown(['a.visible_date', 'y.visible_date', 's.visible_date'])} END AS visible_date,
      ${columns.join(', ')}
    FROM ${flows} a
    LEFT JOIN ${flows} y ON a.symbol = y.symbol AND y.end_date = make_date(year(a.end_date) - 1, 12, 31)
    LEFT JOIN ${flows} s ON a.symbol = s.symbol AND s.end_date = last_day(a.end_date - INTERVAL 1 YEAR)`
}
