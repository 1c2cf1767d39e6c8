/** docs/bad-input.md is true: each of its 87 rows names files whose tests carry its number, or says why there is none. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface ListRow {
  readonly number: number
  readonly behaviour: string
  readonly files: readonly string[]
}

/** Rows without a test, with the reason that the list gives. */
const UNTESTED: Readonly<Record<number, string>> = {
  79: 'no console yet',
  80: 'no console yet',
  82: 'no console yet',
  83: 'no console yet',
  86: 'no console yet',
}
const ROWS = 87

const rows = readFileSync('docs/bad-input.md', 'utf8').split('\n').flatMap(rowOf)

function rowOf(line: string): ListRow[] {
  const cells = line.split('|').map((cell) => cell.trim())
  if (cells.length !== 6 || !/^\d+$/.test(cells[1]!)) return []
  const files = [...cells[4]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
  return [{ number: Number(cells[1]), behaviour: cells[3]!, files }]
}

/** Numbers of the titles of a test file: `9: a pipe`, `36, 37: partitions`. */
function numbersIn(file: string): Set<number> {
  const titles = readFileSync(file, 'utf8').matchAll(/['"`](\d+(?:, \d+)*): /g)
  return new Set([...titles].flatMap((match) => match[1]!.split(', ').map(Number)))
}

test('the list has every row once, in order', () => {
  expect(rows.map((row) => row.number)).toEqual(Array.from({ length: ROWS }, (_, i) => i + 1))
})

test('each row names files that have a test of its number', () => {
  const named = rows.flatMap(({ number, files }) => files.map((file) => ({ number, file })))
  expect(named.filter(({ number, file }) => !numbersIn(file).has(number))).toEqual([])
})

test('rows without a test are known, and say why', () => {
  const without = rows.filter((row) => row.files.length === 0)
  expect(without.map((row) => row.number)).toEqual(Object.keys(UNTESTED).map(Number))
  expect(without.filter((row) => !row.behaviour.includes(UNTESTED[row.number]!))).toEqual([])
})
