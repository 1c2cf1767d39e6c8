/** `analysis.duckdb` as Python reads it: what it must answer, and readers that never stop while something writes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { newLake } from './lake.ts'
import { python } from './python.ts'
import { temporaryDirectory } from './temporary.ts'

/** A lake with a report of each kind, bars and factors. */
export async function filledLake(): Promise<Lake> {
  const lake = await newLake()
  const report = { symbol: '600519.SH', end_date: '2024-12-31', source: 'eastmoney' }
  await lake.write('data', async (tx) => {
    await tx.upsert('indicators', [{ ...report, notice_date: '2025-04-03', basic_eps: 68.64 }])
    await tx.upsert('balance', [{ ...report, notice_date: '2025-04-03', total_assets: 3e11 }])
    await tx.upsert('daily', [
      { symbol: '600519.SH', trade_date: '2025-04-03', close: 1550.5, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2025-04-07', close: 775, source: 'sina' },
    ])
    await tx.upsert('adj_factor', [
      { symbol: '600519.SH', trade_date: '2001-08-27', adj_factor: 1, source: 'sina' },
      { symbol: '600519.SH', trade_date: '2025-04-07', adj_factor: 2, source: 'sina' },
    ])
  })
  return lake
}

const ANSWERS = `
import duckdb, json, sys
con = duckdb.connect()
con.execute(f"ATTACH '{sys.argv[1]}' AS a (READ_ONLY)")
con.execute("USE a")
views = [r[0] for r in con.execute("SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE database_name = 'a' AND NOT internal ORDER BY 1").fetchall()]
for view in views: con.execute(f'SELECT max(hash(t)) FROM {view} t').fetchall()
out = {"views": views}
out["latest"] = con.execute("SELECT symbol, basic_eps FROM fin_indicators").fetchall()
out["before"] = con.execute("SELECT count(*) FROM fin_indicators_asof(DATE '2025-04-03')").fetchall()
out["after"] = con.execute("SELECT count(*) FROM fin_indicators_asof('2025-04-07')").fetchall()
out["qfq"] = con.execute("SELECT close FROM daily_qfq ORDER BY trade_date").fetchall()
out["between"] = con.execute("SELECT close FROM daily_qfq_between('2025-01-01', '2025-04-03')").fetchall()
out["types"] = con.execute("SELECT typeof(balance) FROM (SELECT type AS balance FROM financial_statements)").fetchall()
out["valuation"] = con.execute("SELECT count(*), count(pe_ttm) FROM valuation").fetchall()
out["ttm"] = con.execute("SELECT basic_eps FROM fin_ttm_asof('2025-05-01')").fetchall()
out["sym"] = con.execute("SELECT sym('sh600519')").fetchall()
out["tushare"] = con.execute("SELECT ts_code, vol FROM tushare.daily LIMIT 1").fetchall()
out["label"] = con.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'daily_hfq'").fetchall()
out["version"] = con.execute("SELECT version FROM meta.lake").fetchall()
print(json.dumps(out))
`

/** Every view and macro of a published `filledLake` gives in Python what it gives in our engine. */
export async function answersAsOurs(packages: string, path: string, lake: Lake): Promise<void> {
  const answer = JSON.parse(await python(packages, ANSWERS, path)) as Record<string, unknown>
  expect(answer).toMatchObject({
    latest: [['600519.SH', 68.64]],
    before: [[0]],
    after: [[1]],
    qfq: [[775.25], [775]],
    between: [[1550.5]],
    types: [['VARCHAR']],
    valuation: [[2, 0]],
    ttm: [[68.64]],
    sym: [['600519.SH']],
    tushare: [['600519.SH', null]],
    label: [['后复权日线']],
    version: [[(await lake.head()).version]],
  })
  expect((answer['views'] as string[]).length).toBeGreaterThan(35)
}

/** Runs the code cells of a notebook one after the other, and shows what a notebook would show. */
const NOTEBOOK = `
import ast, json, os, sys
os.environ["MARKETLAKE_DIR"] = sys.argv[2]
names = {}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] != "code": continue
    assert cell["outputs"] == [] and cell["execution_count"] is None
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    print("" if shown is None else str(shown).replace("\\n", " "))
names["attach"]()
`

/** What the code cells of a notebook show, one line a cell. */
export async function notebookCells(packages: string, lake: Lake): Promise<string[]> {
  const shown = await python(packages, NOTEBOOK, 'examples/notebook.ipynb', lake.root)
  return shown.trimEnd().split('\n')
}

/** Opens the file again and again, at least so often and until a file `stop` is there; never an older version, never half a commit. */
const READER = `
import duckdb, os, sys
path, least, stop, last, n = sys.argv[1], int(sys.argv[2]), sys.argv[3], 0, 0
while n < least or not os.path.exists(stop):
    con = duckdb.connect()
    con.execute(f"ATTACH '{path}' AS a (READ_ONLY)")
    con.execute("USE a")
    version = con.execute("SELECT version FROM meta.lake").fetchone()[0]
    rows = con.execute("SELECT count(*), count(DISTINCT close) FROM daily WHERE symbol LIKE 'T%'").fetchone()
    assert rows[0] in (0, 50) and rows[1] in (0, 1), rows
    torn = con.execute("SELECT count(*) FROM fin_income_statement i FULL JOIN fin_indicators k USING (symbol, end_date) WHERE symbol LIKE '6%' AND end_date > '2025-01-01' AND (i.vintage IS NULL OR k.vintage IS NULL)").fetchone()
    assert torn[0] == 0, torn
    con.execute("SELECT count(*), sum(n_income_attr_p) FROM fin_ttm").fetchone()
    assert version >= last, (version, last)
    last, n = version, n + 1
    con.close()
print(n)
`

/** How long readers read. */
export interface ReadsOptions {
  /** Each reads at least so often. */
  readonly least: number
  /** So many rounds are written, and readers read until their end; without it as many as the readers need. */
  readonly rounds?: number
}

/** Lets Python readers run for as long as something is written; how often each has read. */
export async function readsWhile(
  packages: readonly string[],
  path: string,
  { least, rounds }: ReadsOptions,
  write: (round: number) => Promise<unknown>,
): Promise<number[]> {
  const stop = join(temporaryDirectory(), 'stop')
  if (rounds === undefined) writeFileSync(stop, '')
  const state = { reading: packages.length, failed: false }
  const readers = packages.map(async (directory) => {
    try {
      return Number(await python(directory, READER, path, String(least), stop))
    } catch (error) {
      state.failed = true
      throw error
    } finally {
      state.reading--
    }
  })
  const done = Promise.all(readers)
  done.catch(() => undefined)
  for (let i = 0; i < (rounds ?? 500) && state.reading > 0 && !state.failed; i++) await write(i)
  writeFileSync(stop, '')
  return done
}
