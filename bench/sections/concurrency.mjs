/** Readers beside a writer, and two writers beside each other, in processes of their own. */
import { fileURLToPath } from 'node:url'
import { startJson } from '../lib/measure.mjs'

const worker = (name) => fileURLToPath(new URL(`../workers/${name}.mjs`, import.meta.url))

/** A reader alone, then beside five commits of 200 rows a second. */
export async function benchReaders({ root, seconds, say }) {
  say('a reader alone')
  const idle = await startJson([worker('reader'), root, seconds])
  say('a reader beside a writer')
  const [beside, writer] = await Promise.all([
    startJson([worker('reader'), root, seconds]),
    startJson([worker('writer'), root, 2000, seconds, 5]),
  ])
  return { idle, beside, writer, p99Ratio: beside.p99 / idle.p99 }
}

/** One writer, then two on disjoint symbols: commits a second, and conflicts. */
export async function benchWriters({ root, seconds, say }) {
  say('one writer')
  const one = await startJson([worker('writer'), root, 0, seconds, 0])
  say('two writers')
  const both = await Promise.all(
    [0, 3000].map((from) => startJson([worker('writer'), root, from, seconds, 0])),
  )
  const perSecond = both[0].perSecond + both[1].perSecond
  return {
    one,
    both,
    ratio: perSecond / one.perSecond,
    conflicts: both[0].conflicts + both[1].conflicts,
  }
}
