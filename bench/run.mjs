/**
 * `npm run bench`: a lake against a native .duckdb table, one Parquet file and the request's recipe, in one run.
 * Options: --quick (fewer rounds), --json (one document on stdout), --write (the tables of bench/README.md).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeReport } from './lib/report.mjs'
import {
  lakeSystem,
  nativeSystem,
  parquetSystem,
  recipeSystem,
  writeInputs,
} from './lib/systems.mjs'
import { benchReaders, benchWriters } from './sections/concurrency.mjs'
import { benchEngine, benchRowsIn } from './sections/engine.mjs'
import { benchQueries } from './sections/queries.mjs'
import { benchStartup } from './sections/startup.mjs'
import { benchCommits, benchLoads, benchUpserts } from './sections/writes.mjs'

process.env.UV_THREADPOOL_SIZE ??= '16'
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    norecipe: { type: 'boolean' },
  },
})
const rounds = options.quick ? 5 : 15
const seconds = options.quick ? 4 : 10
const say = (text) => process.stderr.write(`${text}\n`)
const directory = mkdtempSync(join(tmpdir(), 'marketlake-bench-'))

async function main() {
  say('making the data')
  const inputs = await writeInputs(join(directory, 'inputs'), { days: 260 })
  const native = await nativeSystem(join(directory, 'native'), inputs)
  const parquet = await parquetSystem(join(directory, 'parquet'), inputs)
  const lake = await lakeSystem(join(directory, 'lake'), inputs)
  const recipe = options.norecipe
    ? undefined
    : await recipeSystem(join(directory, 'recipe'), inputs)
  const context = { lake, native, parquet, recipe, rounds, seconds, say, root: lake.lake.root }
  try {
    const loads = await benchLoads(
      {
        native: kept(native, 'native'),
        parquet: { make: (round) => freshParquet(round, parquet, inputs) },
        marketlake: { make: (round) => freshLake(round, lake, inputs) },
        ...(recipe && { recipe: kept(recipe, 'recipe') }),
      },
      options.quick ? 1 : 5,
      say,
    )
    await lake.lake.idle()
    const result = {
      machine: machine(),
      loads,
      queries: await benchQueries(context),
      engine: await benchEngine({ ...context, rounds: Math.min(rounds, 7) }),
      upserts: await benchUpserts({ ...context, rounds: Math.min(rounds, 9) }),
      commits: await benchCommits(context),
      rowsIn: await benchRowsIn(context),
      readers: await benchReaders(context),
      writers: await benchWriters(context),
      startup: await benchStartup({ ...context, rounds: Math.min(rounds, 9) }),
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    }
    return result
  } finally {
    for (const system of [native, parquet, lake, recipe]) await system?.close()
  }
}

/** A system that is loaded once and asked afterwards. */
function kept(system, name) {
  return {
    once: true,
    make: async () => ({ system, root: join(directory, name), done: async () => {} }),
  }
}

/** The first round loads what is asked afterwards, later ones a file of their own. */
async function freshParquet(round, first, inputs) {
  const root = join(directory, round === 0 ? 'parquet' : `parquet-${round}`)
  const system = round === 0 ? first : await parquetSystem(root, inputs)
  const done = async () => {
    if (round === 0) return
    await system.close()
    rmSync(root, { recursive: true, force: true })
  }
  return { system, root, done }
}

async function freshLake(round, first, inputs) {
  const root = join(directory, round === 0 ? 'lake' : `lake-${round}`)
  const system = round === 0 ? first : await lakeSystem(root, inputs)
  const done = async () => {
    await system.lake.idle()
    if (round === 0) return
    await system.close()
    rmSync(root, { recursive: true, force: true })
  }
  return { system, root, done }
}

function machine() {
  return {
    processors: cpus().length,
    model: cpus()[0].model,
    memoryBytes: totalmem(),
    node: process.version,
    platform: process.platform,
  }
}

try {
  const result = await main()
  mkdirSync(new URL('out/', import.meta.url), { recursive: true })
  writeFileSync(
    new URL('out/results.json', import.meta.url),
    `${JSON.stringify(result, undefined, 1)}\n`,
  )
  const text = writeReport(result, { write: options.write ?? false })
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : text)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
