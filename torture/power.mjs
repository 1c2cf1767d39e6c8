/**
 * `npm run torture:power -- --cuts N [--fs ext4|xfs|both] [--seed S] [--drops N]`: cuts the power of a real file system
 * under real writers, and holds every acknowledged commit against what is there after the journal was replayed. Needs root.
 */
import { parseArgs } from 'node:util'
import { powerCuts } from './power-run.mjs'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '20' },
    fs: { type: 'string', default: 'both' },
    /** Of about a hundred commits so many make or drop a table: a drop writes no Delta log whose sync could save its record. */
    drops: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
  },
})
const kinds = values.fs === 'both' ? ['ext4', 'xfs'] : [values.fs]
const cuts = Math.ceil(Number(values.cuts) / kinds.length)
process.stdout.write(
  `seed ${values.seed}; again with: npm run torture:power -- --cuts ${values.cuts} --fs ${values.fs} --drops ${values.drops} --seed ${values.seed}\n`,
)
for (const fs of kinds) {
  const result = await powerCuts({
    fs,
    cuts,
    seed: Number(values.seed),
    rules: { scratchShare: Number(values.drops) },
    onCut: (text) => process.stderr.write(text),
  })
  process.stdout.write(`${JSON.stringify({ fs, ...result.counts, seconds: result.seconds })}\n`)
  for (const violation of result.violations.slice(0, 10))
    process.stdout.write(`VIOLATION ${JSON.stringify(violation)}\n`)
  process.stdout.write(`${fs}: ${result.violations.length} violations in ${result.cuts} cuts\n`)
  if (result.violations.length > 0) process.exitCode = 1
}
