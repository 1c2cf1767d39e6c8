/** `npm run torture -- --minutes N [--seconds N] [--seed S]`: real processes, real kills, and a checker. */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { torture } from './run.mjs'

const REQUIREMENTS = ['deltalake==1.2.1', 'pyarrow']

/** A directory with another engine, installed at the first run; undefined, and a word about it, where that fails. */
function pythonPackages() {
  const directory = join(import.meta.dirname, '..', 'node_modules', '.cache', 'torture-python')
  try {
    if (!existsSync(directory))
      execFileSync(
        'python3',
        ['-m', 'pip', 'install', '--quiet', '--target', directory, ...REQUIREMENTS],
        { stdio: 'ignore' },
      )
    return directory
  } catch {
    rmSync(directory, { recursive: true, force: true })
    process.stderr.write('no other engine in this run: deltalake cannot be installed here\n')
    return undefined
  }
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    writers: { type: 'string', default: '3' },
    readers: { type: 'string', default: '2' },
    retention: { type: 'string', default: '8' },
    'fault-ms': { type: 'string', default: '700' },
    'only-vacuum': { type: 'boolean', default: false },
    skew: { type: 'string', default: '1500' },
    'no-foreign': { type: 'boolean', default: false },
    'until-found': { type: 'boolean', default: false },
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
  retentionSeconds: Number(values.retention),
  skewMs: Number(values.skew),
  onlyVacuum: values['only-vacuum'],
  faultMs: Number(values['fault-ms']),
  foreign: values['no-foreign'] ? undefined : pythonPackages(),
  untilFound: values['until-found'],
})
process.stdout.write(`${JSON.stringify(result.counts)}\n`)
for (const violation of result.violations.slice(0, 20))
  process.stdout.write(`VIOLATION ${JSON.stringify(violation)}\n`)
process.stdout.write(
  `${result.violations.length} violations in ${result.seconds} s; seed ${result.seed}\n`,
)
if (result.violations.length > 0) process.stdout.write(`history and lake: ${result.directory}\n`)
process.exitCode = result.violations.length > 0 ? 1 : 0
