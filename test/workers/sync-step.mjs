/**
 * Syncs report periods and is killed, or finds the disk full, at one step. Arguments: lake, since, until, what
 * (`kill` or `full`), step: `EVENT N` is the Nth event of a type, `before CALL PATTERN` and `after CALL PATTERN` are
 * the first call of `node:fs/promises` on a path that matches. Prints the result as JSON if it comes to its end.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [directory, since, until, what, step] = process.argv.slice(2)
const [first, second, pattern] = step.split(' ')
const byCall = first === 'before' || first === 'after'
let full = false

function reached() {
  if (what === 'kill') process.kill(process.pid, 'SIGKILL')
  full = true
}

/** The path that a call makes or changes; undefined for one that only reads. */
function written(name, [from, to]) {
  if (name === 'open') return typeof to === 'string' && /[wa+]/.test(to) ? from : undefined
  return name === 'link' || name === 'rename' ? to : from
}

for (const name of ['open', 'link', 'rename', 'appendFile', 'writeFile', 'mkdir']) {
  const real = fs[name]
  fs[name] = async (...args) => {
    const path = written(name, args)
    const here = path !== undefined && byCall && name === second && new RegExp(pattern).test(path)
    if (here && first === 'before') reached()
    if (full && path?.startsWith(directory)) {
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' })
    }
    const result = await real(...args)
    if (here && first === 'after') reached()
    return result
  }
}
syncBuiltinESMExports()

const { openLake, sync } = await import('../../dist/index.js')
const lake = await openLake(directory, { maintenance: false, onWarning: () => undefined })
let left = Number(second)
const result = await sync(lake, {
  since,
  until,
  onEvent: (event) => {
    if (!byCall && event.type === first && --left === 0) reached()
  },
})
await lake.close().catch(() => undefined)
process.stdout.write(`${JSON.stringify({ ...result, reached: full })}\n`)
