/** A lake that is opened for one operation, and what its commits must come to. */
import { readFileSync } from 'node:fs'

/** The most memory that a process has held so far, by what Linux tells. */
export function peakMbOf(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) >> 10
}

/** Opens the lake, uses it, closes it. */
export async function open(api, root, use) {
  const lake = await api.openLake(root, { maintenance: false })
  try {
    return await use(lake)
  } finally {
    await lake.close()
  }
}

/** A commit that does not come to its end is a failure. */
export async function must(work) {
  const outcome = await work
  if (outcome.kind !== 'committed') throw new Error(`${outcome.kind}: ${outcome.reason}`)
  if (outcome.warnings.length > 0) throw new Error(outcome.warnings.join('; '))
}

/** The first value of a query, by an engine of its own. */
export async function queried(lake, sql, options = {}) {
  const engine = await lake.analysis(options)
  try {
    const [row] = await engine.query(sql)
    return Object.values(row).map(String).join(', ')
  } finally {
    await engine.close()
  }
}
