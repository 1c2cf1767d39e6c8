/**
 * One step of a migration in a process that is killed at a place. Arguments: step, lake, old file, place
 * (`before` or `after`), kind (`sql` or `link` or `rename`), pattern of the statement or of the target's path.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
// The library of DuckDB that the build brings along: to patch the package itself would change nothing.
import duckdb from '../../dist/storage/parquet/node-api.cjs'

const [step, lakeDirectory, old, place, kind, pattern] = process.argv.slice(2)
const wanted = pattern === undefined ? undefined : new RegExp(pattern)
const die = () => process.kill(process.pid, 'SIGKILL')

const patch = (target, name, text) => {
  const call = Reflect.get(target, name)
  target[name] = async function (...args) {
    const hit = wanted?.test(text(args))
    if (hit && place === 'before') die()
    const result = await Reflect.apply(call, this, args)
    if (hit && place === 'after') die()
    return result
  }
}

if (kind === 'sql') patch(duckdb.DuckDBConnection.prototype, 'run', ([sql]) => sql)
if (kind === 'link' || kind === 'rename') patch(fs, kind, ([, to]) => to)
syncBuiltinESMExports()

const { DualWriter, beginDualWrite, cutOverToLake, openLake, rollBackToOldFile, verifyOldFile } =
  await import('../../dist/index.js')

const onLake = async (use) => {
  const lake = await openLake(lakeDirectory, { maintenance: false })
  await use(lake)
  await lake.close()
}

const steps = {
  write: async () => {
    const writer = await DualWriter.open({ lake: lakeDirectory, old, threads: 1 })
    await writer.write({ bars: [{ symbol: 'b', n: 2 }], logs: [{ words: 'batch' }] })
    await writer.close()
  },
  start: () => onLake((lake) => beginDualWrite(lake)),
  verify: () => onLake((lake) => verifyOldFile(lake)),
  cutover: () => onLake((lake) => cutOverToLake(lake)),
  rollback: () => onLake((lake) => rollBackToOldFile(lake)),
}
await steps[step]()
