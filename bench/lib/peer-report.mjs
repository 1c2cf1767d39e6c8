/** The tables of `npm run bench:peers`. */
import { markdown } from './section.mjs'

const number = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
const bytes = (value) =>
  value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(0)} kB`

/** The whole report as Markdown. */
export function peersText(result) {
  const notes = []
  const failed = (reason) => {
    const known = notes.indexOf(reason)
    return `failed (${(known < 0 ? notes.push(reason) : known + 1).toString()})`
  }
  const { machine, questions, writes, loads, systems } = result
  const names = Object.keys(systems)
  const head = `Measured at ${result.when} on ${machine.processors} × ${machine.model}, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, load ${machine.load.map((l) => l.toFixed(1)).join(' to ')}, Python ${machine.python}, Node ${machine.node.slice(1)}; milliseconds, median of ${result.rounds} in turns, in brackets those of the processor. ${names.map((name) => `${name}: ${systems[name].version ?? 'not started'}`).join('; ')}.`
  const parts = [
    head,
    systemsByRow(
      questions,
      names,
      failed,
      (cost) => `${number(cost.median)} (${number(cost.cpuMs)})`,
    ),
    systemsByRow({ ...loads, ...writes }, names, failed, writeCell),
  ]
  const reasons = notes.map((note, i) => `${i + 1}. ${note}`).join('\n')
  return [...parts, ...behind(result), ...(reasons ? [reasons] : [])].join('\n\n')
}

/** One row a system, one column a question or write. */
function systemsByRow(results, names, failed, cell) {
  const columns = Object.keys(results)
  const rows = names.map((name) => [
    name,
    ...columns.map((column) => {
      const cost = results[column][name]
      if (cost === undefined) return '–'
      return cost.error ? failed(cost.error) : cell(cost)
    }),
  ])
  return markdown(['system', ...columns], rows)
}

const writeCell = (cost) =>
  `${number(cost.median)} (CPU ${number(cost.cpuMs)}; ${bytes(cost.bytes)}, ${cost.files} files)`

/** Where a system of ours is not ahead of the best lake. */
function behind({ lost }) {
  if (lost.length === 0) return []
  const items = lost.map(
    ({ what, ours, ms, theirs, best }) =>
      `${what}: ${ours} ${number(ms)}, ${theirs} ${number(best)} (${(ms / best).toFixed(2)})`,
  )
  return [`Behind the best of DuckLake, Delta, Lance and Iceberg: ${items.join('; ')}.`]
}
