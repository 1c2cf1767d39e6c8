/** `query`, `views`, `freshness`: what the lake says. */
import type { StatementOptions } from '../../analysis/limits.ts'
import { openLake } from '../../lake/lake.ts'
import type { Lake } from '../../lake/lake.ts'
import { parseDuration } from '../../model/duration.ts'
import { LakeError } from '../../model/errors.ts'
import { checkNotOfLake, exportParquet, writeOutputFile } from '../../lake/export-file.ts'
import type { Attach } from '../attach.ts'
import type { CliContext } from '../context.ts'
import { say, warn, writeData, writeDocument } from '../context.ts'
import { resultDocument } from '../document.ts'
import { EXIT, exitCodeOf } from '../exit-code.ts'
import { countText, tableText } from '../format.ts'
import { TABLE_ROWS_MAX, rowsPlot, rowsText } from '../rows.ts'
import { readStdin } from '../stdin.ts'
import type { Answering } from './attached.ts'
import { engineWithoutLake, openAttached } from './attached.ts'
import { withLake } from './catalog.ts'

/** Options of `query` as they are typed. */
export interface QueryOptions {
  readonly format?: 'table' | 'csv' | 'json' | 'jsonl' | 'markdown' | 'parquet'
  readonly output?: string
  readonly at?: string
  readonly asOf?: string
  readonly plot?: boolean
  readonly lease?: boolean
  readonly attach?: readonly Attach[]
  readonly timeout?: string
}

/** Runs one SELECT. */
export async function query(
  context: CliContext,
  sql: string,
  options: QueryOptions,
): Promise<number> {
  await checkOptions(context, options)
  const statement = sql === '-' ? await readStdin() : sql
  const attach = await openAttached(options.attach)
  const alone = await engineWithoutLake(context, attach)
  if (alone) return answerAlone(context, alone, statement, options)
  const lake = await openLake(context.lake, { lease: false, maintenance: false })
  try {
    const engine = await lake.analysis({
      ...(options.at !== undefined && { at: options.at }),
      lease: options.lease !== false,
      attach,
    })
    try {
      if (options.lease !== false && !engine.leased) {
        warn(context, 'no lease could be taken: what is read is kept by its age alone')
      }
      const dated = options.asOf === undefined ? engine : await engine.asOf(options.asOf)
      return await answer(context, dated, statement, options)
    } finally {
      await engine.close()
    }
  } finally {
    await lake.close()
  }
}

/** Attached tables need no lake; its versions and dates of knowledge do. */
async function answerAlone(
  context: CliContext,
  engine: Answering & { readonly close: () => Promise<void> },
  sql: string,
  options: QueryOptions,
): Promise<number> {
  try {
    if (options.at !== undefined || options.asOf !== undefined) {
      throw new LakeError('NO_LAKE', `there is no lake at ${context.lake} for --at or --as-of`, {
        next: 'Name the version of an attached table behind its directory: name=DIR@version.',
      })
    }
    return await answer(context, engine, sql, options)
  } finally {
    await engine.close()
  }
}

async function checkOptions(
  context: CliContext,
  { format, output, plot }: QueryOptions,
): Promise<void> {
  if (output !== undefined) await checkNotOfLake(context.lake, output)
  if (format === 'parquet' && output === undefined) {
    throw new LakeError('INVALID_ARGUMENT', 'Parquet needs a file to write into', {
      next: 'Name it with -o FILE.',
    })
  }
  if (plot && (context.json || format !== undefined || output !== undefined)) {
    throw new LakeError('INVALID_ARGUMENT', 'a plot is for terminals', {
      next: 'Leave out --json, -f and -o, or leave out --plot.',
    })
  }
}

async function answer(
  context: CliContext,
  engine: Answering,
  sql: string,
  options: QueryOptions,
): Promise<number> {
  const { format = 'table', output, plot } = options
  const limits = limitsOf(context, options)
  if (format === 'parquet') return answerParquet(context, engine, sql, output!, limits)
  if (context.json && output === undefined) return answerDocument(engine, sql, limits)
  if (plot) {
    await writeData(await rowsPlot(engine, sql, limits))
    return EXIT.ok
  }
  const onCut = (): void =>
    warn(context, `only the first ${countText(TABLE_ROWS_MAX)} rows; all of them with -f csv`)
  const parts = rowsText(engine, sql, format, { ...limits, onCut })
  if (output === undefined) for await (const part of parts) await writeData(part)
  else await answerFile(context, parts, output)
  return EXIT.ok
}

