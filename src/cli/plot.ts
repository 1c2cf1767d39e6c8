/** Numbers as pictures of characters: a chart of one series, or a line of bars for each of several. */
import type { Value } from '../storage/parquet/values.ts'
import type { Grid } from './format.ts'
import { cellText, isNumeric } from './format.ts'
import { padded, textWidth } from './width.ts'

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const HEIGHT = 10

interface Series {
  readonly name: string
  readonly values: readonly (number | undefined)[]
}

/** The numeric columns of a result as a picture at most so many cells wide; undefined if it has none. */
export function plotText(grid: Grid, width: number): string | undefined {
  const series = grid.columns.flatMap(({ name, type }, i) =>
    isNumeric(type) ? [{ name, values: grid.rows.map((row) => numberOf(row[i]!)) }] : [],
  )
  const drawn = series.filter(({ values }) => values.some((value) => value !== undefined))
  const [first] = drawn
  if (!first) return undefined
  return drawn.length === 1 ? chart(first, endsOf(grid), width) : lines(drawn, width)
}

/** NULL, NaN and infinities leave a gap. */
function numberOf(value: Value): number | undefined {
  const number = value === null ? Number.NaN : Number(value)
  return Number.isFinite(number) ? number : undefined
}

/** What stands below both ends: the first column that is no number. */
function endsOf({ columns, rows }: Grid): readonly [string, string] {
  const i = columns.findIndex(({ type }) => !isNumeric(type))
  return i === -1
    ? ['1', String(rows.length)]
    : [cellText(rows[0]![i]!), cellText(rows.at(-1)![i]!)]
}

function chart({ name, values }: Series, ends: readonly [string, string], width: number): string {
  const { min, max } = bounds(values)
  const labels = [numberText(max), numberText((min + max) / 2), numberText(min)]
  const margin = Math.max(...labels.map(textWidth))
  const cells = squeezed(values, Math.max(10, width - margin - 2))
  const rows = Array.from({ length: HEIGHT }, (_, i) => {
    const level = HEIGHT - 1 - i
    const label = { 0: labels[0], [HEIGHT >> 1]: labels[1], [HEIGHT - 1]: labels[2] }[i] ?? ''
    const line = cells.map((value) =>
      value === undefined ? ' ' : block(share(value, min, max), level),
    )
    return `${padded(label, margin, true)} ${label === '' ? '│' : '┤'}${line.join('')}`.trimEnd()
  })
  const [left, right] = ends
  const gap = ' '.repeat(Math.max(1, cells.length - textWidth(left) - textWidth(right)))
  return [name, ...rows, `${' '.repeat(margin + 2)}${left}${gap}${right}`, ''].join('\n')
}

/** The character of one level of a column; the lowest level is never empty. */
function block(part: number, level: number): string {
  const eighths = Math.round(part * HEIGHT * BARS.length) - level * BARS.length
  if (eighths >= BARS.length) return BARS[BARS.length - 1]!
  if (eighths <= 0) return level === 0 ? BARS[0] : ' '
  return BARS[eighths - 1]!
}

function lines(series: readonly Series[], width: number): string {
  const facts = series.map(({ values }) => {
    const { min, max } = bounds(values)
    return `${numberText(min)} … ${numberText(max)}`
  })
  const names = Math.max(...series.map(({ name }) => textWidth(name)))
  const room = Math.max(10, width - names - Math.max(...facts.map(textWidth)) - 4)
  return series
    .map(({ name, values }, i) => `${padded(name, names)}  ${bars(values, room)}  ${facts[i]}\n`)
    .join('')
}

function bars(values: Series['values'], room: number): string {
  const { min, max } = bounds(values)
  const level = (value: number): number => Math.floor(share(value, min, max) * BARS.length)
  return squeezed(values, room)
    .map((value) => (value === undefined ? ' ' : BARS[Math.min(BARS.length - 1, level(value))]!))
    .join('')
}

function bounds(values: readonly (number | undefined)[]): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity]
  for (const value of values) {
    if (value !== undefined) [min, max] = [Math.min(min, value), Math.max(max, value)]
  }
  return { min, max }
}

/** Where a value stands between the bounds, 0 to 1; a flat series stands in the middle. */
function share(value: number, min: number, max: number): number {
  return max > min ? (value - min) / (max - min) : 0.5
}

/** As many cells as there is room for, each the mean of its values; few values get wider bars. */
function squeezed(values: readonly (number | undefined)[], room: number): (number | undefined)[] {
  if (values.length <= room) {
    const wide = Math.min(4, Math.floor(room / values.length))
    return values.flatMap((value) => Array.from({ length: wide }, () => value))
  }
  return Array.from({ length: room }, (_, i) => {
    const from = Math.floor((i * values.length) / room)
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / room))
    const part = values.slice(from, to).filter((value) => value !== undefined)
    return part.length === 0 ? undefined : part.reduce((sum, v) => sum + v / part.length, 0)
  })
}

function numberText(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return value.toExponential(2)
  return value.toLocaleString('en-US', { maximumSignificantDigits: 6 })
}
