/** Loads, questions and writes of many systems, each in its process, in turns; their answers are compared. */
import { statSync } from 'node:fs'
import { filesBelow, summaryOf } from '../lib/measure.mjs'
import { sameAnswer } from '../lib/peer-answers.mjs'

/** A system that took so long for one kind of write is asked for the last round only. */
const BUDGET_MS = 12_000
/** Takes in the last file of a kind only: its upsert takes tens of seconds. */
const ONCE = new Set(['iceberg'])
const LAKES = new Set(['delta', 'ducklake', 'lance', 'lance-duckdb', 'iceberg'])
const OURS = new Set(['views', 'engine'])
/** What is asked after the writes. */
const PROBES = ['newest cross-section', 'newest row of every symbol', 'average of one column']
/** Read what another process of the same system writes. */
const SECOND = new Set(['views', 'lance-duckdb'])
const READ_ONLY = new Set([...SECOND, 'parquet-duckdb', 'parquet-polars'])

/** Loads the two tables into every system; those that only read are started when there is something. */
export async function loadInTurns(systems, files, say) {
  const results = {}
  for (const [table, file] of Object.entries(files)) {
    const runs = new Map()
    for (const system of systems.filter(({ key }) => !SECOND.has(key))) {
      say(`load of the ${table}: ${system.name}`)
      runs.set(system.name, [await observed(system, { op: 'load', table, file })])
    }
    results[`load of the ${table}`] = summarised(runs)
  }
  await publish(systems)
  for (const system of systems) system.peer ??= await system.start()
  return results
}

/** Publishes the views and returns what that cost. */
async function publish(systems) {
  return systems.find(({ key }) => key === 'engine')?.peer.tell({ op: 'publish' })
}

/** Each question to all systems, one after the other, so many rounds; the first is not counted, but compared. */
export async function askInTurns(systems, names, { rounds, say }) {
  const results = {}
  for (const question of names) {
    say(`question: ${question}`)
    const answers = await ask(systems, question, true)
    const runs = new Map([...different(answers)].map(([name, error]) => [name, [{ error }]]))
    for (let round = 0; round < rounds; round++) {
      const fit = systems.filter(({ name }) => !runs.get(name)?.at(-1).error)
      for (const [name, cost] of await ask(fit, question, false))
        runs.set(name, [...(runs.get(name) ?? []), cost])
    }
    results[question] = summarised(runs)
  }
  return results
}

/** Asks in turn. A question is asked twice and the second time counts: caches are warm with this system's data. */
async function ask(systems, question, check) {
  const answers = new Map()
  for (const { name, peer } of systems)
    answers.set(name, await peer.tell({ op: 'ask', question, times: 2, check }))
  return answers
}

/** Names of systems that failed or answered otherwise than the first, with the reason. */
function different(answers) {
  const expected = [...answers.values()].find(({ answer }) => answer)?.answer
  const found = new Map()
  for (const [name, { error, answer }] of answers) {
    if (error) found.set(name, error)
    else if (!sameAnswer(answer, expected))
      found.set(name, `another answer: ${answer.rows} rows, expected ${expected.rows}`)
  }
  return found
}

/** Each kind of write, one file a round; slow systems leave out rounds but the last, so that all end alike. */
export async function writeInTurns(systems, kinds, say) {
  const writers = systems.filter(({ key }) => !READ_ONLY.has(key))
  const writes = {}
  const probes = {}
  for (const [kind, { unchanged, files }] of Object.entries(kinds)) {
    const runs = new Map(writers.map(({ name }) => [name, []]))
    for (const [round, file] of files.entries()) {
      say(`${kind}: ${round} of ${files.length - 1}`)
      const last = round === files.length - 1
      for (const system of writers.filter(
        ({ name, key }) => last || (!ONCE.has(key) && within(runs.get(name))),
      ))
        runs.get(system.name).push(await observed(system, { op: 'write', file, unchanged }))
    }
    writes[kind] = summarised(new Map([...runs].map(([name, all]) => [name, warm(all)])))
    probes[kind] = await afterWrites(systems)
  }
  return { writes, probes }
}

const within = (runs) => runs.reduce((sum, { ms }) => sum + (ms ?? 0), 0) < BUDGET_MS

/** Without the first run, if others followed. */
const warm = (runs) => (runs.length > 1 && !runs.at(-1).error ? runs.slice(1) : runs)

/** After the writes all systems hold the same rows: what differs, with the reason. */
async function afterWrites(systems) {
  await publish(systems)
  const found = []
  const live = systems.filter(({ key }) => !key.startsWith('parquet'))
  for (const { peer } of live) await peer.tell({ op: 'reopen' })
  for (const question of PROBES)
    for (const [name, reason] of different(await ask(live, question, true)))
      found.push(`${name}, ${question}: ${reason}`)
  return found
}

/** What a command costs, and what changed below the system's directory. */
async function observed({ peer, root }, command) {
  const before = statesBelow(root)
  const { answer: _, ...cost } = await peer.tell(command)
  const changed = [...statesBelow(root)].filter(
    ([path, state]) => before.get(path)?.at !== state.at || before.get(path)?.size !== state.size,
  )
  return { ...cost, files: changed.length, bytes: bytesOf(changed, before, cost.writtenBytes) }
}

/** The sizes of new files; where a file was changed in place, what went through write calls. */
function bytesOf(changed, before, writtenBytes) {
  const inPlace = changed.some(([path]) => before.has(path))
  return inPlace ? writtenBytes : changed.reduce((sum, [, { size }]) => sum + size, 0)
}

/** Files below a directory with size and time of change. */
function statesBelow(directory) {
  const found = new Map()
  for (const [path, size] of filesBelow(directory)) {
    const at = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (at !== undefined) found.set(path, { size, at })
  }
  return found
}

/** A figure for each system: medians, or the reason why there is none. */
function summarised(runs) {
  const all = [...runs].map(([name, own]) => {
    const error = own.find((run) => run.error)?.error
    return [name, error ? { error } : summaryOf(own)]
  })
  return Object.fromEntries(all)
}

/** Questions and writes in which one of ours is not ahead of the best of the other lakes. */
export function lostAgainst(systems, results) {
  const names = (keys) => systems.filter(({ key }) => keys.has(key)).map(({ name }) => name)
  const lost = []
  for (const [what, costs] of Object.entries(results)) {
    const known = names(LAKES).filter((name) => costs[name]?.median !== undefined)
    const best = known.toSorted((a, b) => costs[a].median - costs[b].median)[0]
    for (const ours of names(OURS)) {
      const ms = costs[ours]?.median
      if (best && ms > costs[best].median)
        lost.push({ what, ours, ms, theirs: best, best: costs[best].median })
    }
  }
  return lost
}
