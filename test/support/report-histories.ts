/** Random histories of reports with restatements and late notices, and a plain reading of what was visible when. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { addDays } from '../../src/model/date.ts'
import { addQuarters } from '../../src/model/period.ts'

interface Version {
  readonly table: 'indicators' | 'income'
  readonly symbol: string
  readonly end_date: string
  readonly source: string
  readonly visible_date: string | null
  readonly vintage: number
  readonly n_income_attr_p: number | null
  readonly bps: number | null
}

/** A report of one period, offered once or several times with other values and later notices. */
const report = fc.record({
  table: fc.constantFrom('indicators' as const, 'income' as const),
  symbol: fc.constantFrom('600519.SH', '000001.SZ', '300750.SZ'),
  quarter: fc.integer({ min: 0, max: 7 }),
  source: fc.constantFrom('eastmoney', 'tushare'),
  delays: fc.array(fc.integer({ min: 5, max: 400 }), { minLength: 1, maxLength: 3 }),
  value: fc.integer({ min: -50, max: 500 }),
})
type Report = typeof report extends fc.Arbitrary<infer T> ? T : never

async function storeAll(lake: Lake, reports: readonly Report[]): Promise<void> {
  const seen = new Set<string>()
  for (const round of [0, 1, 2]) {
    for (const table of ['indicators', 'income'] as const) {
      const rows = reports
        .filter((r) => r.table === table && r.delays.length > round)
        .filter((r) => {
          const key = [table, r.symbol, r.quarter, r.source, round].join()
          return !seen.has(key) && seen.add(key)
        })
        .map((r) => {
          const end = addQuarters('2015-03-31', r.quarter)
          return {
            symbol: r.symbol,
            end_date: end,
            source: r.source,
            notice_date: addDays(end, r.delays[round]!),
            n_income_attr_p: r.value + round,
            ...(table === 'indicators' && { bps: r.value / 10 + round }),
          }
        })
      if (rows.length === 0) continue
      await lake.write(table, (tx) => tx.upsert(table, rows, { dated: true }).then(() => undefined))
    }
  }
}

const PREFER = ['eastmoney', 'tushare']

/** What was visible on a day, read plainly: the first source that has one, and of it the greatest version. */
function visible(versions: readonly Version[], day: string): Version[] {
  const best = new Map<string, Version>()
  const rank = (v: Version): number => PREFER.indexOf(v.source)
  for (const version of versions) {
    if (version.visible_date === null || version.visible_date > day) continue
    const key = `${version.symbol} ${version.end_date}`
    const old = best.get(key)
    const later = (a: Version, b: Version): boolean =>
      a.visible_date === b.visible_date ? a.vintage > b.vintage : a.visible_date! > b.visible_date!
    if (!old || rank(version) < rank(old) || (rank(version) === rank(old) && later(version, old)))
      best.set(key, version)
  }
  return [...best.values()]
}

/** Cumulative profit by symbol and period: of the income statement, else of the indicators. */
function profits(versions: readonly Version[], day: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const table of ['indicators', 'income'] as const) {
    const own = versions.filter((v) => v.table === table)
    for (const v of visible(own, day)) {
      if (v.n_income_attr_p !== null) found.set(`${v.symbol} ${v.end_date}`, v.n_income_attr_p)
    }
  }
  return found
}

function ttm(cumulative: ReadonlyMap<string, number>, symbol: string, end: string): number | null {
  const at = (period: string): number => cumulative.get(`${symbol} ${period}`) ?? Number.NaN
  const year = Number(end.slice(0, 4)) - 1
  const value = end.endsWith('12-31')
    ? at(end)
    : at(end) + at(`${String(year)}-12-31`) - at(`${String(year)}${end.slice(4)}`)
  return Number.isNaN(value) ? null : value
}

async function storedVersions(engine: AnalysisEngine): Promise<Version[]> {
  return (await engine.query(`
    SELECT 'indicators' AS "table", symbol, end_date::VARCHAR AS end_date, source, visible_date::VARCHAR AS visible_date,
           vintage, n_income_attr_p, bps FROM fin_indicators_all
    UNION ALL SELECT 'income', symbol, end_date::VARCHAR, source, visible_date::VARCHAR, vintage, n_income_attr_p, NULL
    FROM fin_income_statement_all`)) as unknown as Version[]
}

const sorted = (rows: readonly unknown[]): string[] => rows.map((r) => JSON.stringify(r)).toSorted()

async function checkDay(
  engine: AnalysisEngine,
  versions: readonly Version[],
  day: string,
): Promise<void> {
  const dated = await engine.asOf(day)
  const indicators = visible(
    versions.filter((v) => v.table === 'indicators'),
    day,
  )
  const rows = indicators.map((v) => [v.symbol, v.end_date, v.source, v.vintage, v.bps])
  const columns = 'symbol, end_date::VARCHAR AS end_date, source, vintage, bps'
  const macro = await engine.table(`SELECT ${columns} FROM fin_indicators_asof('${day}')`)
  expect(sorted(macro.rows)).toEqual(sorted(rows))
  const view = await dated.table(`SELECT ${columns} FROM fin_indicators`)
  expect(sorted(view.rows)).toEqual(sorted(rows))

  const cumulative = profits(versions, day)
  const periods = new Set(
    visible(
      versions.filter((v) => v.table === 'income'),
      day,
    )
      .concat(indicators)
      .map((v) => `${v.symbol} ${v.end_date}`),
  )
  const expected = [...periods].map((key) => {
    const [symbol, end] = key.split(' ') as [string, string]
    return [symbol, end, ttm(cumulative, symbol, end)]
  })
  const flows = 'symbol, end_date::VARCHAR AS end_date, n_income_attr_p::INTEGER AS v'
  expect(sorted((await engine.table(`SELECT ${flows} FROM fin_ttm_asof('${day}')`)).rows)).toEqual(
    sorted(expected),
  )
  expect(sorted((await dated.table(`SELECT ${flows} FROM fin_ttm`)).rows)).toEqual(sorted(expected))

  const newest = new Map<string, string>()
  for (const key of periods) {
    const [symbol, end] = key.split(' ') as [string, string]
    if (end > (newest.get(symbol) ?? '')) newest.set(symbol, end)
  }
  const known = await engine.table(
    `SELECT symbol, end_date::VARCHAR AS end_date, n_income_attr_p_ttm::INTEGER AS v FROM fin_known
     WHERE known_from <= DATE '${day}' QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY known_from DESC) = 1`,
  )
  const expectedKnown = [...newest].map(([symbol, end]) => [
    symbol,
    end,
    ttm(cumulative, symbol, end),
  ])
  expect(sorted(known.rows)).toEqual(sorted(expectedKnown))
  await dated.close()
}

/** A history to be stored and read. */
export const histories = (maxLength: number): fc.Arbitrary<Report[]> =>
  fc.array(report, { minLength: 5, maxLength })

/** Stores a history in a lake and holds every view against a plain reading of it, on some days. */
export async function checkHistory(lake: Lake, reports: readonly Report[]): Promise<void> {
  await storeAll(lake, reports)
  const engine = await lake.analysis()
  try {
    const versions = await storedVersions(engine)
    const days = new Set(
      versions.flatMap((v) =>
        v.visible_date ? [v.visible_date, addDays(v.visible_date, -1)] : [],
      ),
    )
    const chosen = [...days].toSorted().filter((_, i, all) => i % Math.ceil(all.length / 6) === 0)
    for (const day of chosen) await checkDay(engine, versions, day)
  } finally {
    await engine.close()
  }
}
