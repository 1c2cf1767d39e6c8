/** Rows as text: an aligned table, CSV, Markdown, JSON and JSON lines. */
import type { Value } from '../storage/parquet/values.ts'
import { jsonOf } from '../storage/parquet/values.ts'
import { visible } from './visible.ts'
import { clipped, padded, textWidth } from './width.ts'

/** Columns and rows, as a query gives them. */
export interface Grid {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly Value[])[]
}

const CELL_WIDTH_MAX = 60
const NUMERIC = /^(U?TINYINT|U?SMALLINT|U?INTEGER|U?BIGINT|U?HUGEINT|FLOAT|DOUBLE|DECIMAL.*)$/

/** True for the DuckDB types of numbers. */
export function isNumeric(type: string): boolean {
  return NUMERIC.test(type)
}

/** The text of a cell for people; NULL is empty. */
export function cellText(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'object') return JSON.stringify(jsonOf(value))
  return String(value)
}

/** A table with aligned columns; line breaks and what a terminal would obey are shown as symbols. */
export function tableText(grid: Grid): string {
  const shown = (text: string): string => visible(text.replaceAll(/[\n\r\t]/g, '␤'))
  const cells = grid.rows.map((row) =>
    row.map((value) => clipped(shown(cellText(value)), CELL_WIDTH_MAX)),
  )
  const names = grid.columns.map((column) => shown(column.name))
  const widths = names.map((name, i) =>
    Math.max(textWidth(name), ...cells.map((row) => textWidth(row[i]!))),
  )
  const right = grid.columns.map((column) => isNumeric(column.type))
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => padded(text, widths[i]!, right[i]))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [line(names), rule, ...cells.map(line)].map((l) => `${l}\n`).join('')
}

/**
 * CSV with a header, quoted where needed (RFC 4180); NULL is empty, an empty text two quotes. Values are exact: what
 * begins with =, +, - or @ is a number or a text here, and a formula only to a spreadsheet that opens the file unasked.
 */
export function csvText(grid: Grid, header = true): string {
  const quoted = (text: string): string =>
    /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  const cell = (value: Value): string => (value === '' ? '""' : quoted(cellText(value)))
  const lines = grid.rows.map((row) => row.map(cell).join(','))
  const head = grid.columns.map((c) => quoted(c.name)).join(',')
  return [...(header ? [head] : []), ...lines].map((line) => `${line}\n`).join('')
}

/** What would act in a page, or end a cell of a Markdown table. */
const ACTING: readonly (readonly [RegExp, string])[] = [
  [/&(?=#?\w+;)/g, '&amp;'],
  [/</g, '&lt;'],
  [/[\\|[]/g, '\\$&'],
  [/\s*[\n\r]+\s*/g, ' '],
]

/** A Markdown table, or without its header more rows of one. Texts are shown as they are: no HTML, no links. */
export function markdownText(grid: Grid, header = true): string {
  const escaped = (text: string): string =>
    ACTING.reduce((done, [pattern, by]) => done.replaceAll(pattern, by), text)
  const line = (texts: readonly string[]): string => `| ${texts.map(escaped).join(' | ')} |`
  const rule = grid.columns.map((c) => (isNumeric(c.type) ? '---:' : '---'))
  const rows = grid.rows.map((row) => line(row.map(cellText)))
  const head = header ? [line(grid.columns.map((c) => c.name)), line(rule)] : []
  return [...head, ...rows].map((l) => `${l}\n`).join('')
}

/** Rows as JSON objects, one a line. */
export function jsonLines(grid: Grid): string {
  return grid.rows.map((row) => `${JSON.stringify(rowObject(grid, row))}\n`).join('')
}

function rowObject(grid: Grid, row: readonly Value[]): Record<string, unknown> {
  return Object.fromEntries(grid.columns.map((column, i) => [column.name, jsonOf(row[i]!)]))
}

/** Bytes for people: `12.3 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const scaled = bytes / 1000 ** power
  return `${power === 0 ? scaled : scaled.toFixed(scaled < 10 ? 1 : 0)} ${units[power]}`
}

/** A whole number with separators: `1,375,849`. Node's own way loads its data of all languages first. */
export function countText(count: number | bigint): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}
