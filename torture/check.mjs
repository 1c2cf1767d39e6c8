/** The checker: holds the history of a run against the records of the lake, law by law. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BANK_TOTAL, applyEffect, emptyState, fingerprint } from './model.mjs'

/** Versions of which the state is kept, for restores. */
const REMEMBERED = 500

/** Reads the lake log with nothing but JSON.parse: the checker must not share a bug with the reader. */
export function readLakeLog(root) {
  const directory = join(root, '_lake')
  const names = readdirSync(directory).filter((name) => /^\d{20}\.json$/.test(name))
  return names.sort().map((name) => {
    const text = readFileSync(join(directory, name), 'utf8')
    try {
      if (!text.endsWith('\n')) throw new Error('no end of line')
      return { name, record: JSON.parse(text) }
    } catch (error) {
      return { name, torn: `${text.length} bytes: ${error.message}` }
    }
  })
}

/**
 * Checks everything that a history and the log of the lake say of each other. `cutAt` lists moments of power cuts: an
 * acknowledgement that was written down after the cut is no promise. Returns violations and counts.
 */
export function checkHistory(root, events, options = {}) {
  const violations = []
  const report = (law, facts) => violations.push({ law, ...facts })
  const records = checkRecords(readLakeLog(root), report)
  const outcomes = collectOutcomes(events, options.cuts ?? [])
  const committed = checkOutcomes(records, outcomes, report)
  const mapped = readArchive(options.archive)
  const folded = foldRecords(records, committed, events, report, mapped)
  checkOrder(events, report)
  // On a disk without power everything fails.
  const dead = (event) =>
    (options.cuts ?? []).some(([from, to]) => event.t >= from && event.t <= to)
  for (const event of events) {
    if (dead(event)) continue
    checkEvent(event, report)
    if (event.e === 'read-error') checkAge(event, records, options, report)
  }
  const counts = countEvents(events, outcomes, records)
  const outside = foreignBatches(events, folded, mapped)
  return { violations, counts, head: records.length - 1, state: folded, outside }
}

/** I1, I2: no hole, nothing torn, time goes on. */
function checkRecords(entries, report) {
  const records = []
  for (const [version, { name, record, torn }] of entries.entries()) {
    if (torn !== undefined) report('I2 whole records', { name, torn })
    if (record && record.version !== version)
      report('I1 no hole', { name, expected: version, found: record.version })
    const before = records.at(-1)
    if (before && record && record.timestamp <= before.timestamp)
      report('timestamps grow', { name, timestamp: record.timestamp, before: before.timestamp })
    records.push(record ?? { version, note: undefined, torn: true })
  }
  return records
}

/** How each invocation ended; without an end it is unknown. */
function collectOutcomes(events, cuts) {
  const outcomes = new Map()
  for (const event of events) {
    if (event.e === 'invoke') outcomes.set(event.batch, { kind: 'unknown', invoke: event })
    const known = event.batch === undefined ? undefined : outcomes.get(event.batch)
    if (!known || event.e === 'invoke') continue
    const late = cuts.some(([from, to]) => event.t >= from && event.t <= to)
    if (!late) Object.assign(known, { kind: event.e, result: event })
  }
  return outcomes
}

/** H1 durability, H2 no phantom, H3 once. Returns the invocation of each version. */
function checkOutcomes(records, outcomes, report) {
  const versions = new Map()
  for (const { version, note } of records) {
    if (!outcomes.has(note)) continue
    if (versions.has(note))
      report('H3 exactly once', { batch: note, versions: [versions.get(note), version] })
    versions.set(note, version)
  }
  for (const [batch, { kind, result }] of outcomes) {
    const version = versions.get(batch)
    if (kind === 'committed' && result.changed) {
      const txnId = records[result.v]?.txnId
      if (version !== result.v || txnId !== result.txnId)
        report('H1 durability', { batch, acknowledged: result.v, found: version })
    } else if (version !== undefined && kind !== 'unknown') {
      report('H2 no phantom', { batch, kind, version, code: result.code })
    }
  }
  return new Map([...versions].map(([batch, version]) => [version, outcomes.get(batch).invoke]))
}

