/** Texts that mean something to a terminal, a page, a spreadsheet or a parser (rows 84, 85 and 87 of docs/bad-input.md). */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LakeError } from '../../src/index.ts'
import { contextOf, reportError, say, warn, writeData } from '../../src/cli/context.ts'
import { resultDocument } from '../../src/cli/document.ts'
import type { Grid } from '../../src/cli/format.ts'
import { csvText, jsonLines, markdownText, tableText } from '../../src/cli/format.ts'
import type { ResultTable } from '../../src/storage/parquet/database.ts'
import type { Value } from '../../src/storage/parquet/values.ts'

/** Colour, a title, a bell, a line that is drawn over, C1, and letters that run the other way. */
const ORDERS = ['\u001b[31m', '\u001b]0;t\u0007', '\r', '\u009b2J', '\u007f', '\u202e']
const EVIL = `a${ORDERS.join('b')}c`

const obeyed = (text: string): string[] => ORDERS.filter((order) => text.includes(order))
const grid = (value: Value, name = 'c'): Grid => ({
  columns: [{ name, type: 'VARCHAR' }],
  rows: [[value]],
})

afterEach(() => void vi.restoreAllMocks())

/** What is written while `use` runs, with stdout a terminal or not. */
async function written(isTTY: boolean, use: () => Promise<unknown> | void): Promise<string> {
  let all = ''
  const take = (text: unknown, done?: unknown): boolean => {
    all += String(text)
    if (typeof done === 'function') (done as () => void)()
    return true
  }
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation(take as typeof stream.write)
  const before = process.stdout.isTTY
  process.stdout.isTTY = isTTY
  try {
    await use()
  } finally {
    process.stdout.isTTY = before
    vi.restoreAllMocks()
  }
  return all
}

describe('what a terminal would obey', () => {
  test('84: tables show it as symbols, in cells and in names', () => {
    expect(obeyed(tableText(grid(EVIL, EVIL)))).toEqual([])
    expect(tableText(grid('a\u001b[31mb'))).toContain('a␛[31mb')
    expect(tableText(grid('two\nlines'))).toContain('two␤lines')
  })

  test('84: data reaches a terminal without it, and a file as it is', async () => {
    const csv = csvText(grid(EVIL))
    expect(obeyed(await written(true, () => writeData(csv)))).toEqual([])
    expect(await written(false, () => writeData(csv))).toBe(csv)
  })

  test('84: neither do words, warnings and errors', async () => {
    const context = contextOf({}, new AbortController().signal)
    const error = new LakeError('SQL_ERROR', EVIL, {
      next: EVIL,
      details: { sql: EVIL, position: 1 },
    })
    const text = await written(false, async () => {
      say(context, EVIL)
      warn(context, EVIL)
      await reportError(error, false)
      await reportError(new Error(EVIL), false)
    })
    expect(text).toContain('error: a␛[31m')
    expect(obeyed(text)).toEqual([])
  })
})

test('84: Markdown shows HTML, links and bars as texts', () => {
  const cell = (text: string): string => markdownText(grid(text), false)
  expect(cell('<img src=x onerror=alert(1)>')).toBe('| &lt;img src=x onerror=alert(1)> |\n')
  expect(cell('[a](javascript:b)')).toBe('| \\[a](javascript:b) |\n')
  expect(cell('a|b\\|c')).toBe('| a\\|b\\\\\\|c |\n')
  expect(cell('&lt; & R&D')).toBe('| &amp;lt; & R&D |\n')
  expect(cell('*ST 1_2')).toBe('| *ST 1_2 |\n')
})

test('85: CSV holds texts exactly, also those that a spreadsheet takes for formulas', () => {
  for (const text of ['=1+1', '+1', '-1', '@x', '=HYPERLINK("http://x";"y")', '\t=1', "'1"]) {
    const [, line] = /^c\n(.*)\n$/s.exec(csvText(grid(text)))!
    const read = line!.startsWith('"') ? line!.slice(1, -1).replaceAll('""', '"') : line
    expect(read).toBe(text)
  }
  expect(csvText({ columns: grid('').columns, rows: [[''], ['x'], [null]] })).toBe('c\n""\nx\n\n')
})

test('87: JSON lines keep names like __proto__ and the digits of integers', () => {
  const columns = ['__proto__', 'constructor', 'n'].map((name) => ({ name, type: 'BIGINT' }))
  const text = jsonLines({ columns, rows: [[{ x: 1 }, 1, 2n ** 63n - 1n]] })
  expect(text).toBe('{"__proto__":{"x":1},"constructor":1,"n":"9223372036854775807"}\n')
})

describe('a result as one document', () => {
  const part = (rows: number): ResultTable => ({
    columns: [{ name: 'c', type: 'VARCHAR' }],
    rows: Array.from({ length: rows }, () => ['x'.repeat(1000)]),
  })
  const failed = new LakeError('SQL_ERROR', 'it broke')
  async function documentOf(parts: readonly (ResultTable | Error)[]): Promise<{
    readonly text: string
    readonly pieces: number
    readonly failure: unknown
  }> {
    async function* stream(): AsyncGenerator<ResultTable, void, undefined> {
      for (const item of parts) {
        if (item instanceof Error) throw item
        yield item
      }
    }
    const engine = { stream, table: () => Promise.resolve(part(0)) }
    let [text, pieces, failure]: [string, number, unknown] = ['', 0, undefined]
    for await (const piece of resultDocument(engine, '', {}, (error) => (failure = error))) {
      text += piece
      pieces++
    }
    return { text, pieces, failure }
  }

  test('78: leaves in pieces and is one document', async () => {
    const { text, pieces, failure } = await documentOf(Array.from({ length: 10 }, () => part(500)))
    expect(JSON.parse(text)).toMatchObject({ rowCount: 5000, lakeVersion: null })
    expect((JSON.parse(text) as { rows: unknown[] }).rows).toHaveLength(5000)
    expect([pieces > 3, failure]).toEqual([true, undefined])
  })

  test('78: without rows it has its columns', async () => {
    const { text } = await documentOf([])
    expect(JSON.parse(text)).toMatchObject({ columns: [{ name: 'c' }], rows: [], rowCount: 0 })
  })

  test('78: a failure on its way stands in the document, an early one comes alone', async () => {
    const { text, failure } = await documentOf([part(1200), part(3), failed])
    expect(JSON.parse(text)).toMatchObject({ rowCount: 1203, error: { code: 'SQL_ERROR' } })
    expect(failure).toBe(failed)
    await expect(documentOf([part(3), failed])).rejects.toBe(failed)
  })
})
