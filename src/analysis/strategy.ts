/** Strategies: what they may choose from, how they value it, what they pick; and one of their days. */
import { LakeError } from '../model/errors.ts'
import { checkTableName } from '../model/name.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import type { Row, Value } from '../storage/parquet/values.ts'
import type { AnalysisEngine } from './engine.ts'
import type { LookAhead } from './look-ahead.ts'
import { compareRows } from './look-ahead.ts'
import type { Rebalance } from './rebalance.ts'

/** A rebalance day: its engine shows what was known at the close of the day. */
export interface StrategyDay {
  /** `YYYY-MM-DD`. */
  readonly date: string
  readonly engine: AnalysisEngine
  /** What the strategy picked the last time; empty on its first day. */
  readonly previous: readonly StrategyPick[]
}

/** A symbol with the part of the money that goes into it. */
export interface StrategyPick {
  readonly symbol: string
  readonly weight: number
}

/** The first so many by a factor, with equal weights; rows without the factor are left out. */
export interface TopPicks {
  readonly by: string
  readonly top: number
  /** `desc` (default): the greatest first. */
  readonly order?: 'asc' | 'desc'
}

/** What a strategy is. In SQL `$date` is the day; every view is that day's knowledge. */
export interface StrategyDefinition {
  /** Names its tables: `<name>_factors` and `<name>_picks`. */
  readonly name: string
  /** A SELECT with a column `symbol`, or a function; by default everything listed on the day. */
  readonly universe?: string | ((day: StrategyDay) => Promise<readonly string[]>)
  /** A SELECT with a column `symbol` and a column for each factor, or a function that gives such rows. */
  readonly factors:
    | string
    | ((day: StrategyDay, universe: readonly string[]) => Promise<readonly Row[]>)
  /** Which of the valued symbols to hold: symbols (equal weights), symbols with weights, or the first by a factor. */
  readonly picks:
    | TopPicks
    | ((
        rows: readonly Row[],
        day: StrategyDay,
      ) => readonly (string | StrategyPick)[] | Promise<readonly (string | StrategyPick)[]>)
  readonly rebalance: Rebalance
}

/** What a strategy made of one day. */
export interface StrategyResult {
  readonly date: string
  /** How many symbols it could choose from. */
  readonly universe: number
  /** Valued symbols of the universe, in order of their symbols. */
  readonly factors: readonly Row[]
  readonly picks: readonly StrategyPick[]
}

/** Checks a definition. */
export function checkStrategy(definition: StrategyDefinition): StrategyDefinition {
  checkTableName(`${definition.name}_factors`)
  const { picks } = definition
  if (typeof picks === 'object' && !(Number.isInteger(picks.top) && picks.top > 0)) {
    throw new LakeError('INVALID_ARGUMENT', `${definition.name} picks the top ${picks.top}`, {
      details: { top: picks.top },
      next: 'Give a whole number above zero.',
    })
  }
  return definition
}

/** Runs one day of a strategy. An error of ours names the strategy and the day. */
export async function strategyDay(
  definition: StrategyDefinition,
  day: StrategyDay,
): Promise<StrategyResult> {
  try {
    const universe = await universeOf(definition, day)
    const factors = await factorsOf(definition, day, universe)
    const picks = await picksOf(definition, factors, day)
    return { date: day.date, universe: universe.length, factors, picks }
  } catch (error) {
    if (!(error instanceof LakeError)) throw error
    const { code, message, details, next } = error
    throw new LakeError(code, `${definition.name} on ${day.date}: ${message}`, {
      cause: error,
      details: { ...details, strategy: definition.name, date: day.date },
      ...(next !== undefined && { next }),
    })
  }
}

/**
 * One day of a strategy under two dates of knowledge: the rows whose factors or weight differ. Run on the data of
 * the later date without `asOf`, the strategy would have used what was not known.
 */
export async function strategyLookAhead(
  engine: AnalysisEngine,
  definition: StrategyDefinition,
  dates: readonly [early: string, late: string],
): Promise<LookAhead[]> {
  const answers: Row[][] = []
  for (const knowledge of dates) {
    const dated = await engine.asOf(knowledge)
    try {
      const day = { date: dates[0], engine: dated, previous: [] }
      const { factors, picks } = await strategyDay(definition, day)
      const weights = new Map(picks.map(({ symbol, weight }) => [symbol, weight]))
      const weight = (row: Row): number => weights.get(row['symbol'] as string) ?? 0
      answers.push(factors.map((row) => ({ ...row, weight: weight(row) })))
    } finally {
      await dated.close()
    }
  }
  return compareRows(answers[0]!, answers[1]!, ['symbol'])
}

