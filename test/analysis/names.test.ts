/** Names: symbols in every form, Tushare's and AkShare's tables, the words of `meta`, tables in notebooks. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { AnalysisEngine, EngineOptions } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { parseSymbol } from '../../src/model/symbol.ts'
import { newLake } from '../support/lake.ts'

const engines: AnalysisEngine[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})

async function engineOf(lake: Lake, options: EngineOptions = {}): Promise<AnalysisEngine> {
  const engine = await lake.analysis(options)
  engines.push(engine)
  return engine
}

describe('names', () => {
  test('sym() says what normalizeSymbol says, for every form and for garbage', async () => {
    const code = fc
      .tuple(...Array.from({ length: 6 }, () => fc.integer({ min: 0, max: 9 })))
      .map((d) => d.join(''))
    const word = fc.constantFrom('SH', 'sz', 'Bj', 'XSHG', 'xshe', 'SSE', 'HK', 'A')
    const dot = fc.constantFrom('', '.', '..')
    const form = fc.oneof(
      code,
      fc.tuple(code, dot, word).map((p) => p.join('')),
      fc.tuple(word, dot, code).map((p) => p.join('')),
      fc.string({ maxLength: 10, unit: 'grapheme-ascii' }),
      code.map((c) => ` ${c}\t`),
    )
    const engine = await engineOf(await newLake())
    await fc.assert(
      fc.asyncProperty(fc.array(form, { minLength: 50, maxLength: 200 }), async (forms) => {
        const rows = await engine.query<{ s: string | null }>(
          'SELECT sym(unnest($1::VARCHAR[])) AS s',
          [forms],
        )
        expect(rows.map((row) => row.s)).toEqual(forms.map((text) => parseSymbol(text) ?? null))
      }),
      { numRuns: 10 },
    )
  })

  test('Tushare and AkShare names show the same rows in their own units', async () => {
    const lake = await newLake()
    const report = { symbol: '600519.SH', end_date: '2023-12-31', source: 'eastmoney' }
    await lake.write('x', async (tx) => {
      await tx.upsert('indicators', [{ ...report, notice_date: '2024-04-03', basic_eps: 59.5 }])
      await tx.upsert('daily', [
        {
          symbol: '600519.SH',
          trade_date: '2024-04-03',
          close: 1700,
          pre_close: 1600,
          volume: 250_000,
          amount: 4e9,
        },
      ])
      await tx.upsert('stock_basic', [
        { symbol: '600519.SH', code: '600519', name: '贵州茅台', list_date: '2001-08-27' },
      ])
    })
    const engine = await engineOf(lake)
    expect(await engine.query('SELECT ts_code, vol, amount, pct_chg FROM tushare.daily')).toEqual([
      { ts_code: '600519.SH', vol: 2500, amount: 4e6, pct_chg: 6.25 },
    ])
    expect(
      await engine.query(
        'SELECT "股票代码", "股票简称", "基本每股收益" FROM akshare.stock_yjbb_em',
      ),
    ).toEqual([{ 股票代码: '600519', 股票简称: '贵州茅台', 基本每股收益: 59.5 }])
    expect(
      await (await engine.asOf('2024-04-03')).query('SELECT * FROM akshare.stock_yjbb_em'),
    ).toEqual([])
  })

  test('meta tells every relation and column, with Chinese words and units', async () => {
    const engine = await engineOf(await newLake())
    const relations = await engine.query<{ name: string; label: string }>(
      'SELECT name, label FROM meta.relations',
    )
    expect(relations).toContainEqual({ name: 'daily_hfq', label: '后复权日线' })
    expect(relations.every((row) => /[一-鿿]/.test(row.label))).toBe(true)
    const [column] = await engine.query(
      `SELECT label, unit FROM meta.columns WHERE "view" = 'fin_balance_sheet' AND "column" = 'total_assets'`,
    )
    expect(column).toEqual({ label: '资产总计', unit: '元' })
  })

  test('results show themselves as tables in notebooks, with nothing left unescaped', async () => {
    const engine = await engineOf(await newLake())
    const rows = await engine.query(`SELECT '<b>&' AS a, 1::BIGINT AS b`)
    expect(rows).toEqual([{ a: '<b>&', b: 1n }])
    const display = (rows as never)[Symbol.for('Jupyter.display') as never] as () => Record<
      string,
      string
    >
    expect(display()['text/html']).toContain('<td>&lt;b&gt;&amp;</td><td>1</td>')
  })
})
