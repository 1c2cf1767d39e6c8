/** Strategies over a lake: walks rebalance days with that day's knowledge and writes factors, picks and the pin back. */
import type { Pin } from '../analysis/engine.ts'
import type { LookAhead } from '../analysis/look-ahead.ts'
import { rebalanceDays } from '../analysis/rebalance.ts'
import { checkStrategy, strategyDay, strategyLookAhead } from '../analysis/strategy.ts'
import type { StrategyDefinition, StrategyPick, StrategyResult } from '../analysis/strategy.ts'
import { addDays } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import type { Lake } from './lake.ts'
import type { RunFacts } from './strategy-tables.ts'
import { stageDays, stageRun } from './strategy-tables.ts'

/** How a strategy is run. */
export interface StrategyRunOptions {
  /** The first and the last day, `YYYY-MM-DD`. */
  readonly from: string
  readonly to: string
  /** The version of the lake to read: a pin makes an old run again. By default the newest. */
  readonly at?: VersionSpec
  /** Tags the version read, so that it is kept. */
  readonly keep?: string
  /** Also leave out what the lake itself had not stored by then. */
  readonly strict?: boolean
  /** Tables without a date of knowledge to show as they are. */
  readonly include?: readonly string[]
  /** Tables to keep in memory; many days are faster with the tables they read. */
  readonly resident?: readonly string[]
  /** False: write nothing back. */
  readonly write?: boolean
  /** Ends the run between two days with `CANCELLED`. */
  readonly signal?: AbortSignal
  /** Told each day when it is done. */
  readonly onDay?: (result: StrategyResult) => void
}

/** A run that came to its end. */
export interface StrategyRun {
  readonly strategy: string
  /** Identifies the run in the table `strategy_runs`. */
  readonly runId: string
  /** What was read; give its token as `at` to read the same data again. */
  readonly pin: Pin
  /** One entry a rebalance day. */
  readonly days: readonly {
    readonly date: string
    /** Symbols to choose from, and those with factors. */
    readonly universe: number
    readonly valued: number
    readonly picks: readonly StrategyPick[]
  }[]
  /** How writing back ended; undefined where nothing was to be written. Anything but `committed` ends the writing. */
  readonly outcome: LakeOutcome | undefined
}

/** A strategy that can be run. */
export interface Strategy {
  readonly definition: StrategyDefinition
  /** Runs it over its rebalance days. What is written replaces what an earlier run wrote for the same days. */
  run(lake: Lake, options: StrategyRunOptions): Promise<StrategyRun>
  /** The rows of one day (`early`) that change when the knowledge of a later date is let in. */
  lookAhead(lake: Lake, dates: readonly [early: string, late: string]): Promise<LookAhead[]>
}

/** Makes a strategy of a definition. */
export function defineStrategy(definition: StrategyDefinition): Strategy {
  checkStrategy(definition)
  return {
    definition,
    run: (lake, options) => runStrategy(lake, definition, options),
    lookAhead: async (lake, dates) => {
      const engine = await lake.analysis()
      try {
        return await strategyLookAhead(engine, definition, dates)
      } finally {
        await engine.close()
      }
    },
  }
}

/** Rows that are gathered before they are written; a longer run writes in several commits. */
const ROWS_MAX = 500_000

async function runStrategy(
  lake: Lake,
  definition: StrategyDefinition,
  options: StrategyRunOptions,
): Promise<StrategyRun> {
  const { at, resident, strict = false, include = [] } = options
  const engine = await lake.analysis({
    ...(at !== undefined && { at }),
    ...(resident && { resident }),
  })
  try {
    const dates = await rebalanceDays(engine, definition.rebalance, options)
    const pin = await engine.pin(options.keep === undefined ? {} : { keep: options.keep })
    const writer = resultWriter(lake, definition.name, options)
    const days: StrategyRun['days'][number][] = []
    for (const date of dates) {
      if (options.signal?.aborted) throw new LakeError('CANCELLED', 'the run was cancelled')
      const dated = await engine.asOf(date, { strict, include })
      try {
        const previous = days.at(-1)?.picks ?? []
        const result = await strategyDay(definition, { date, engine: dated, previous })
        const { universe, factors, picks } = result
        days.push({ date, universe, valued: factors.length, picks })
        options.onDay?.(result)
        await writer.add(result)
      } finally {
        await dated.close()
      }
    }
    const { name: strategy } = definition
    const runId = crypto.randomUUID()
    const facts = { strategy, runId, pin: pin.token, strict, days: days.length }
    return { strategy, runId, pin, days, outcome: await writer.end(facts) }
  } finally {
    await engine.close()
  }
}

interface ResultWriter {
  add(result: StrategyResult): Promise<void>
  end(run: Omit<RunFacts, 'from' | 'to' | 'ranAtMs'>): Promise<LakeOutcome | undefined>
}

/** Writes results in few commits; together they cover every day from the first to the last. */
function resultWriter(lake: Lake, name: string, options: StrategyRunOptions): ResultWriter {
  const { from, to, write = true } = options
  let results: StrategyResult[] = []
  let rows = 0
  let since = from
  let outcome: LakeOutcome | undefined
  const flush = async (before: string, facts?: RunFacts): Promise<void> => {
    outcome = await lake.write(name, async (tx) => {
      await stageDays(tx, name, results, { from: since, before })
      if (facts) await stageRun(tx, facts)
    })
    ;[results, rows, since] = [[], 0, before]
  }
  const stopped = (): boolean => outcome !== undefined && outcome.kind !== 'committed'
  return {
    add: async (result) => {
      if (rows > ROWS_MAX && !stopped()) await flush(result.date)
      if (!write || stopped()) return
      results.push(result)
      rows += result.factors.length
    },
    end: async (run) => {
      const ranAtMs = lake.store.effects.now()
      if (write && !stopped()) await flush(addDays(to, 1), { ...run, from, to, ranAtMs })
      return outcome
    },
  }
}