const LISTED = 'SELECT symbol FROM universe_asof($date)'

async function universeOf(definition: StrategyDefinition, day: StrategyDay): Promise<string[]> {
  const { universe = LISTED } = definition
  const given =
    typeof universe === 'string' ? symbolsOf(await tableOf(day, universe)) : await universe(day)
  const symbols = given.map((symbol) => parseSymbol(symbol) ?? symbol)
  if (universe !== LISTED || symbols.length > 0) return [...new Set(symbols)]
  throw new LakeError('INVALID_ARGUMENT', 'no stock was listed then, as far as stock_basic tells', {
    next: 'Bring stock_basic into the lake, or give the strategy a universe of its own.',
  })
}

async function factorsOf(
  { factors }: StrategyDefinition,
  day: StrategyDay,
  universe: readonly string[],
): Promise<Row[]> {
  const rows =
    typeof factors === 'string'
      ? rowsOf(await tableOf(day, factors))
      : (await factors(day, universe)).map((row) => ({ ...row }))
  const allowed = new Set(universe)
  const seen = new Set<string>()
  for (const { symbol } of rows as readonly Row[]) {
    if (typeof symbol !== 'string') throw withoutSymbol(Object.keys(rows[0]!))
    if (!seen.has(symbol)) seen.add(symbol)
    else {
      throw new LakeError('DUPLICATE_KEY', `the factors have two rows of ${symbol}`, {
        details: { symbol },
        next: 'Give one row for each symbol.',
      })
    }
  }
  return rows
    .filter((row: Row) => allowed.has(row['symbol'] as string))
    .toSorted((a: Row, b: Row) => (a['symbol']! < b['symbol']! ? -1 : 1))
}

async function picksOf(
  { picks }: StrategyDefinition,
  rows: readonly Row[],
  day: StrategyDay,
): Promise<StrategyPick[]> {
  const chosen = typeof picks === 'object' ? topSymbols(picks, rows) : await picks(rows, day)
  const symbols = chosen.map((pick) => (typeof pick === 'string' ? pick : pick.symbol))
  const twice = symbols.find((symbol, i) => symbols.indexOf(symbol) !== i)
  if (twice !== undefined) {
    throw new LakeError('DUPLICATE_KEY', `${twice} is picked twice`, { details: { symbol: twice } })
  }
  return chosen.map((pick) =>
    typeof pick === 'string' ? { symbol: pick, weight: 1 / chosen.length } : pick,
  )
}

function topSymbols({ by, top, order = 'desc' }: TopPicks, rows: readonly Row[]): string[] {
  if (rows.length > 0 && !(by in rows[0]!)) {
    throw new LakeError('COLUMN_NOT_FOUND', `the factors have no column ${by}`, {
      details: { column: by, columns: Object.keys(rows[0]!) },
    })
  }
  const value = (row: Row): number => Number(row[by])
  const sign = order === 'desc' ? -1 : 1
  return rows
    .filter((row) => row[by] !== null && !Number.isNaN(value(row)))
    .toSorted((a, b) => sign * (value(a) - value(b)))
    .slice(0, top)
    .map((row) => row['symbol'] as string)
}

/** A parameter that the statement does not name would be an error. */
function tableOf({ engine, date }: StrategyDay, sql: string): Promise<ResultTable> {
  return engine.table(sql, /\$date\b/.test(sql) ? { date } : undefined)
}

function symbolsOf({ columns, rows }: ResultTable): string[] {
  const place = columns.findIndex((column) => column.name === 'symbol')
  if (place === -1) throw withoutSymbol(columns.map((column) => column.name))
  return rows.map((row) => row[place] as string)
}

/** Decimals and sums of integers come exactly, as text and large integers; a factor is a plain number. */
function rowsOf({ columns, rows }: ResultTable): Row[] {
  if (!columns.some((column) => column.name === 'symbol'))
    throw withoutSymbol(columns.map((column) => column.name))
  const numeric = columns.map(({ type }) => /^(DECIMAL|U?HUGEINT|U?BIGINT)/.test(type))
  const cell = (value: Value, i: number): Value =>
    value === null || !numeric[i] ? value : Number(value)
  return rows.map((row) => Object.fromEntries(columns.map((c, i) => [c.name, cell(row[i]!, i)])))
}

function withoutSymbol(columns: readonly string[]): LakeError {
  return new LakeError('COLUMN_NOT_FOUND', 'the result has no column symbol', {
    details: { column: 'symbol', columns },
    next: 'Select the symbol of each row under that name.',
  })
}
