/** How long the command takes to answer, as a whole process. */
import { fileURLToPath } from 'node:url'
import { interleaved, run } from '../lib/measure.mjs'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export function benchStartup({ root, rounds, say }) {
  say('start of the command')
  const command =
    (...args) =>
    async () =>
      void run([main, '--lake', root, ...args])
  return interleaved(
    {
      'node -e 0': async () => void run(['-e', '0']),
      '--help': command('--help'),
      tables: command('tables'),
      'query "select 1"': command('query', 'select 1'),
    },
    rounds,
    1,
  )
}
