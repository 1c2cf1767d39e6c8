/** `sync`: fetches from the sources and commits, period by period. */
import type { SyncPlan, SyncResult } from '../../ingestion/sync-options.ts'
import { openLake } from '../../lake/lake.ts'
import type { Lake } from '../../lake/lake.ts'
import { planLakeSync, syncLake } from '../../lake/sync.ts'
import type { LakeSyncOptions } from '../../lake/sync.ts'
import { LakeError } from '../../model/errors.ts'
import { parseBound } from '../../model/period.ts'
import type { CliContext } from '../context.ts'
import { say, warn, writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { countText, tableText } from '../format.ts'
import { progressOf } from '../progress.ts'

/** Options of `sync` as they are typed. */
export interface SyncCommandOptions {
  readonly source?: string
  readonly tables?: string
  readonly since?: string
  readonly until?: string
  readonly symbols?: string
  readonly limit?: number
  readonly dryRun?: boolean
  readonly restart?: boolean
  readonly every?: string
  readonly jsonl?: boolean
}

/** Syncs once, or on a schedule. */
export async function syncCommand(
  context: CliContext,
  options: SyncCommandOptions,
): Promise<number> {
  const { every, jsonl, dryRun } = options
  if (every === undefined) {
    if (jsonl) throw misplaced('--jsonl goes with --every', 'Use --json for one run.')
    return syncOnce(context, options)
  }
  if (dryRun) throw misplaced('--dry-run shows one run, --every makes many', 'Leave out one.')
  if (context.json && !jsonl)
    throw misplaced('--every ends with no document', 'Use --jsonl for one document a run.')
  const { syncEvery } = await import('./sync-every.ts')
  return syncEvery(context, every, options)
}

function misplaced(message: string, next: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', message, { next })
}

/** Syncs once. */
export async function syncOnce(context: CliContext, options: SyncCommandOptions): Promise<number> {
  const lake = await openLake(context.lake, {
    lease: false,
    onWarning: (text) => warn(context, text),
  })
  try {
    const wanted = wantedOf(options)
    if (options.dryRun) return await dryRun(context, lake, wanted)
    const progress = progressOf(context)
    let result: SyncResult
    try {
      result = await syncLake(lake, { ...wanted, signal: context.signal, onEvent: progress.sink })
    } finally {
      progress.close()
    }
    await lake.idle()
    return await report(context, options, result)
  } finally {
    await lake.close()
  }
}

/** What the options ask for. */
export function wantedOf(options: SyncCommandOptions): LakeSyncOptions {
  const list = (text: string): string[] => text.split(',').map((item) => item.trim())
  return {
    ...(options.source !== undefined && { sources: list(options.source) }),
    ...(options.tables !== undefined && { tables: list(options.tables) }),
    ...(options.since !== undefined && { since: parseBound(options.since, 'since') }),
    ...(options.until !== undefined && { until: parseBound(options.until, 'until') }),
    ...(options.symbols !== undefined && { symbols: list(options.symbols) }),
    ...(options.limit !== undefined && { limit: options.limit }),
    ...(options.restart && { restart: true }),
  }
}

async function dryRun(context: CliContext, lake: Lake, wanted: LakeSyncOptions): Promise<number> {
  const plan: SyncPlan = await planLakeSync(lake, wanted)
  if (context.json) {
    await writeDocument(plan)
    return EXIT.ok
  }
  const columns = ['source', 'period', 'tables', 'requests'].map((name) => ({
    name,
    type: name === 'requests' ? 'BIGINT' : 'VARCHAR',
  }))
  const rows = plan.batches.map((b) => [b.source, b.period, b.tables.join(', '), b.requests])
  await writeData(tableText({ columns, rows }))
  say(
    context,
    `${plan.batches.length} periods, about ${countText(plan.requests)} requests, about ${plan.minutes} min; ${plan.skipped} done before`,
  )
  return EXIT.ok
}

async function report(
  context: CliContext,
  options: SyncCommandOptions,
  result: SyncResult,
): Promise<number> {
  if (result.outcome === 'failed') throw failure(result)
  if (context.json) await writeDocument(result)
  say(context, summary(result))
  if (result.addedColumns.length > 0)
    warn(context, `new columns: ${result.addedColumns.join(', ')}`)
  if (result.left > 0)
    say(
      context,
      `stopped with ${result.left} periods left; go on with: ${resumeCommand(context, options)}`,
    )
  if (context.signal.aborted) return EXIT.interrupted
  switch (result.outcome) {
    case 'partial':
      return EXIT.partial
    case 'conflict':
      return EXIT.conflict
    case 'unknown':
      return EXIT.unknown
    default:
      return EXIT.ok
  }
}

/** Nothing was stored: an error document, and the exit code of its cause. */
function failure(result: SyncResult): LakeError {
  const first = result.failed[0]!
  const known = ['SOURCE_FAILED', 'SOURCE_REFUSED', 'SOURCE_UNAVAILABLE', 'IO_ERROR'] as const
  const code = known.find((c) => c === first.code) ?? 'SOURCE_FAILED'
  return new LakeError(code, first.message, {
    details: { failed: result.failed },
    next: first.next ?? 'Nothing was stored, nothing was lost. Run the command again.',
  })
}

function summary(result: SyncResult): string {
  const parts = [
    `${countText(result.inserted)} new`,
    `${countText(result.updated)} changed`,
    `${countText(result.unchanged)} unchanged`,
    `${result.commits} commits`,
    `${countText(result.requests)} requests`,
    ...(result.failed.length > 0 ? [`${result.failed.length} units failed`] : []),
  ]
  const version = result.version === null ? 'no new version' : `version ${result.version}`
  return `${result.outcome}: ${parts.join(', ')} (${version})`
}

function resumeCommand(context: CliContext, options: SyncCommandOptions): string {
  const given = Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`
    if (['restart', 'every', 'jsonl'].includes(name) || value === undefined || value === false)
      return []
    return value === true ? [flag] : [flag, String(value as string | number)]
  })
  return ['marketlake', '--lake', context.lake, 'sync', ...given].map(shellWord).join(' ')
}

/** A word as a shell takes it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
