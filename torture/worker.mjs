/** One process of the torture: a writer, a reader, or maintenance, until it is told to stop or killed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openHistory } from './history.mjs'
import { runMaintenance } from './maintenance.mjs'
import { seeded } from './model.mjs'
import { loadPackage } from './package.mjs'
import { runEngineReader, runFileReader } from './readers.mjs'
import { runWriter } from './writer.mjs'

const task = JSON.parse(process.argv[2])
const chance = seeded(task.seed)
const log = openHistory(task.history, task.name)
const api = await loadPackage()
const stopped = { yes: false }
process.on('SIGTERM', () => (stopped.yes = true))
process.on('SIGINT', () => (stopped.yes = true))

/** A clock that is wrong, and wrong in another way every now and then. Maintenance is never ahead: it deletes by age. */
let skewMs = 0
const effects = {
  now: () => {
    if (chance() < 0.01)
      skewMs = Math.floor((chance() * 2 - (task.role === 'maintenance' ? 2 : 1)) * task.skewMs)
    return Date.now() + skewMs
  },
  uuid: () => crypto.randomUUID(),
  random: () => Math.random(),
  sleep: (timeMs) => new Promise((resolve) => setTimeout(resolve, timeMs)),
}

const ROLES = {
  writer: runWriter,
  maintenance: runMaintenance,
  engine: runEngineReader,
  file: runFileReader,
}

try {
  await ROLES[task.role]({ ...task, api, chance, log, stopped, effects })
  log({ e: 'end', ...resources() })
} catch (error) {
  log({ e: 'crash', code: error.code, message: String(error.stack ?? error) })
  writeFileSync(join(task.history, `${task.name}.crash`), String(error.stack ?? error))
  process.exitCode = 1
}

function resources() {
  return { rssBytes: process.memoryUsage().rss }
}
