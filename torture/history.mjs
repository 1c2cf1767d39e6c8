/** The history of a run: every process writes what it is about to do, and then how it ended, one line each. */
import { mkdirSync, openSync, readFileSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Opens a file of events. Lines reach the kernel at once, so a kill loses none. */
export function openHistory(directory, name) {
  mkdirSync(directory, { recursive: true })
  const file = openSync(join(directory, `${name}.ndjson`), 'a')
  return (event) => writeSync(file, `${JSON.stringify({ t: Date.now(), proc: name, ...event })}\n`)
}

/** All events of a run, by time. A torn last line of a killed process does not count. */
export function readHistory(directory) {
  const events = []
  for (const name of readdirSync(directory).filter((n) => n.endsWith('.ndjson'))) {
    for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
      try {
        if (line !== '') events.push(JSON.parse(line))
      } catch {
        // The process was killed inside the line.
      }
    }
  }
  return events.sort((a, b) => a.t - b.t)
}
