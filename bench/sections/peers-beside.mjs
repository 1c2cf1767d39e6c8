/** Readers beside a writer, and two writers of disjoint rows, in processes of their own, for each system that can. */
import { summary } from '../lib/measure.mjs'

/** The system that reads where it is not the one that writes. */
const READERS = { native: 'native-reader' }
const SYSTEMS = new Set(['native', 'engine', 'delta', 'ducklake', 'lance'])

/** `start` makes a process of a system, by its key, on the data that the questions were asked of. */
export async function benchBeside(systems, files, { seconds, start, say }) {
  const results = {}
  for (const { name, key, root } of systems.filter((system) => SYSTEMS.has(system.key))) {
    say(`beside a writer: ${name}`)
    const open = async (wanted) => {
      const peer = await start(wanted, root)
      await peer.tell({ op: 'join' })
      return peer
    }
    const reader = READERS[key] ?? key
    results[name] = {
      ...(await besideWriter(open, key, reader, files, seconds)),
      writers: await twoWriters(open, key, files, seconds),
    }
  }
  return results
}

async function besideWriter(open, key, readerKey, files, seconds) {
  const reader = await open(readerKey)
  const read = () => reader.tell({ op: 'read', base: files.reader[0], seconds })
  const idle = readings(await read())
  const writer = await open(key)
  const [beside, writing] = await Promise.all([
    read(),
    writer.tell({ op: 'writes', files: files.reader.slice(1), seconds, perSecond: 5 }),
  ])
  await Promise.all([reader.close(), writer.close()])
  return { idle, beside: readings(beside), writing }
}

const readings = ({ times, ...rest }) => ({ ...rest, ...(times?.length && summary(times)) })

/** One writer, then two at once as fast as they can; afterwards the last commit of each must be there. */
async function twoWriters(open, key, files, seconds) {
  const writes = (peer, name) =>
    peer.tell({ op: 'writes', files: files[name].slice(1), seconds, perSecond: 0 })
  const first = await open(key)
  const one = await writes(first, 'first')
  const second = await open(key)
  const both = await Promise.all([writes(first, 'first'), writes(second, 'second')])
  await Promise.all([first.close(), second.close()])
  const reader = await open(key)
  let lost = 0
  for (const { last } of both)
    if (last) lost += (await reader.tell({ op: 'lost', file: last })).lost ?? 0
  await reader.close()
  return { one, both, lost }
}
