/** The tables of `npm run bench:peers`. */
import { markdown } from './section.mjs'

const number = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
const bytes = (value) =>
  value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(0)} kB`

/** The whole report as Markdown. */
export function peersText(result) {
  const notes = []
  const failed = (text) => {
    const reason = text.replaceAll(/(?<![:/\w])\/\S+\//g, '')
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
  if (Object.keys(result.beside).length > 0) parts.push(besideTable(result.beside, failed))
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

function writeCell(cost) {
  const own = `CPU ${number(cost.cpuMs)}; ${bytes(cost.bytes)}, ${cost.files} files`
  const after =
    cost.afterCpuMs > 1
      ? `; afterwards CPU ${number(cost.afterCpuMs)}, ${bytes(cost.afterBytes)}`
      : ''
  return `${number(cost.median)} (${own}${after})`
}

/** Where a system of ours is not ahead of the best lake. */
function behind({ lost }) {
  if (lost.length === 0) return []
  const items = lost.map(
    ({ what, ours, ms, theirs, best }) =>
      `${what}: ${ours} ${number(ms)}, ${theirs} ${number(best)} (${(ms / best).toFixed(2)})`,
  )
  return [`Behind the best of DuckLake, Delta, Lance and Iceberg: ${items.join('; ')}.`]
}

/** Readers alone and beside a writer of 200 rows a commit, and two writers. */
function besideTable(beside, failed) {
  const reading = ({ median, p99, error, errors, firstError }) => {
    if (error) return failed(error)
    if (median === undefined) return `none; ${failed(firstError[0])}`
    const refused = errors > 0 ? `; ${failed(firstError[0])}` : ''
    return `${number(median)}, ${number(p99)}${refused}`
  }
  const commits = ({ commits: done, perSecond, error, errors, firstError }) => {
    if (error) return failed(error)
    return `${done} (${perSecond.toFixed(1)}/s)${errors > 0 ? `, ${errors} ${failed(firstError[0])}` : ''}`
  }
  const rows = Object.entries(beside).map(([name, { idle, beside: read, writing, writers }]) => [
    name,
    reading(idle),
    reading(read),
    idle.p99 && read.p99 ? (read.p99 / idle.p99).toFixed(1) : '–',
    `${read.runs ?? 0} of ${(read.runs ?? 0) + (read.errors ?? 0)}`,
    String(read.torn ?? '–'),
    commits(writing),
    commits(writers.one),
    writers.both.map(commits).join(' + '),
    String(writers.lost),
  ])
  const head = [
    'beside each other',
    'a reader alone: p50, p99',
    'beside a writer: p50, p99',
    'p99 ratio',
    'reads answered',
    'torn',
    'its commits',
    'one writer at full speed',
    'two on disjoint rows',
    'rows lost',
  ]
  return markdown(head, rows)
}
