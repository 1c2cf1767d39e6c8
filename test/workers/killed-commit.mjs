/** Commits to two tables and is killed right after the record is visible, before any Delta log has it. Argument: lake. */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [directory] = process.argv.slice(2)
const link = fs.link
fs.link = async (from, to) => {
  await link(from, to)
  if (/_lake[/\\]\d{20}\.json$/.test(to)) process.kill(process.pid, 'SIGKILL')
}
syncBuiltinESMExports()

const { openLake } = await import('../../dist/index.js')
const lake = await openLake(directory, { maintenance: false })
await lake.write('move 10 from a to b', async (tx) => {
  await tx.upsert('a', [{ id: 1n, amount: 90n }])
  await tx.upsert('b', [{ id: 1n, amount: 10n }])
})
