/** Syncs some quarters, alone in its process, so that time and memory are the sync's own. Arguments: lake, since, until. */
import { openLake, sync } from '../../dist/index.js'

const [directory, since, until] = process.argv.slice(2)
const lake = await openLake(directory, { lease: false })
const cpu = process.cpuUsage()
const start = performance.now()
const result = await sync(lake, { since, until })
const ms = performance.now() - start
const { user, system } = process.cpuUsage(cpu)
await lake.close()
const { outcome, inserted, commits, requests, failed } = result
console.log(
  JSON.stringify({
    ms,
    cpuMs: (user + system) / 1000,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    outcome,
    inserted,
    commits,
    requests,
    failed,
  }),
)
