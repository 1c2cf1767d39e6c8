/** Markets in which things become known one after the other, and the law that a date shows no more than was known. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { aliasRelations } from '../../src/analysis/alias-relations.ts'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { addDays } from '../../src/model/date.ts'
import { addQuarters } from '../../src/model/period.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { MEASURES } from '../../src/model/standard-tables.ts'
import { newLake } from './lake.ts'

/** A row that becomes known at the close of a day; `hides` are columns that say what comes later. */
interface Fact {
  readonly table: string
  readonly row: Readonly<Record<string, string | number | boolean | null>>
  /** Rows of a market are offered to a lake in this order. */
  readonly known: string
  readonly hides?: string
}

/** Open days on which knowledge is compared. */
export const OPEN_DAYS = ['2016-01-05', '2016-05-04', '2016-09-01'] as const
const SYMBOLS = ['600519.SH', '000001.SZ', '300750.SZ']
const FIRST = '2015-01-05'

/** Mostly just before or just after a day that is looked at. */
const day = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 700 }).map((days) => addDays(FIRST, days)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...OPEN_DAYS), fc.integer({ min: -3, max: 3 }))
      .map(([open, days]) => addDays(open, days)),
  },
)
const symbol = fc.constantFrom(...SYMBOLS)
const amount = fc.integer({ min: -50, max: 500 })

const reportFact = fc
  .record({
    table: fc.constantFrom('indicators', 'balance', 'income', 'cashflow'),
    symbol,
    end_date: fc.integer({ min: 0, max: 9 }).map((quarters) => addQuarters('2014-03-31', quarters)),
    source: fc.constantFrom('eastmoney', 'tushare'),
    notice: day,
    value: amount,
  })
  .map(({ table, notice, value, ...key }): Fact => {
    const notice_date = notice > key.end_date ? notice : addDays(key.end_date, 20)
    const measures = MEASURES[table]!.map(([name], i) => [name, value + i] as const)
    // Visible from the next open day on.
    const known = addDays(notice_date, 1)
    return { table, known, row: { ...key, notice_date, ...Object.fromEntries(measures) } }
  })

const marketFact = fc.oneof(
  fc
    .record({ symbol, trade_date: day, close: fc.integer({ min: 1, max: 99 }) })
    .map((row): Fact => ({ table: 'daily', row: { ...row, source: 'x' }, known: row.trade_date })),
  fc
    .record({ symbol, trade_date: day, adj_factor: fc.integer({ min: 1, max: 9 }) })
    .map((row): Fact => ({
      table: 'adj_factor',
      row: { ...row, source: 'x' },
      known: row.trade_date,
    })),
  fc
    .record({
      symbol,
      change_date: day,
      ahead: fc.integer({ min: -5, max: 5 }),
      total_share: fc.integer({ min: 1, max: 9 }),
    })
    .map(({ ahead, ...row }): Fact => {
      const notice_date = addDays(row.change_date, ahead)
      const known = notice_date > row.change_date ? notice_date : row.change_date
      return { table: 'share_capital', row: { ...row, notice_date }, known }
    }),
  fc
    .record({
      symbol,
      start_date: day,
      length: fc.integer({ min: 1, max: 300 }),
      is_st: fc.boolean(),
    })
    .map(({ length, ...row }): Fact => {
      const end_date = addDays(row.start_date, length)
      return {
        table: 'name_history',
        row: { ...row, end_date },
        known: row.start_date,
        hides: 'end_date',
      }
    }),
  fc
    .record({ symbol, list_date: day, length: fc.integer({ min: 1, max: 600 }) })
    .map(({ length, ...row }): Fact => {
      const delist_date = addDays(row.list_date, length)
      return {
        table: 'stock_basic',
        row: { ...row, delist_date, list_status: 'D' },
        known: row.list_date,
        hides: 'delist_date',
      }
    }),
  fc
    .record({ symbol, trade_date: day, score: amount })
    .map((row): Fact => ({ table: 'scores', row, known: row.trade_date })),
  fc
    .record({ symbol, ann_date: day, forecast: amount })
    .map((row): Fact => ({ table: 'forecasts', row, known: addDays(row.ann_date, 1) })),
)

/** A market of many facts. */
export const markets = (facts: number): fc.Arbitrary<Fact[]> =>
  fc
    .tuple(
      fc.array(reportFact, { minLength: facts / 2, maxLength: facts }),
      fc.array(marketFact, { minLength: facts / 2, maxLength: facts }),
    )
    .map(([reports, others]) => [...reports, ...firstOfKey(others)])

/** Of one key the first: a plain table overwrites, and what was overwritten nobody can tell. */
function firstOfKey(facts: readonly Fact[]): Fact[] {
  const seen = new Set<string>()
  return facts.filter(({ table, row }) => {
    const dates = ['trade_date', 'change_date', 'start_date', 'ann_date'].map((name) => row[name])
    const key = [table, row['symbol'], ...dates].join()
    return !seen.has(key) && seen.add(key)
  })
}

