/** The datacenter protocol: filters, sorting, paging, and answers that are HTTP 200 whatever they say. */
import { parseDay } from '../model/date.ts'
import { quarterEnds } from '../model/period.ts'
import { f10Rows } from './f10.ts'
import type { SourceRow, World } from './reports.ts'
import { REPORTS, reportRows } from './reports.ts'

/** The body of an answer. */
export interface Answer {
  readonly version: string | null
  readonly result: {
    readonly pages: number
    readonly data: readonly SourceRow[]
    readonly count: number
  } | null
  readonly success: boolean
  readonly message: string
  readonly code: number
}

/** Rows of a page at most, however many are asked for. */
const PAGE_ROWS_MAX = 500
/** Pages beyond this are answered like overload. */
const PAGE_MAX = 100

/** No rows. */
export const emptyAnswer: Answer = refusal(9201, '返回数据为空')
/** Overload, and what page numbers above 100 get. */
export const busyAnswer: Answer = refusal(9701, '服务器繁忙')

/** An answer without rows. */
export function refusal(code: number, message: string): Answer {
  return { version: null, result: null, success: false, message, code }
}

/** Answers a request of `/api/data/v1/get`. */
export function answer(
  world: World,
  query: URLSearchParams,
  cache: RowCache,
  drift = false,
): Answer {
  const report = query.get('reportName') ?? ''
  const single = f10Rows(world, report, query.get('filter') ?? '')
  if (single) {
    const number = Number(query.get('pageNumber') ?? 1)
    const size = Number(query.get('pageSize') ?? PAGE_ROWS_MAX)
    return pageOf(sort(single, query), number, Math.min(size, PAGE_ROWS_MAX))
  }
  if (!(report in REPORTS)) return refusal(9501, '报表配置不存在,请检查报表名称')
  const page = Number(query.get('pageNumber') ?? 1)
  if (page > PAGE_MAX) return busyAnswer
  const filter = parseFilter(query.get('filter') ?? '')
  if (typeof filter === 'string') return refusal(9501, filter)
  const rows = select(world, report, filter, cache)
  if (typeof rows === 'string') return refusal(9501, rows)
  // A row that is not there yet when the first page is read; the next page counts it.
  const present =
    drift && page === 1 && rows.length > PAGE_ROWS_MAX + 1
      ? rows.toSpliced(Math.floor(rows.length / 3), 1)
      : rows
  const sorted = sort(present, query)
  return pageOf(sorted, page, Number(query.get('pageSize') ?? PAGE_ROWS_MAX))
}

function pageOf(rows: readonly SourceRow[], page: number, asked: number): Answer {
  const size = Math.min(PAGE_ROWS_MAX, Math.max(1, asked))
  const data = rows.slice((page - 1) * size, page * size)
  if (data.length === 0) return emptyAnswer
  const result = { pages: Math.ceil(rows.length / size), data, count: rows.length }
  return { version: 'sim', result, success: true, message: 'ok', code: 0 }
}

/** Rows by report, period and day, so that paging does not make them again. */
export type RowCache = Map<string, readonly SourceRow[]>

const CACHED_MAX = 64

function rowsOf(
  world: World,
  report: string,
  period: string,
  cache: RowCache,
): readonly SourceRow[] {
  const key = `${report}|${period}|${world.today}`
  const known = cache.get(key)
  if (known) return known
  const rows = reportRows(world, report, period)
  if (cache.size >= CACHED_MAX) cache.delete(cache.keys().next().value!)
  cache.set(key, rows)
  return rows
}

/** A condition of a filter. */
interface Condition {
  readonly column: string
  readonly operator: '=' | '!=' | '>=' | 'in'
  readonly values: readonly string[]
}

/** Conditions in parentheses, or the message of the refusal. */
function parseFilter(text: string): Condition[] | string {
  const conditions: Condition[] = []
  const pattern = /\(([A-Z_]+)\s*(=|!=|>=|\sin\s)\s*(\((?:[^()]*)\)|'[^']*'|"[^"]*")\)/gy
  let at = 0
  for (;;) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (!match) break
    at = pattern.lastIndex
    const operator = match[2]!.trim() as Condition['operator']
    const values = [...match[3]!.matchAll(/["']([^"']*)["']/g)].map((m) => m[1]!)
    conditions.push({ column: match[1]!, operator, values })
  }
  return at === text.length ? conditions : '参数预处理错误 InputMismatchException'
}

function select(
  world: World,
  report: string,
  filter: readonly Condition[],
  cache: RowCache,
): readonly SourceRow[] | string {
  const column = REPORTS[report]!
  const period = filter.find((c) => c.column === column && c.operator === '=')?.values[0]
  const named = filter.find((c) => /^SECU(CODE|RITY_CODE)$/.test(c.column) && c.operator === '=')
  if (period === undefined && !named) return `${column}条件缺失`
  if (period !== undefined && parseDay(period) === undefined) return '日期格式有误'
  const rows =
    period === undefined
      ? companyRows(world, report, named!.values[0]!)
      : rowsOf(world, report, period, cache)
  const rest = filter.filter((c) => c.column !== column)
  const unknown = rest.find((c) => rows.length > 0 && !rows.some((row) => c.column in row))
  if (unknown) return `${unknown.column}列不存在`
  return rows.filter((row) => rest.every((condition) => holds(row, condition)))
}

/** All periods of one company, by its code with or without the exchange. */
function companyRows(world: World, report: string, code: string): SourceRow[] {
  const companies = world.market.companies.filter((c) => c.symbol === code || c.code === code)
  return companies.flatMap((company) =>
    quarterEnds(company.listDate, world.today).flatMap((period) =>
      reportRows({ ...world, market: { ...world.market, companies: [company] } }, report, period),
    ),
  )
}

function holds(row: SourceRow, condition: Condition): boolean {
  const value = String(row[condition.column] ?? '')
  switch (condition.operator) {
    case '=':
    case 'in':
      return condition.values.includes(value)
    case '!=':
      return !condition.values.includes(value)
    case '>=':
      return value >= condition.values[0]!
  }
}

function sort(rows: readonly SourceRow[], query: URLSearchParams): readonly SourceRow[] {
  const columns = (query.get('sortColumns') ?? '').split(',').filter((name) => name !== '')
  const directions = (query.get('sortTypes') ?? '').split(',').map(Number)
  if (columns.length === 0) return rows
  return rows.toSorted((a, b) => {
    for (const [i, column] of columns.entries()) {
      const [x, y] = [a[column] ?? '', b[column] ?? '']
      if (x !== y) return (x < y ? -1 : 1) * (directions[i] ?? 1)
    }
    return 0
  })
}
