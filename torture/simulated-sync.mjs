/**
 * One sync on a simulated day, in a process of its own. Arguments: lake, moment in milliseconds. Waits cost no time:
 * they move the clock. Prints one line of JSON at the end.
 */
import { openLake } from '../dist/lake/lake.js'
import { syncLake } from '../dist/lake/sync.js'
import { realEffects } from '../dist/model/effects.js'

const [directory, moment] = process.argv.slice(2)
let nowMs = Number(moment)
const effects = {
  ...realEffects,
  now: () => nowMs,
  sleep: async (timeMs) => {
    nowMs += timeMs
    await new Promise(setImmediate)
  },
}
const lake = await openLake(directory, { effects, onWarning: () => undefined })
const pages = { count: 0 }
const result = await syncLake(lake, {
  onEvent: (event) => {
    if (event.type === 'page') pages.count++
  },
})
await lake.close()
const { outcome, commits, inserted, updated, failed, left, requests, thin } = result
const line = { outcome, commits, inserted, updated, failed, left, requests, thin: thin.length }
process.stdout.write(
  `${JSON.stringify({ ...line, tookMs: nowMs - Number(moment), peakBytes: process.resourceUsage().maxRSS * 1024 })}\n`,
)