/** A lake of the facts that were known on a day, or of all. */
async function lakeOf(facts: readonly Fact[], until?: string): Promise<Lake> {
  const lake = await newLake()
  const known = facts
    .filter((fact) => until === undefined || fact.known <= until)
    .map((fact) => ({ ...fact, row: until === undefined ? fact.row : rowThen(fact, until) }))
  const own = { key: ['symbol', 'trade_date'] }
  await lake.write('own', async (tx) => {
    await tx.ensure({
      ...own,
      name: 'scores',
      schema: schemaOf([
        field('symbol', 'string'),
        field('trade_date', 'date'),
        field('score', 'double'),
      ]),
    })
    await tx.ensure({
      key: ['symbol', 'ann_date'],
      name: 'forecasts',
      schema: schemaOf([
        field('symbol', 'string'),
        field('ann_date', 'date'),
        field('forecast', 'double'),
      ]),
    })
  })
  await lake.write('facts', async (tx) => {
    for (const table of new Set(known.map((fact) => fact.table))) {
      if (table in MEASURES) continue
      await tx.upsert(
        table,
        known.filter((f) => f.table === table).map((f) => f.row),
      )
    }
  })
  const rounds = new Map<string, Fact[]>()
  for (const fact of known.filter((f) => f.table in MEASURES)) {
    const { symbol: s, end_date: e, source } = fact.row
    const key = [fact.table, s, e, source].join()
    rounds.set(
      key,
      [...(rounds.get(key) ?? []), fact].toSorted((a, b) => (a.known < b.known ? -1 : 1)),
    )
  }
  const most = Math.max(0, ...[...rounds.values()].map((list) => list.length))
  for (let round = 0; round < most; round++) {
    await lake.write(`round ${round}`, async (tx) => {
      for (const table of Object.keys(MEASURES)) {
        const rows = [...rounds.values()].flatMap((list) =>
          list[round]?.table === table ? [list[round]!.row] : [],
        )
        if (rows.length > 0) await tx.upsert(table, rows, { dated: true })
      }
    })
  }
  return lake
}

function rowThen({ row, hides }: Fact, until: string): Fact['row'] {
  if (hides === undefined || (row[hides] as string) <= until) return row
  return { ...row, [hides]: null, ...('list_status' in row && { list_status: 'L' }) }
}

/** What a relation shows, without when the lake itself came to know it. */
async function shown(engine: AnalysisEngine, from: string): Promise<unknown> {
  const { columns } = await engine.table(`SELECT * FROM ${from} LIMIT 0`)
  const names = columns.map((c) => c.name).filter((name) => name !== 'known_at')
  return engine.table(
    `SELECT ${names.map((name) => `"${name}"`).join(', ')} FROM ${from} ORDER BY ALL`,
  )
}

/** Everything that can be asked on a day, of engines of that day. */
async function relationsThen(engine: AnalysisEngine, date: string): Promise<string[]> {
  const rows = await engine.query<{ name: string; kind: string; parameters: string | null }>(
    `SELECT name, kind, parameters FROM meta.relations WHERE kind <> 'scalar macro'`,
  )
  const own = rows.map(({ name, kind, parameters }) =>
    kind === 'view'
      ? name
      : `${name}(${parameters === '(as_of)' ? `'${date}'` : `'2015-01-01', '${date}'`})`,
  )
  const aliases = Object.entries(aliasRelations()).flatMap(([schema, list]) =>
    list.map(({ name }) => `${schema}.${name}`),
  )
  return [...own, ...aliases]
}

/** With the knowledge of a day, a lake that knows everything shows what one shows that knew no more than that. */
export async function checkKnownThen(
  facts: readonly Fact[],
  days: readonly string[],
): Promise<void> {
  const whole = await (await lakeOf(facts)).analysis()
  for (const date of days) {
    const then = await (await lakeOf(facts, date)).analysis()
    const engines = [await whole.asOf(date), await then.asOf(date)] as const
    for (const from of await relationsThen(engines[0], date)) {
      expect(await shown(engines[0], from), `${from} as of ${date}`).toEqual(
        await shown(engines[1], from),
      )
    }
    // Of the views of the present these are made for the past.
    for (const from of [
      ...(await relationsThen(whole, date)).filter(
        (name) => name.includes('_asof(') || name.includes('_between('),
      ),
      `(FROM valuation WHERE trade_date <= '${date}')`,
      `(FROM fin_known WHERE known_from <= '${date}')`,
      `(FROM daily_hfq WHERE trade_date <= '${date}')`,
    ]) {
      expect(await shown(whole, from), `${from} at present`).toEqual(await shown(then, from))
    }
    await then.close()
  }
  await whole.close()
}
