/** A short form of an answer, as bench/peers/answers.py makes it, and whether two are the same. */
import { crc32 } from 'node:zlib'

/** Rows, and for each column the sum of its values times their places, the rows sorted. */
export function answerSummary(columns) {
  const numbers = columns.map(numbersOf)
  const rows = numbers[0].map((_, row) => numbers.map((column) => column[row])).toSorted(byValue)
  const sums = columns.map((_, i) => rows.reduce((sum, row, at) => sum + (at + 1) * row[i], 0))
  return { rows: rows.length, sums: sums.map((s) => (Number.isFinite(s) ? s : String(s))) }
}

function numbersOf(column) {
  const cells =
    column.kind === 'text'
      ? Array.from(column.codes, (code) => crc32(column.dictionary[code] ?? ''))
      : Array.from(column.values, Number)
  return column.valid ? cells.map((cell, i) => (column.valid[i] ? cell : -1)) : cells
}

function byValue(a, b) {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : a[at] - b[at]
}

/** Sums of floating numbers differ in their last digits by the order in which they were added. */
export function sameAnswer(a, b) {
  if (a.rows !== b.rows || a.sums.length !== b.sums.length) return false
  return a.sums.every((sum, i) => sum === b.sums[i] || near(sum, b.sums[i]))
}

const near = (a, b) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
