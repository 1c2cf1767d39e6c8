/** The rows of a statement as text, in the format that was asked for; only a table for people is ever cut. */
import type { StatementOptions } from '../analysis/limits.ts'
import type { AnalysisEngine } from '../analysis/engine.ts'
import { LakeError } from '../model/errors.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import type { Grid } from './format.ts'
import { csvText, jsonLines, markdownText, tableText } from './format.ts'
import { plotText } from './plot.ts'
import { visible } from './visible.ts'

/** Formats of rows as text. */
export type TextFormat = 'table' | 'csv' | 'json' | 'jsonl' | 'markdown'

/** What answers: an engine of a lake, or one of attached tables. */
type Answering = Pick<AnalysisEngine, 'stream' | 'table'>

/** Rows of a table that are shown before it is cut. */
export const TABLE_ROWS_MAX = 1000
/** Rows of a plot; more than any terminal can show. */
const PLOT_ROWS_MAX = 1_000_000

/** Rows as text, part by part, so that a large result never stands in memory. A cut table tells `onCut`. */
export async function* rowsText(
  engine: Answering,
  sql: string,
  format: TextFormat,
  options: StatementOptions & { readonly onCut?: () => void } = {},
): AsyncGenerator<string, void, undefined> {
  if (format === 'table') {
    const { grid, cut } = await firstRows(engine, sql, TABLE_ROWS_MAX, options)
    if (cut) options.onCut?.()
    yield tableText(grid)
    return
  }
  let first = true
  for await (const part of engine.stream(sql, undefined, options)) {
    yield partText(part, format, first)
    first = false
  }
  if (first) yield partText(await engine.table(sql, undefined, options), format, true)
  if (format === 'json') yield '\n]\n'
}

function partText(part: Grid, format: Exclude<TextFormat, 'table'>, first: boolean): string {
  switch (format) {
    case 'csv':
      return csvText(part, first)
    case 'markdown':
      return markdownText(part, first)
    case 'jsonl':
      return jsonLines(part)
    case 'json': {
      const rows = jsonLines(part).trimEnd().replaceAll('\n', ',\n')
      return `${first ? '[' : rows === '' ? '' : ','}${rows === '' ? '' : `\n${rows}`}`
    }
  }
}

/** The numeric columns of a result as a picture. */
export async function rowsPlot(
  engine: Answering,
  sql: string,
  options: StatementOptions = {},
): Promise<string> {
  const { grid } = await firstRows(engine, sql, PLOT_ROWS_MAX, options)
  const text = plotText(grid, Math.min(process.stdout.columns || 80, 200))
  if (text !== undefined) return visible(text)
  throw new LakeError('INVALID_ARGUMENT', 'the result has no numbers to plot', {
    details: { columns: grid.columns },
    next: 'Select at least one numeric column, and at least one row.',
  })
}

async function firstRows(
  engine: Answering,
  sql: string,
  most: number,
  options: StatementOptions,
): Promise<{ readonly grid: ResultTable; readonly cut: boolean }> {
  const rows: ResultTable['rows'][number][] = []
  let columns: ResultTable['columns'] | undefined
  for await (const part of engine.stream(sql, undefined, options)) {
    columns ??= part.columns
    rows.push(...part.rows)
    if (rows.length > most) break
  }
  if (!columns) return { grid: await engine.table(sql, undefined, options), cut: false }
  return { grid: { columns, rows: rows.slice(0, most) }, cut: rows.length > most }
}
