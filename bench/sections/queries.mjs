/** Questions on every system, in turn, as medians and as ratios to the native table. */
import { interleaved, summary, timed } from '../lib/measure.mjs'
import { askers } from '../lib/systems.mjs'
import { queries } from '../lib/data.mjs'

export async function benchQueries({ lake, native, parquet, recipe, rounds, say }) {
  const views = await lake.lake.analysis({ threads: 2, memoryLimit: '2GB' })
  const resident = await lake.lake.analysis({
    threads: 2,
    memoryLimit: '4GB',
    resident: ['reports', 'bars'],
  })
  await views.initViews()
  await resident.initViews()
  const ours = (engine) => (sql) => engine.query(sql)
  const result = {}
  const recipeAsks = new Map(recipe ? askers(recipe) : [])
  try {
    for (const [name, sql] of Object.entries(queries('reports', 'bars'))) {
      say(`query: ${name}`)
      const ask = (system) => askers(system).find(([key]) => key === name)[1]
      const times = await interleaved(
        {
          native: ask(native),
          views: () => ours(views)(sql),
          resident: () => ours(resident)(sql),
          parquet: ask(parquet),
        },
        rounds,
      )
      if (recipeAsks.has(name))
        times.recipe = summary([
          await timed(recipeAsks.get(name)),
          await timed(recipeAsks.get(name)),
        ])
      result[name] = withRatios(times)
    }
    result.checked = await sameAnswers({ views, resident, native, parquet, recipe })
  } finally {
    await views.close()
    await resident.close()
  }
  return result
}

/** Medians over minima: each system's ratio to the native table, from both. */
export function withRatios(times) {
  const ratio = (name, what) => times[name][what] / times.native[what]
  return Object.fromEntries(
    Object.entries(times).map(([name, t]) => [
      name,
      { ...t, ratio: ratio(name, 'median'), ratioOfMin: ratio(name, 'min') },
    ]),
  )
}

/** A fast wrong answer is worth nothing: every question is answered alike by all, in every value, in any order of rows. */
async function sameAnswers({ views, resident, native, parquet, recipe }) {
  const asked = new Map(askers(native))
  const others = [parquet, recipe].filter(Boolean).map((system) => new Map(askers(system)))
  for (const [name, sql] of Object.entries(queries('reports', 'bars'))) {
    const expected = answerText(await asked.get(name)())
    const answers = [await views.query(sql), await resident.query(sql)]
    for (const other of others) if (other.has(name)) answers.push(await other.get(name)())
    if (answers.some((rows) => answerText(rows) !== expected))
      throw new Error(`another answer: ${sql}`)
  }
  return asked.size
}

/** The values of all rows as one text, whatever their order. */
function answerText(rows) {
  return rows
    .map((row) => JSON.stringify(Object.values(row).map(comparable)))
    .toSorted()
    .join('\n')
}

/** Dates come as text from one side and as days from the other; sums differ in their last digits by order. */
function comparable(value) {
  if (typeof value === 'number') return Number(value.toPrecision(9))
  if (value !== null && typeof value === 'object' && 'days' in value)
    return new Date(value.days * 86_400_000).toISOString().slice(0, 10)
  if (value instanceof Date) return value.toISOString().slice(0, 10)
  if (typeof value === 'bigint') return String(value)
  return value
}
