/** `query`, `views`, `freshness`: what the lake says. */
import { openLake } from '../../lake/lake.ts'
import type { Lake } from '../../lake/lake.ts'
import { parseDuration } from '../../model/duration.ts'
import { LakeError } from '../../model/errors.ts'
import { exportParquet } from '../../lake/export-file.ts'
import type { ResultTable } from '../../storage/parquet/database.ts'
import { jsonOf } from '../../storage/parquet/values.ts'
import type { Attach } from '../attach.ts'
import type { CliContext } from '../context.ts'
import { say, warn, writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { countText, csvText, jsonLines, jsonText, markdownText, tableText } from '../format.ts'
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
}

/** Rows of a table that are printed before it is cut; the other formats print everything. */
const TABLE_ROWS_MAX = 1000

/** Runs one SELECT. */
export async function query(
  context: CliContext,
  sql: string,
  options: QueryOptions,
): Promise<number> {
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

async function answer(
  context: CliContext,
  engine: Answering,
  sql: string,
  options: QueryOptions,
): Promise<number> {
  if (options.format === 'parquet') return answerParquet(context, engine, sql, options)
  const streams = !context.json && (options.format === 'csv' || options.format === 'jsonl')
  if (streams && options.output === undefined) return answerStream(engine, sql, options.format!)
  const result = await engine.table(sql)
  const text = context.json ? documentText(engine, result) : formatted(context, result, options)
  if (options.output === undefined) await writeData(text)
  else await writeOutput(context, options.output, text)
  return EXIT.ok
}

/** Large results never stand in memory as a whole. */
async function answerStream(
  engine: Answering,
  sql: string,
  format: NonNullable<QueryOptions['format']>,
): Promise<number> {
  let first = true
  for await (const part of engine.stream(sql)) {
    await writeData(format === 'csv' ? csvText(part, first) : jsonLines(part))
    first = false
  }
  if (first && format === 'csv') await writeData(csvText(await engine.table(sql)))
  return EXIT.ok
}

async function answerParquet(
  context: CliContext,
  engine: Answering,
  sql: string,
  options: QueryOptions,
): Promise<number> {
  if (options.output === undefined) {
    throw new LakeError('INVALID_ARGUMENT', 'Parquet needs a file to write into', {
      next: 'Name it with -o FILE.',
    })
  }
  const rows = await exportParquet(engine, sql, options.output)
  if (context.json)
    await writeDocument({
      file: options.output,
      rowCount: rows,
      lakeVersion: engine.version ?? null,
    })
  say(context, `wrote ${countText(rows)} rows to ${options.output}`)
  return EXIT.ok
}

function documentText(engine: Answering, result: ResultTable): string {
  const document = {
    columns: result.columns,
    rows: result.rows.map((row) => row.map(jsonOf)),
    rowCount: result.rows.length,
    lakeVersion: engine.version ?? null,
    txnId: engine.txnId ?? null,
  }
  return `${JSON.stringify(document)}\n`
}

function formatted(context: CliContext, result: ResultTable, options: QueryOptions): string {
  switch (options.format ?? 'table') {
    case 'csv':
      return csvText(result)
    case 'json':
      return jsonText(result)
    case 'jsonl':
      return jsonLines(result)
    case 'markdown':
      return markdownText(result)
    default: {
      const hidden = result.rows.length - TABLE_ROWS_MAX
      if (hidden > 0) warn(context, `${countText(hidden)} more rows; print all with -f csv`)
      return tableText({ ...result, rows: result.rows.slice(0, TABLE_ROWS_MAX) })
    }
  }
}

async function writeOutput(context: CliContext, path: string, text: string): Promise<void> {
  const { writeOutputFile } = await import('../../lake/export-file.ts')
  await writeOutputFile(path, text)
  say(context, `wrote ${path}`)
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