/** H4 to H8, H12, H14, H15: every read equals the fold of all commits up to its version, whoever reads it, whenever. */
function foldRecords(records, committed, events, report, mapped) {
  const reads = Map.groupBy
    ? Map.groupBy(
        events.filter((e) => e.e === 'read' || e.e === 'scratch'),
        (e) => e.v,
      )
    : groupByVersion(events)
  const state = emptyState()
  const facts = new Map()
  const foreign = foreignReads(events)
  for (const record of records) {
    for (const effect of committed.get(record.version)?.effects ?? []) {
      const wrong = applyEffect(state, effect, (version) => facts.get(version))
      if (wrong !== undefined) report(wrong, { version: record.version, batch: record.note })
    }
    facts.set(record.version, state.facts)
    facts.delete(record.version - REMEMBERED)
    checkReads(reads.get(record.version) ?? [], record, state, report)
    checkForeignReads(foreign, mapped.get(record.version) ?? record, state, report)
    reads.delete(record.version)
  }
  for (const [version, [event]] of reads)
    report('H4 no dirty read', { version, proc: event.proc, head: records.length - 1 })
  return state
}

/** Records as they were before they became stubs. */
function readArchive(directory) {
  if (directory === undefined) return new Map()
  const names = readdirSync(directory)
  return new Map(
    names.map((name) => [
      Number.parseInt(name, 10),
      JSON.parse(readFileSync(join(directory, name), 'utf8')),
    ]),
  )
}

/** What another engine read, by table and Delta version. */
function foreignReads(events) {
  const reads = new Map()
  for (const event of events) {
    if (event.e !== 'foreign-read') continue
    const id = `${event.table} ${event.delta}`
    reads.set(id, [...(reads.get(id) ?? []), event])
  }
  return reads
}

function checkForeignReads(reads, record, state, report) {
  if (reads.size === 0) return
  const expected = fingerprint(state)
  for (const table of ['facts', 'counters']) {
    const id = `${table} ${record.tables?.[table]?.version}`
    for (const { fp, delta, proc } of reads.get(id) ?? []) {
      if (fp !== expected[table])
        report('H5 snapshot, by another engine', {
          table,
          delta,
          version: record.version,
          proc,
          expected: expected[table],
          found: fp,
        })
    }
    reads.delete(id)
  }
}

/** Batches in the table that other engines write too: theirs, and ours by the fold; and how many of theirs were undone by name. */
function foreignBatches(events, state, mapped) {
  const batches = new Map(
    [...state.outside].map(([b, rows]) => [b, { rows, sure: true, own: true }]),
  )
  const undone = [...mapped.values()].flatMap((record) =>
    (record.foreign ?? []).filter((f) => f.undone && f.table === 'outside'),
  )
  for (const { e, batch, rows } of events) {
    if (e === 'foreign-invoke') batches.set(batch, { rows, sure: false })
    if (e === 'foreign') batches.set(batch, { rows, sure: true })
  }
  return { batches, undone: undone.length }
}

function groupByVersion(events) {
  const groups = new Map()
  for (const event of events) {
    if (event.e !== 'read' && event.e !== 'scratch') continue
    const group = groups.get(event.v)
    if (group) group.push(event)
    else groups.set(event.v, [event])
  }
  return groups
}

function checkReads(reads, record, state, report) {
  if (reads.length === 0) return
  const expected = fingerprint(state)
  const scratch = state.scratch === undefined ? 'absent' : `7:${state.scratch}:${state.scratch}`
  for (const read of reads) {
    const where = {
      version: record.version,
      proc: read.proc,
      kind: read.kind,
      operation: record.operation,
    }
    if (read.e === 'scratch') {
      if (read.scratch !== scratch)
        report('H5 snapshot', { ...where, expected: scratch, found: read.scratch })
      continue
    }
    if (read.txnId !== record.txnId)
      report('H8 one commit a version', { ...where, txnId: read.txnId })
    for (const table of Object.keys(expected)) {
      if (read.fp[table] !== expected[table])
        report('H5 snapshot', { ...where, table, expected: expected[table], found: read.fp[table] })
    }
    const total = read.fp.banks.split(/[,/]/).reduce((sum, n) => sum + Number(n), 0)
    if (total !== BANK_TOTAL) report('H6 whole commits', { ...where, total })
  }
}

