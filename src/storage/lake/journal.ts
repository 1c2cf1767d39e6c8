/** Journals of sync runs: for people and for resuming. Losing one costs only repeated requests. */
import { join } from 'node:path'
import { JOURNAL_DIRECTORY, logDirectory } from './lake-log.ts'
import type { Store } from './store.ts'

/** A unit that a run has checked completely. */
export interface CheckedUnit {
  readonly source: string
  readonly table: string
  readonly period: string
  readonly rows: number
  readonly changed: boolean
  readonly checkedMs: number
}

/** What a journal tells of a run. */
export interface JournalRun {
  readonly run: string
  readonly source: string
  readonly startedMs: number
  readonly finishedMs?: number
  readonly outcome?: string
  readonly units: readonly CheckedUnit[]
  readonly failed: number
}

/** A line of a journal. */
export type JournalLine =
  | { readonly type: 'start'; readonly source: string; readonly timeMs: number }
  | ({ readonly type: 'unit' } & CheckedUnit)
  | {
      readonly type: 'failed'
      readonly source: string
      readonly table: string
      readonly period: string
      readonly code: string
      readonly message: string
      readonly timeMs: number
    }
  | { readonly type: 'end'; readonly outcome: string; readonly timeMs: number }

/** Journals that are looked at: the newest ones. */
const RUNS_MAX = 100

/** The newest runs, oldest first. A line that cannot be read is passed over. */
export async function readJournals(store: Store): Promise<JournalRun[]> {
  const directory = join(logDirectory(store.root), JOURNAL_DIRECTORY)
  const names = (await store.files.list(directory)).filter((name) => name.endsWith('.ndjson'))
  const runs = await Promise.all(
    names.slice(-RUNS_MAX).map(async (name) => {
      const content = await store.files.read(join(directory, name))
      return content ? parseJournal(name.replace(/\.ndjson$/, ''), content) : []
    }),
  )
  return runs.flat().toSorted((a, b) => a.startedMs - b.startedMs)
}

function parseJournal(run: string, content: Uint8Array): JournalRun[] {
  const lines = new TextDecoder()
    .decode(content)
    .split('\n')
    .flatMap((line): JournalLine[] => {
      try {
        return line === '' ? [] : [JSON.parse(line) as JournalLine]
      } catch {
        return []
      }
    })
  const start = lines.find((line) => line.type === 'start')
  if (!start) return []
  const end = lines.find((line) => line.type === 'end')
  return [
    {
      run,
      source: start.source,
      startedMs: start.timeMs,
      ...(end && { finishedMs: end.timeMs, outcome: end.outcome }),
      units: lines.filter((line) => line.type === 'unit'),
      failed: lines.filter((line) => line.type === 'failed').length,
    },
  ]
}
