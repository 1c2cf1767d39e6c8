/** Takes turns at a host for ever and prints when each began: `node turns.mjs DIRECTORY PACE_MS`. */
import { createPace } from '../../dist/ingestion/pace.js'
import { realEffects } from '../../dist/model/effects.js'
import { localFiles } from '../../dist/storage/files/local.js'

const [directory, paceMs] = process.argv.slice(2)
const pace = createPace({ effects: realEffects, files: localFiles, directory })
const wait = (timeMs) => realEffects.sleep(timeMs)
for (;;) {
  await pace.turn('exchange.test', Number(paceMs), wait)
  process.stdout.write(`${Date.now()}\n`)
}
