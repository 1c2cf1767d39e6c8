/** Outcomes as a table, held against `docs/interop.md`; with `MARKETLAKE_UPDATE_DOCS=1` they are written there. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect } from 'vitest'

const DOCUMENT = 'docs/interop.md'

/** Collects the outcomes of a suite. */
export interface Results {
  add(column: string, row: string, outcome: string): void
}

/** A suite whose outcomes stand in the document between markers of its name. */
export function describeResults(name: string): Results {
  const cells = new Map<string, Map<string, string>>()
  afterAll(() => {
    if (process.env['MARKETLAKE_UPDATE_DOCS'] === '1') replace(name, cells)
  })
  return {
    add: (column, row, outcome) => {
      const line = cells.get(row) ?? new Map<string, string>()
      cells.set(row, line.set(column, outcome))
    },
  }
}

/** The outcome that the document states for a cell; undefined where it states none. */
export function documented(name: string, column: string, row: string): string | undefined {
  const lines = section(name).split('\n')
  const columns = cellsOf(lines.find((line) => line.startsWith('|'))!)
  const line = lines.map(cellsOf).find((cells) => cells[0] === row)
  return line?.[columns.indexOf(column)]
}

/** A test that a cell is stated as it came out. */
export function expectDocumented(name: string, column: string, row: string, outcome: string): void {
  if (process.env['MARKETLAKE_UPDATE_DOCS'] === '1') return
  expect(documented(name, column, row), `${DOCUMENT}: ${row}, ${column}`).toBe(outcome)
}

const marker = (name: string, what: string): string => `<!-- ${name}: ${what} -->`

function section(name: string): string {
  const text = readFileSync(DOCUMENT, 'utf8')
  return text.slice(text.indexOf(marker(name, 'begin')), text.indexOf(marker(name, 'end')))
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function replace(name: string, found: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const begin = text.indexOf(marker(name, 'begin')) + marker(name, 'begin').length
  const end = text.indexOf(marker(name, 'end'))
  const old = section(name)
    .split('\n')
    .filter((line) => line.startsWith('|'))
  const known = new Map(old.slice(2).map((line) => [cellsOf(line)[0]!, line]))
  const oldColumns = old[0] ? cellsOf(old[0]).slice(1) : []
  const columns = [
    ...new Set([...oldColumns, ...[...found.values()].flatMap((row) => [...row.keys()])]),
  ]
  const rows = [...new Set([...known.keys(), ...found.keys()])].map((row) => {
    const before = known.get(row) ? cellsOf(known.get(row)!).slice(1) : []
    return [
      row,
      ...columns.map((c) => found.get(row)?.get(c) ?? before[oldColumns.indexOf(c)] ?? '–'),
    ]
  })
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const table = [line(['', ...columns]), line(['', ...columns].map(() => '---')), ...rows.map(line)]
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}\n\n${table.join('\n')}\n\n${text.slice(end)}`)
}
