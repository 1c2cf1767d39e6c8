/** Real reports and bars: what the views answer, against plain SQL over the raw files; and the strategies of the examples. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import { useEngine } from '../support/engine.ts'
import { describeShared, sharedPath } from '../support/shared.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const run = promisify(execFile)
const DAY = '2016-05-03'
const raw = (...parts: string[]): string => sharedPath('data', 'ashare', ...parts)

/** The raw files as three plain relations; nothing of the package takes part. */
const RAW = `
  CREATE TABLE cal AS SELECT trade_date::DATE AS day
    FROM read_csv('${raw('raw', 'calendar_and_codes', 'calendar', '*.csv')}') WHERE trade_status = 1;
  CREATE TABLE sfx AS SELECT * FROM (VALUES ('0', 'SZ'), ('2', 'SZ'), ('3', 'SZ'), ('6', 'SH'), ('9', 'SH'), ('4', 'BJ'), ('8', 'BJ')) t(p, x);
  CREATE TABLE quarterly AS
    WITH d AS (SELECT DISTINCT code, end_date, year, eps, roe, net_profits, report_mmdd
               FROM '${raw('tushare_old_report_2014q1_2016q2.parquet')}')
    SELECT code || '.' || x AS symbol, end_date, eps, roe, net_profits * 10000 AS profit,
      list_min([v FOR v IN [try_cast(year || '-' || report_mmdd AS DATE), try_cast((year + 1) || '-' || report_mmdd AS DATE)] IF v > end_date]) AS notice
    FROM d JOIN sfx ON p = code[1];
  CREATE TABLE annual AS
    SELECT a.symbol || '.' || x AS symbol, a.end_date, a.basic_eps AS eps, a.bps, a.roe_waa AS roe, a.revenue, a.n_income AS profit,
      a.total_hldr_eqy_exc_min_int AS equity, coalesce(q.notice, (year(a.end_date) + 1 || '-04-30')::DATE) AS notice
    FROM '${raw('annual_key_items_1989_2020_163.parquet')}' a JOIN sfx ON p = a.symbol[1]
    LEFT JOIN quarterly q ON q.symbol = a.symbol || '.' || x AND q.end_date = a.end_date;
  CREATE TABLE price AS SELECT b.symbol || '.' || x AS symbol, trade_date, close
    FROM '${raw('daily_2015_2016_tushare.parquet')}' b JOIN sfx ON p = b.symbol[1];
  -- Of each report the day it could be acted on. The lake's calendar begins in 1994, the raw one in 2005: between them, the day after.
  CREATE TABLE visible AS
    SELECT notice, coalesce((SELECT min(day) FROM cal WHERE day > n.notice AND n.notice > '2005-01-04'), notice + 1) AS visible
    FROM (SELECT DISTINCT notice FROM quarterly UNION SELECT DISTINCT notice FROM annual) n WHERE notice >= '1994-01-01'`

/** Cumulative profit of each report visible on a day, or of all: the annual file's, else the quarterly file's. */
const profits = (day: string | undefined): string => {
  const seen = day === undefined ? 'true' : `visible <= DATE '${day}'`
  return `SELECT symbol, end_date, coalesce(a.profit, q.profit) AS profit
    FROM (SELECT * FROM annual LEFT JOIN visible USING (notice) WHERE ${seen}) a
    FULL JOIN (SELECT * FROM quarterly LEFT JOIN visible USING (notice) WHERE ${seen}) q USING (symbol, end_date)`
}

/** Twelve months: a lookup of two other periods, written as scalar sub-queries. */
const twelve = (day: string | undefined): string => `
  WITH p AS MATERIALIZED (${profits(day)})
  SELECT a.symbol, a.end_date,
    CASE WHEN strftime(a.end_date, '%m-%d') = '12-31' THEN a.profit
      ELSE a.profit + y.profit - s.profit END AS profit
  FROM p a
  LEFT JOIN p y ON y.symbol = a.symbol AND y.end_date = ((year(a.end_date) - 1) || '-12-31')::DATE
  LEFT JOIN p s ON s.symbol = a.symbol AND strftime(s.end_date, '%m') = strftime(a.end_date, '%m')
    AND year(s.end_date) = year(a.end_date) - 1`