/** H9 a process never goes back; H10 whoever reads after an acknowledgement sees it. */
function checkOrder(events, report) {
  const seen = new Map()
  let newest = -1
  const acknowledged = []
  for (const event of events) {
    if (event.e === 'committed' && event.v > newest) {
      newest = event.v
      acknowledged.push(event)
    }
    if (event.e !== 'read' || (event.kind !== 'head' && event.kind !== 'follow')) continue
    const before = seen.get(event.proc) ?? -1
    if (event.v < before) report('H9 monotonic reads', { proc: event.proc, v: event.v, before })
    seen.set(event.proc, Math.max(before, event.v))
    const due = lastBefore(acknowledged, event.t0)
    if (due && event.v < due.v)
      report('H10 real time', { proc: event.proc, v: event.v, due: due.v })
  }
}

function lastBefore(events, t) {
  let [low, high] = [0, events.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (events[middle].t < t) low = middle + 1
    else high = middle
  }
  return events[low - 1]
}

const OUT_OF_SPACE = new Set(['ENOSPC', 'EDQUOT'])

/** What a full disk does, in the words of the engine and of the lake. */
export function isOutOfSpace(event) {
  return (
    OUT_OF_SPACE.has(event.errno) ||
    /No space left|ENOSPC|Disk quota|disk space/i.test(event.message ?? '')
  )
}

/** Events that are violations by themselves: torn reads, errors nobody may see, resources that grow. */
function checkEvent(event, report) {
  const { e, proc, code, message } = event
  if (e === 'violation') return report(event.law, event)
  if (e === 'crash' && !isOutOfSpace(event)) return report('a process crashed', { proc, message })
  if (e === 'failed' && !EXPECTED_FAILURES.has(code) && !isOutOfSpace(event))
    return report('a write failed without a reason', event)
  if (e === 'foreign-read-error' && !isOutOfSpace(event))
    return report('H7 no torn read, by another engine', event)
  if (e === 'read-error' && !isExpectedReadError(event)) return report('H7 no torn read', event)
  if (e === 'maintenance-error' && !isExpectedMaintenance(event))
    return report('maintenance failed without a reason', event)
  if (e === 'resources' && (event.fds > 400 || event.rssBytes > 1_500_000_000))
    return report('H17 resources', event)
  return undefined
}

/** A version may be gone for a restore; a table may be dropped while it is written. */
const EXPECTED_FAILURES = new Set(['VERSION_VACUUMED', 'WRITE_CONFLICT', 'TABLE_NOT_FOUND'])

function isExpectedReadError(event) {
  if (isOutOfSpace(event)) return true
  // By number or tag a version may be vacuumed; without a lease any; a head or a leased version never.
  if (event.code !== 'VERSION_VACUUMED' && event.code !== 'VERSION_NOT_FOUND') return false
  return event.kind === 'version' || event.kind === 'tag' || event.leased === false
}

/** H15: a version whose successor is younger than `retentionMs` is kept, lease or not. */
function checkAge({ kind, v, code, t, proc }, records, { retentionMs, skewMs = 0 }, report) {
  if (retentionMs === undefined || code !== 'VERSION_VACUUMED' || kind !== 'version') return
  const ageMs = t - (records[v + 1]?.timestamp ?? t)
  if (ageMs < retentionMs - 2 * skewMs - 500) report('H15 vacuumed too early', { v, ageMs, proc })
}

function isExpectedMaintenance({ name, code, message, ...rest }) {
  if (isOutOfSpace({ message, ...rest })) return true
  if (code === 'WRITE_CONFLICT' || code === 'VERSION_VACUUMED') return true
  if (name === 'untag' && code === 'VERSION_NOT_FOUND') return true
  return code === 'CHECK_FAILED' && /clock/.test(message)
}

function countEvents(events, outcomes, records) {
  const by = (e) => events.filter((event) => event.e === e).length
  const ends = [...outcomes.values()].map((outcome) => outcome.kind)
  const ended = (kind) => ends.filter((k) => k === kind).length
  return {
    lakeVersions: records.length,
    acknowledged: ended('committed'),
    conflicts: ended('conflict'),
    failed: ended('failed'),
    unknown: ended('unknown'),
    reads: by('read'),
    readErrorsExpected: by('read-error'),
    maintained: by('maintained'),
    vacuumed: events
      .filter((e) => e.e === 'maintained' && e.name === 'vacuum')
      .reduce((sum, e) => sum + (e.files ?? 0), 0),
    kills: by('kill'),
    stops: by('stop'),
    fullDisks: by('full'),
    foreignCommits: by('foreign'),
    foreignReads: by('foreign-read'),
  }
}
