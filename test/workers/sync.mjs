/** Syncs report periods and tells every acknowledged commit at once. Arguments: lake, since, until. */
import { writeSync } from 'node:fs'
import { openLake } from '../../dist/index.js'
import { syncLake } from '../../dist/lake/sync.js'

const [directory, since, until] = process.argv.slice(2)
const lake = await openLake(directory)
const result = await syncLake(lake, {
  since,
  until,
  onEvent: (event) => {
    if (event.type === 'committed') writeSync(1, `${event.version}\n`)
  },
})
await lake.close()
if (result.failed.length > 0) throw new Error(JSON.stringify(result.failed[0]))
writeSync(1, 'done\n')
