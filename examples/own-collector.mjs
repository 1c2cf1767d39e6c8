/** A source of your own: a folder of CSV files, one a quarter, synced like any other. */
import { mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LakeError, createLake, normalizeSymbol, sync } from 'marketlake'

const base = await mkdtemp(join(tmpdir(), 'lake-'))
const folder = join(base, 'reports')
await mkdir(folder)
const first = 'code,notice,eps\n600519,2024-10-26,48.42\n000001,2024-10-19,1.94\n'
await writeFile(join(folder, '2024-09-30.csv'), first)

/** A collector says which batches there are, and fetches one whole or throws. */
const collector = {
  source: 'mybroker',
  tables: ['indicators'],
  dated: false,
  async batches({ since = '0000', until = '9999' }) {
    const periods = (await readdir(folder)).map((name) => name.replace('.csv', '')).toSorted()
    return periods
      .filter((period) => period >= since && period <= until)
      .map((period) => ({ kind: 'quarter', period, tables: ['indicators'], requests: 0 }))
  },
  async collect({ period }, { nowMs }) {
    const text = await readFile(join(folder, `${period}.csv`), 'utf8')
    const [head, ...lines] = text.trimEnd().split('\n')
    if (head !== 'code,notice,eps') throw new LakeError('SOURCE_FAILED', `${period}: ${head}`)
    const rows = lines.map((line) => {
      const [code, notice, eps] = line.split(',')
      const symbol = normalizeSymbol(code)
      const known = { end_date: period, notice_date: notice, known_at: new Date(nowMs) }
      return { symbol, ...known, source: 'mybroker', basic_eps: Number(eps) }
    })
    return [{ table: 'indicators', rows, fields: [], warnings: [] }]
  },
}

const lake = await createLake(join(base, 'lake'))
const run = async () => {
  const { outcome, inserted, updated, failed } = await sync(lake, { sources: [collector] })
  console.log(outcome, { inserted, updated }, ...failed.map((unit) => unit.message))
}
await run()
await run()
await writeFile(join(folder, '2024-09-30.csv'), first.replace('48.42', '48.40'))
await run()
await writeFile(join(folder, '2024-12-31.csv'), 'code;notice;eps\n600519;2025-04-03;68.64\n')
await run()

const engine = await lake.analysis()
const versions = `SELECT vintage, basic_eps, is_latest FROM fin_indicators_all
  WHERE symbol = '600519.SH' ORDER BY vintage`
console.log(await engine.query(versions))
await engine.close()
await lake.close()

/* prints
committed { inserted: 2, updated: 0 }
unchanged { inserted: 0, updated: 0 }
committed { inserted: 0, updated: 1 }
partial { inserted: 0, updated: 0 } 2024-12-31: code;notice;eps
[
  { vintage: 1, basic_eps: 48.42, is_latest: false },
  { vintage: 2, basic_eps: 48.4, is_latest: true }
]
*/
