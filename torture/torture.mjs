/** `npm run torture -- --minutes N [--seconds N] [--seed S]`: real processes, real kills, and a checker. */
import { parseArgs } from 'node:util'
import { torture } from './run.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    writers: { type: 'string', default: '3' },
    readers: { type: 'string', default: '2' },
    'no-foreign': { type: 'boolean', default: false },
  },
})
const seconds = values.seconds ?? Number(values.minutes ?? '1') * 60
process.stdout.write(
  `seed ${values.seed}; again with: npm run torture -- --seconds ${seconds} --seed ${values.seed}\n`,
)
const result = await torture({
  seconds: Number(seconds),
  seed: Number(values.seed),
  writers: Number(values.writers),
  readers: Number(values.readers),
})
process.stdout.write(`${JSON.stringify(result.counts)}\n`)
for (const violation of result.violations.slice(0, 20))
  process.stdout.write(`VIOLATION ${JSON.stringify(violation)}\n`)
process.stdout.write(
  `${result.violations.length} violations in ${result.seconds} s; seed ${result.seed}\n`,
)
if (result.violations.length > 0) process.stdout.write(`history and lake: ${result.directory}\n`)
process.exitCode = result.violations.length > 0 ? 1 : 0
