/** The disks of a run, and its end: whatever ends it, Ctrl-C too, its processes are killed and its disks taken off. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'

const works = new Set()
let heard = false

/** Runs `work` when the process ends, however that comes about, short of kill -9. Returns what takes it back. */
export function atEnd(work) {
  if (!heard) {
    heard = true
    process.once('exit', endAll)
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  }
  works.add(work)
  return () => works.delete(work)
}

function endAll() {
  for (const work of [...works].toReversed()) {
    try {
      work()
    } catch {
      // One that fails keeps no other from its turn.
    }
  }
}

/** Takes a disk off, also when somebody still has a file open on it; nothing where none is mounted. */
export function unmountDisk(path) {
  try {
    execFileSync('umount', ['-l', path], { stdio: 'ignore' })
  } catch {
    // It was not mounted.
  }
}

/** Brings the lake of a run in which something was found off its disk, so that the disk can go and the lake be looked at. */
export function keepLake(root, base) {
  const kept = join(base, 'lake')
  if (root === kept || !existsSync(root)) return
  try {
    cpSync(root, kept, { recursive: true, preserveTimestamps: true })
  } catch (error) {
    process.stderr.write(`the lake could not be kept whole: ${error.message}\n`)
  }
}
