/** Stdout without Node's streams, whose code takes longer to load than a short answer takes to print. */
import { fstatSync, writeSync } from 'node:fs'

const STDOUT = 1

/** Writes a text to a pipe or a file. False if stdout is something else, or if it takes no text now. */
export function writeToPipe(text: string): boolean {
  try {
    const kind = fstatSync(STDOUT)
    if (!kind.isFIFO() && !kind.isSocket() && !kind.isFile()) return false
    let rest = Buffer.from(text)
    while (rest.length > 0) rest = rest.subarray(writeSync(STDOUT, rest))
    return true
  } catch {
    // Whoever writes through the streams then learns what is wrong, and waits where that helps.
    return false
  }
}