function limitsOf(context: CliContext, { timeout }: QueryOptions): StatementOptions {
  const { signal } = context
  return timeout === undefined ? { signal } : { signal, timeoutMs: parseDuration(timeout) }
}

async function answerDocument(
  engine: Answering,
  sql: string,
  limits: StatementOptions,
): Promise<number> {
  let code: number = EXIT.ok
  const onFailure = (error: unknown): void => void (code = exitCodeOf(error))
  for await (const part of resultDocument(engine, sql, limits, onFailure)) await writeData(part)
  return code
}

async function answerFile(
  context: CliContext,
  parts: AsyncIterable<string>,
  path: string,
): Promise<void> {
  await writeOutputFile(path, parts)
  if (context.json) await writeDocument({ file: path })
  say(context, `wrote ${path}`)
}

async function answerParquet(
  context: CliContext,
  engine: Answering,
  sql: string,
  path: string,
  limits: StatementOptions,
): Promise<number> {
  const rows = await exportParquet(engine, sql, path, limits)
  if (context.json)
    await writeDocument({ file: path, rowCount: rows, lakeVersion: engine.version ?? null })
  say(context, `wrote ${countText(rows)} rows to ${path}`)
  return EXIT.ok
}

/** Publishes `analysis.duckdb`. */
export async function views(context: CliContext, options: { root?: string }): Promise<number> {
  return withLake(context, async (lake) => {
    const published = await lake.publishViews(options)
    const validUntil = new Date(published.validUntilMs).toISOString()
    if (context.json) {
      const { path, version, txnId, views: count } = published
      await writeDocument({ path, version, txnId, views: count, validUntil })
    }
    say(
      context,
      `published ${published.path}: ${published.views} views of version ${published.version}`,
    )
    say(context, `an open copy stays right until ${validUntil}; attach it READ_ONLY`)
    return EXIT.ok
  })
}

/** Shows, and with `--max-age` tests, when tables were last checked. */
export async function freshness(
  context: CliContext,
  options: { maxAge?: string },
): Promise<number> {
  return withLake(context, async (lake) => {
    const maxAgeMs = options.maxAge === undefined ? undefined : parseDuration(options.maxAge)
    const entries = await lake.freshness()
    const text = (timeMs: number | undefined): string | null =>
      timeMs === undefined ? null : new Date(timeMs).toISOString()
    const rows = entries.map((f) => ({
      table: f.table,
      lastChecked: text(f.lastCheckedMs),
      lastChanged: text(f.lastChangedMs),
      newestPeriod: f.newestPeriod ?? null,
    }))
    const stale = staleTables(lake, entries, maxAgeMs)
    if (context.json) await writeDocument(rows)
    else await writeData(freshnessText(rows))
    for (const table of stale) warn(context, `${table} was not checked within ${options.maxAge}`)
    return stale.length > 0 ? EXIT.stale : EXIT.ok
  })
}

/** Only tables that some sync has ever checked can be stale; with none at all, everything is. */
function staleTables(
  lake: Lake,
  entries: Awaited<ReturnType<Lake['freshness']>>,
  maxAgeMs: number | undefined,
): string[] {
  if (maxAgeMs === undefined) return []
  const limit = lake.store.effects.now() - maxAgeMs
  const synced = entries.filter((f) => f.lastCheckedMs !== undefined)
  if (synced.length === 0) return ['the lake']
  return synced.filter((f) => f.lastCheckedMs! < limit).map((f) => f.table)
}

function freshnessText(
  rows: readonly {
    table: string
    lastChecked: string | null
    lastChanged: string | null
    newestPeriod: string | null
  }[],
): string {
  const names = ['table', 'lastChecked', 'lastChanged', 'newestPeriod'] as const
  const columns = ['table', 'last checked', 'last changed', 'newest period'].map((name) => ({
    name,
    type: 'VARCHAR',
  }))
  return tableText({ columns, rows: rows.map((row) => names.map((name) => row[name] ?? '-')) })
}
