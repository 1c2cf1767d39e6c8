/** Writes the journal of a run, line by line, and reads what earlier runs have left to do. */
import { join } from 'node:path'
import { LakeError } from '../model/errors.ts'
import { JOURNAL_DIRECTORY, logDirectory } from '../storage/lake/lake-log.ts'
import { readJournals } from '../storage/lake/journal.ts'
import type { JournalLine } from '../storage/lake/journal.ts'
import { history } from '../storage/lake/catalog.ts'
import type { Store } from '../storage/lake/store.ts'

/** A journal under way. Losing it costs only repeated requests, so its lines are not synced. */
export interface Journal {
  readonly run: string
  write(line: JournalLine): Promise<void>
}

const encoder = new TextEncoder()

/** Starts the journal of a run. */
export async function startJournal(store: Store, source: string): Promise<Journal> {
  const nowMs = Math.floor(store.effects.now())
  const run = `${new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}-${store.effects.uuid().slice(0, 8)}`
  const path = join(logDirectory(store.root), JOURNAL_DIRECTORY, `${run}.ndjson`)
  const write = async (line: JournalLine): Promise<void> => {
    try {
      await store.files.append(path, encoder.encode(`${JSON.stringify(line)}\n`))
    } catch (error) {
      // A journal that cannot be written never stops a sync.
      if (!(error instanceof LakeError)) throw error
    }
  }
  await write({ type: 'start', source, timeMs: nowMs })
  return { run, write }
}

/** The outcome of a run that left nothing to do. */
export const COMPLETE = 'complete'

/**
 * What an unfinished run has checked within so many hours is not fetched again. Less than a day, so that a run each
 * day at the same time sees that day's reports, whatever became of the run before.
 */
const RESUME_MS = 20 * 3_600_000

/**
 * Units that need not be fetched again, as `source|table|period`: those that were checked lately, since the first of
 * the unfinished runs that lie behind us. After a run that came to its end nothing is skipped, nor what a restore or a
 * drop may have taken away since. A moment that is still to come says nothing: the clock was moved back since.
 */
export async function finishedUnits(store: Store, source: string): Promise<Set<string>> {
  const runs = (await readJournals(store)).filter((run) => run.source === source)
  const lastComplete = runs.findLastIndex((run) => run.outcome === COMPLETE)
  const open = runs.slice(lastComplete + 1)
  const done = new Set<string>()
  if (open.length === 0) return done
  const nowMs = store.effects.now()
  const records = await history(store, { limit: HISTORY_MAX })
  const undone = records.find(({ operation }) => UNDOING.has(operation))
  const sinceMs = Math.max(open[0]!.startedMs, nowMs - RESUME_MS, undone?.timestamp ?? 0)
  const counts = (timeMs: number): boolean => timeMs >= sinceMs && timeMs <= nowMs
  for (const run of open)
    for (const unit of run.units) if (counts(unit.checkedMs)) done.add(unitKey(unit))
  for (const record of records) {
    if (record.timestamp < sinceMs) break
    if (!counts(record.timestamp)) continue
    for (const unit of record.units) if (unit.source === source) done.add(unitKey(unit))
  }
  return done
}

const HISTORY_MAX = 10_000
const UNDOING = new Set(['RESTORE', 'DROP'])

/** The identity of a unit. */
export function unitKey(unit: {
  readonly source: string
  readonly table: string
  readonly period: string
}): string {
  return `${unit.source}|${unit.table}|${unit.period}`
}
