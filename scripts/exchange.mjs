/**
 * `npm run exchange`: the simulated exchange on a port, for trying the real collectors by hand.
 *   --port N  --symbols N  --today YYYY-MM-DD  --seed N  --quirks a,b|all|none  --faults SHARE  --list
 * A line `today YYYY-MM-DD` on standard input moves its calendar.
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { FAULT_QUIRKS, QUIRKS, ROW_QUIRKS, USUAL_QUIRKS } from '../dist/exchange/quirks.js'
import { startExchange } from '../dist/exchange/server.js'
import { parseDay } from '../dist/model/date.js'

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8765' },
    symbols: { type: 'string', default: '5400' },
    today: { type: 'string' },
    seed: { type: 'string', default: '20260930' },
    quirks: { type: 'string' },
    faults: { type: 'string', default: '0.01' },
    list: { type: 'boolean' },
  },
})

function wanted(text) {
  if (text === undefined) return USUAL_QUIRKS
  if (text === 'all') return QUIRKS
  const names = text === 'none' ? [] : text.split(',')
  const unknown = names.find((name) => !QUIRKS.includes(name))
  if (unknown === undefined) return names
  process.stderr.write(`unknown quirk: ${unknown}; --list shows them\n`)
  process.exit(2)
}

if (options.list) {
  for (const [name, text] of Object.entries({ ...ROW_QUIRKS, ...FAULT_QUIRKS }))
    process.stdout.write(`${name.padEnd(14)} ${text}\n`)
} else {
  const exchange = await startExchange({
    port: Number(options.port),
    symbols: Number(options.symbols),
    seed: Number(options.seed),
    ...(options.today && { today: options.today }),
    quirks: wanted(options.quirks),
    faultShare: Number(options.faults),
  })
  process.stdout.write(
    `${exchange.url} on ${exchange.world().today}\nMARKETLAKE_EASTMONEY_URL=${exchange.url} marketlake sync\n`,
  )
  createInterface({ input: process.stdin }).on('line', (line) => {
    const day = /^today (\S+)$/.exec(line.trim())?.[1]
    if (day === undefined || parseDay(day) === undefined) {
      process.stderr.write('say: today YYYY-MM-DD\n')
      return
    }
    exchange.setToday(day)
    process.stdout.write(`${day}\n`)
  })
}
