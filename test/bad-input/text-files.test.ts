/** CSV and JSON that mislead (rows 17, 45, 61 and 87 of docs/bad-input.md): nothing is guessed, skipped or rounded. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadFiles } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { newLake, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const directory = temporaryDirectory()
let lake: Lake
let tables = 0
beforeAll(async () => {
  lake = await newLake()
})

async function loaded(name: string, content: string | Uint8Array): Promise<unknown[]> {
  const [path, table] = [join(directory, name), `t${String(tables++)}`]
  writeFileSync(path, content)
  await loadFiles(lake, table, [path], { mode: 'append' })
  return rowsOf(lake, `FROM ${table}`)
}

describe('CSV as it stands', () => {
  test.each<[string, string, readonly Record<string, unknown>[]]>([
    ['61: a byte order mark', '\uFEFFa,b\n1,2\n', [{ a: 1n, b: 2n }]],
    ['61: line ends of Windows', 'a,b\r\n1,x\r\n', [{ a: 1n, b: 'x' }]],
    ['61: semicolons, and a comma in numbers', 'a;b\n1;1,5\n', [{ a: 1n, b: '1,5' }]],
    [
      '61: quotes, commas and lines in a cell',
      'a,b\n1,"x ""y"", \n z"\n',
      [{ a: 1n, b: 'x "y", \n z' }],
    ],
    ['61: a name in quotes', '"a","b""c"\n1,2\n', [{ a: 1n, 'b"c': 2n }]],
    [
      '61: a row that begins with #',
      'a,b\n#1,2\n3,4\n',
      [
        { a: '#1', b: 2n },
        { a: '3', b: 4n },
      ],
    ],
    ['61: a column without a name', ',a\n7,1\n', [{ column0: 7n, a: 1n }]],
    ['61: ids of digits and an e', 'a,b\n1e5,1e+05\n', [{ a: '1e5', b: 100000 }]],
    [
      '61: ids of leading zeros, of 19 and of 20 digits',
      'a,b,c\n01,9223372036854775807,12345678901234567890\n',
      [{ a: '01', b: 9223372036854775807n, c: '12345678901234567890' }],
    ],
    [
      '61: a long integer among decimals',
      'a\n1.5\n9007199254740993\n',
      [{ a: '1.5' }, { a: '9007199254740993' }],
    ],
    [
      '61: integers as doubles print them',
      'a\n1.5\n123456789012345680000\n',
      [{ a: 1.5 }, { a: 123456789012345680000 }],
    ],
    ['61: a number beyond all doubles', 'a\n1e+400\n', [{ a: '1e+400' }]],
    ['61: days as a spreadsheet counts them', 'a\n44927\n', [{ a: 44927n }]],
  ])('%s', async (_name, content, rows) => {
    expect(await loaded('file.csv', content)).toEqual(rows)
  })

  test('61: tabs by the name of the file', async () => {
    expect(await loaded('file.tsv', 'a\tb\n1,2\t3\n')).toEqual([{ a: '1,2', b: 3n }])
  })
})

describe('CSV that is refused, with its line', () => {
  test.each<[string, string, string]>([
    ['61: a row too short', 'a,b\n1,2\n3\n', 'line 3: cells: 1, and the header has 2'],
    ['61: a row too long', 'a,b\n1,2\n3,4,5\n6,7,8\n', 'line 3: cells: 3, and the header has 2'],
    [
      '61: a title before the header',
      'Prices\na,b\n1,2\n',
      'line 2: cells: 2, and the header has 1',
    ],
    ['61: a quote that never ends', 'a,b\n1,"x\n2,y\n', 'line 2: a quote that is never closed'],
    [
      '61: a line of five megabytes',
      `a,b\n1,${'x'.repeat(5e6)}\n2,3\n`,
      'line 2: a line longer than',
    ],
    [
      '61: a last line larger than all buffers',
      `a,b\n1,2\n3,${'x'.repeat(4e7)}\n`,
      'the last line is longer',
    ],
    ['45, 61: a name twice', 'a,A\n1,2\n', 'two columns are called A'],
    ['61: a bomb', '', 'line 2'],
  ])('%s', async (name, content, message) => {
    const bomb = name.endsWith('bomb')
    const written = bomb ? gzipSync(`a,b\n1,${'x'.repeat(4e7)}\n`) : content
    const before = await lake.head()
    const error = await failure(loaded(bomb ? 'file.csv.gz' : 'file.csv', written))
    expect(['CORRUPT_FILE', 'INVALID_NAME']).toContain(error.code)
    expect(error.message).toContain(message)
    expect(error.message.length).toBeLessThan(300)
    expect((await lake.head()).version).toBe(before.version)
  })

  test('61: UTF-16', async () => {
    const error = await failure(loaded('file.csv', Buffer.from('\uFEFFa,b\n1,2\n', 'utf16le')))
    expect(error).toMatchObject({ code: 'CORRUPT_FILE', next: 'Save it as UTF-8.' })
  })

  test('61: a number beyond all doubles, in a column of doubles', async () => {
    const table = `t${String(tables++)}`
    const load = (content: string): Promise<unknown> => {
      const path = join(directory, 'double.csv')
      writeFileSync(path, content)
      return loadFiles(lake, table, [path], { mode: 'append' })
    }
    await load('a\n1.5\n')
    await load('a\nInfinity\n')
    expect(await failure(load('a\n1e400\n'))).toMatchObject({
      code: 'TYPE_MISMATCH',
      details: { row: 1, text: '1e400' },
    })
    expect(await rowsOf(lake, `FROM ${table} ORDER BY a`)).toEqual([{ a: 1.5 }, { a: Infinity }])
  })
})

describe('JSON', () => {
  test.each<[string, string, readonly Record<string, unknown>[]]>([
    ['87: integers beyond 2^53', '{"a":9007199254740993}', [{ a: 9007199254740993n }]],
    ['87: integers beyond 2^63', '{"a":18446744073709551615}', [{ a: '18446744073709551615' }]],
    [
      '87: long integers beside decimals of another name',
      '{"a":9007199254740993,"b":0.1}',
      [{ a: 9007199254740993n, b: 0.1 }],
    ],
    [
      '87: a member called __proto__',
      '{"a":1,"__proto__":{"x":1}}',
      [
        Object.fromEntries([
          ['a', 1n],
          ['__proto__', { x: 1n }],
        ]),
      ],
    ],
    [
      '87: a hundred brackets and long digits in a text',
      `{"a":"${'['.repeat(200)}1e400 12345678901234567890"}`,
      [{ a: `${'['.repeat(200)}1e400 12345678901234567890` }],
    ],
    [
      '87: decimals as doubles print them',
      '{"a":1.2345678901234567}\n{"a":123456789012345680000}',
      [{ a: 1.2345678901234567 }, { a: 123456789012345680000 }],
    ],
  ])('%s', async (_name, content, rows) => {
    expect(await loaded('file.jsonl', content)).toEqual(rows)
    expect(Object.prototype).not.toHaveProperty('x')
  })

  test.each<[string, string, string, RegExp]>([
    [
      '17, 87: arrays a hundred thousand deep',
      `{"a":1}\n{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
      'UNSUPPORTED_TYPE',
      /row 2: values stand 100001 deep/,
    ],
    [
      '17, 87: objects twenty thousand deep',
      `{"a":${'{"a":'.repeat(2e4)}1${'}'.repeat(2e4)}}`,
      'UNSUPPORTED_TYPE',
      /20001 deep/,
    ],
    [
      '87: an integer of thirty digits',
      '{"a":1}\n{"a":123456789012345678901234567890}',
      'TYPE_MISMATCH',
      /row 2: a is 123456789012345678901234567890/,
    ],
    [
      '87: a long integer among decimals',
      '[{"a":1.5},{"a":-9007199254740993}]',
      'TYPE_MISMATCH',
      /row 2: a is -9007199254740993/,
    ],
    [
      '87: a long integer inside',
      '{"a":{"b":[1.5, 9007199254740993]}}',
      'TYPE_MISMATCH',
      /a is 9007199254740993/,
    ],
    ['87: a number beyond all doubles', '{"a":1e400}', 'TYPE_MISMATCH', /a is 1e400/],
    ['61: a member twice', '{"a":1,"a":2}', 'SQL_ERROR', /duplicate key/],
  ])('%s', async (_name, content, code, message) => {
    const error = await failure(loaded('file.jsonl', content))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})
