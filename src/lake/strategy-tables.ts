/** The tables of strategies: factors and picks by day, and the runs with their pins. */
import type { StrategyResult } from '../analysis/strategy.ts'
import { LakeError } from '../model/errors.ts'
import type { DataType, Field } from '../model/schema.ts'
import { schemaOf } from '../model/schema.ts'
import { describedField } from '../model/standard-tables.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { Row, Value } from '../storage/parquet/values.ts'
import type { Transaction } from '../storage/lake/transaction.ts'

/** Days that are written together. */
interface DayRange {
  readonly from: string
  /** The first day that is not among them. */
  readonly before: string
}

/** What is kept of a run. */
export interface RunFacts {
  readonly strategy: string
  readonly runId: string
  readonly pin: string
  readonly from: string
  readonly to: string
  readonly strict: boolean
  readonly days: number
  readonly ranAtMs: number
}

/** The table of all runs. */
const RUNS_TABLE = 'strategy_runs'

const KEY: readonly Field[] = [
  describedField('trade_date', 'date', { label: '调仓日' }),
  describedField('symbol', 'string', { label: '股票代码' }),
]
const PICKS: readonly Field[] = [
  ...KEY,
  describedField('place', 'integer', { label: '次序' }),
  describedField('weight', 'double', { label: '权重' }),
]
const RUNS: readonly Field[] = [
  describedField('strategy', 'string', { label: '策略' }),
  describedField('run_id', 'string', { label: '运行编号' }),
  describedField('ran_at', 'timestamp', { label: '运行时间' }),
  describedField('pin', 'string', { label: '数据版本锚' }),
  describedField('from_date', 'date', { label: '起始日' }),
  describedField('to_date', 'date', { label: '截止日' }),
  describedField('strict', 'boolean', { label: '仅用当时已入库数据' }),
  describedField('days', 'integer', { label: '调仓次数' }),
]

/** Stages the results of days; rows of earlier runs for the same days go. */
export async function stageDays(
  tx: Transaction,
  name: string,
  results: readonly StrategyResult[],
  range: DayRange,
): Promise<void> {
  const factors = results.flatMap(({ date, factors: rows }) =>
    rows.map((row) => ({ ...present(row), trade_date: date })),
  )
  const picks = results.flatMap(({ date, picks: chosen }) =>
    chosen.map(({ symbol, weight }, i) => ({
      symbol,
      weight,
      trade_date: date,
      place: i + 1,
    })),
  )
  await replaceDays(tx, `${name}_factors`, [...KEY, ...factorFields(factors)], factors, range)
  await replaceDays(tx, `${name}_picks`, PICKS, picks, range)
}

/** A column without any value has no type yet, so it is not named. */
function present(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}

async function replaceDays(
  tx: Transaction,
  table: string,
  fields: readonly Field[],
  rows: readonly InputRow[],
  { from, before }: DayRange,
): Promise<void> {
  const key = KEY.map((f) => f.name)
  if ((await tx.ensure({ name: table, schema: schemaOf(fields), key })) === 'exists')
    await tx.widen(table, fields)
  const predicate = `trade_date >= DATE ${literal(from)} AND trade_date < DATE ${literal(before)}`
  await tx.replaceWhere(table, predicate, rows, {
    ranges: [{ column: 'trade_date', min: from, max: before }],
  })
}

/** Stages the row of a run. */
export async function stageRun(tx: Transaction, facts: RunFacts): Promise<void> {
  await tx.ensure({ name: RUNS_TABLE, schema: schemaOf(RUNS), key: ['strategy', 'run_id'] })
  const row = {
    strategy: facts.strategy,
    run_id: facts.runId,
    ran_at: new Date(facts.ranAtMs),
    pin: facts.pin,
    from_date: facts.from,
    to_date: facts.to,
    strict: facts.strict,
    days: facts.days,
  }
  await tx.upsert(RUNS_TABLE, [row])
}

/** Columns of factors, by their values; one without any value yet comes with the first run that has one. */
function factorFields(rows: readonly Row[]): Field[] {
  const types = new Map<string, DataType>()
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (name === 'symbol' || name === 'trade_date') continue
      const type = typeOf(value)
      if (type === undefined || (types.get(name) ?? type) !== type) throw unfit(name)
      types.set(name, type)
    }
  }
  return [...types].map(([name, type]) => describedField(name, type as 'double'))
}

function typeOf(value: Value): DataType | undefined {
  switch (typeof value) {
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'bigint':
      return 'long'
    default:
      return undefined
  }
}

function unfit(column: string): LakeError {
  return new LakeError('UNSUPPORTED_TYPE', `the factor ${column} cannot be kept in a column`, {
    details: { column },
    next: 'A factor is a number, a text or a truth value, the same on every row.',
  })
}