const PE = `
  WITH t AS (${twelve(DAY)}), newest AS (SELECT symbol, max(end_date) AS end_date FROM t GROUP BY symbol),
  shares AS (SELECT symbol, end_date, round(coalesce(if(bps > 0, equity / bps, NULL), if(abs(eps) >= 0.05, profit / eps, NULL))) AS n FROM annual),
  counted AS (SELECT symbol, arg_max(n, end_date) AS n FROM shares WHERE n > 0 AND end_date <= DATE '${DAY}' GROUP BY symbol)
  SELECT symbol, close * n / profit AS pe FROM price JOIN newest USING (symbol) JOIN t USING (symbol, end_date)
  JOIN counted USING (symbol) WHERE trade_date = '${DAY}' AND profit > 0`

describeShared('real reports and bars', ['data', 'ashare'], () => {
  const plain = useEngine()
  const root = join(temporaryDirectory(), 'market')
  let lake: Lake
  let engine: AnalysisEngine
  const ours = async (sql: string): Promise<unknown[][]> =>
    (await engine.table(sql)).rows as unknown[][]
  const theirs = async (sql: string): Promise<unknown[][]> =>
    (await plain.session().table(sql)).rows as unknown[][]

  beforeAll(async () => {
    await run(process.execPath, ['examples/real-data/market.mjs', root])
    lake = await openLake(root, { maintenance: false })
    engine = await lake.analysis()
    await plain.session().run(RAW)
  })
  afterAll(async () => {
    await engine.close()
    await lake.close()
  })

  /** Rows of equal keys in order, whose last column is a number that arithmetic in another order may round otherwise. */
  function expectSame(mine: readonly unknown[][], other: readonly unknown[][]): void {
    const keys = (rows: readonly unknown[][]): string[] =>
      rows.map((row) => row.slice(0, -1).join(' '))
    const [left, right] = [keys(mine), keys(other)]
    const only = (a: readonly string[], b: readonly string[]): string[] => {
      const there = new Set(b)
      return a.filter((key) => !there.has(key)).slice(0, 20)
    }
    expect(mine.length).toBeGreaterThan(0)
    expect({ ours: only(left, right), theirs: only(right, left) }).toEqual({ ours: [], theirs: [] })
    expect(left.length).toBe(right.length)
    const far = mine.filter((row, i) => {
      const [a, b] = [row.at(-1) as number | null, other[i]!.at(-1) as number | null]
      return a === null || b === null ? a !== b : Math.abs(a - b) > 1e-9 * Math.abs(a) + 1e-3
    })
    expect(far).toEqual([])
  }

  test("ten years of one stock's revenue", async () => {
    const rows =
      await ours(`SELECT year(end_date)::INTEGER AS y, total_revenue FROM fin_income_statement
      WHERE symbol = sym('600519') AND end_date BETWEEN '2010-01-01' AND '2019-12-31' ORDER BY 1`)
    expect(rows.map(([year]) => year)).toEqual([
      2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017, 2018, 2019,
    ])
    expectSame(
      rows,
      await theirs(`SELECT year(end_date)::INTEGER, revenue::DOUBLE FROM annual
      WHERE symbol = '600519.SH' AND end_date BETWEEN '2010-01-01' AND '2019-12-31' ORDER BY 1`),
    )
  })

  test('twelve months of every symbol, at the end and as of a day', async () => {
    const mine = (from: string): string =>
      `SELECT symbol, end_date::VARCHAR AS e, n_income_attr_p FROM ${from} ORDER BY ALL`
    const other = (day?: string): string =>
      `SELECT symbol, end_date::VARCHAR, profit FROM (${twelve(day)}) ORDER BY ALL`
    expectSame(await ours(mine('fin_ttm')), await theirs(other()))
    expectSame(await ours(mine(`fin_ttm_asof('${DAY}')`)), await theirs(other(DAY)))
    const dated = await engine.asOf(DAY)
    expectSame((await dated.table(mine('fin_ttm'))).rows as unknown[][], await theirs(other(DAY)))
    await dated.close()
  })

  test("the market's mean and median PE of a day", async () => {
    const rows = await ours(
      `SELECT symbol, pe_ttm FROM valuation WHERE trade_date = '${DAY}' AND pe_ttm > 0 ORDER BY 1`,
    )
    expect(rows.length).toBeGreaterThan(1500)
    expectSame(rows, await theirs(`SELECT symbol, pe FROM (${PE}) ORDER BY 1`))
    const [[mean, median]] = (await ours(`SELECT avg(pe_ttm), median(pe_ttm) FROM valuation
      WHERE trade_date = '${DAY}' AND pe_ttm BETWEEN 0 AND 300`)) as [[number, number]]
    const [[otherMean, otherMedian]] = (await theirs(
      `SELECT avg(pe), median(pe) FROM (${PE}) WHERE pe BETWEEN 0 AND 300`,
    )) as [[number, number]]
    expect(mean).toBeCloseTo(otherMean, 6)
    expect(median).toBeCloseTo(otherMedian, 6)
  })

  test('ROE above 15 and PE below 20, as known on a day', async () => {
    const dated = await engine.asOf(DAY)
    const { rows } = await dated.table(`
      WITH r AS (SELECT symbol, arg_max(roe_waa, end_date) AS roe FROM fin_indicators
                 WHERE month(end_date) = 12 AND roe_waa IS NOT NULL GROUP BY symbol)
      SELECT symbol, roe FROM valuation JOIN r USING (symbol)
      WHERE trade_date = '${DAY}' AND pe_ttm < 20 AND roe > 15 ORDER BY 1`)
    await dated.close()
    // Of one period the quarterly file goes first, as its source does in the lake.
    const other = await theirs(`
      WITH known AS (
        SELECT symbol, end_date, roe, 1 AS place FROM quarterly JOIN visible USING (notice)
        WHERE visible <= '${DAY}' AND month(end_date) = 12
        UNION ALL SELECT symbol, end_date, roe, 2 FROM annual JOIN visible USING (notice) WHERE visible <= '${DAY}'),
      first AS (SELECT * FROM known QUALIFY row_number() OVER (PARTITION BY symbol, end_date ORDER BY place) = 1),
      r AS (SELECT symbol, arg_max(roe, end_date) AS roe FROM first WHERE roe IS NOT NULL GROUP BY symbol)
      SELECT symbol, roe FROM (${PE}) JOIN r USING (symbol) WHERE pe < 20 AND roe > 15 ORDER BY 1`)
    expect(rows.length).toBeGreaterThan(30)
    expectSame(rows as unknown[][], other)
  })

  test.each(['low-pe-high-roe', 'earnings-surprise'])(
    'the strategy %s runs and leaves its tables',
    async (name) => {
      const { stdout } = await run(process.execPath, [`examples/real-data/${name}.mjs`, root])
      expect(
        stdout.split('\n').filter((line) => /^2016-\d\d-\d\d +\d+ /.test(line)).length,
      ).toBeGreaterThan(3)
      expect(stdout).toContain('committed: read marketlake:')
      const follower = await lake.analysis()
      const table = name.replaceAll('-', '_')
      const [picks] = await follower.query(
        `SELECT max(n)::INTEGER AS most, count(*)::INTEGER AS days FROM (SELECT count(*) AS n FROM ${table}_picks GROUP BY trade_date)`,
      )
      expect(picks!['most']).toBe(30)
      expect(
        await follower.query(
          `SELECT count(*)::INTEGER AS n FROM strategy_runs WHERE strategy = '${table}'`,
        ),
      ).toEqual([{ n: 1 }])
      await follower.close()
    },
  )
})
