/** `load` as a user types it: what goes in, what is refused, and that a refusal leaves nothing behind. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { commandIn } from '../support/command.ts'
import { useEngine } from '../support/engine.ts'
import { describeShared, sharedPath } from '../support/shared.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const directory = temporaryDirectory()
const { run, json } = commandIn(directory)
const { session } = useEngine()

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(directory, name), content)
  return name
}

beforeAll(async () => {
  const { code, stderr } = await run('init')
  if (code !== 0) throw new Error(stderr)
})

describe('what goes in', () => {
  test('61: a CSV: ids keep their zeros, dates are dates, empty cells are NULL', async () => {
    const csv = file(
      'ids.csv',
      'code,day,price,note\n000001,2024-01-02,1.5,\n600519,2024-01-02,,x\n',
    )
    const { document } = await json('load', 'ids', csv, '--key', 'code,day')
    expect(document).toMatchObject({ outcome: 'committed', inserted: 2, created: true })
    const query = await json('query', 'SELECT * FROM ids ORDER BY code')
    expect(query.document.columns.map((c: { type: string }) => c.type)).toEqual([
      'VARCHAR',
      'DATE',
      'DOUBLE',
      'VARCHAR',
    ])
    expect(query.document.rows).toEqual([
      ['000001', '2024-01-02', 1.5, null],
      ['600519', '2024-01-02', null, 'x'],
    ])
  })

  test('the same again: all unchanged, no version', async () => {
    const before = (await json('history')).document[0].version
    const { code, document } = await json('load', 'ids', 'ids.csv')
    expect(code).toBe(0)
    expect(document).toMatchObject({ outcome: 'unchanged', version: null, unchanged: 2 })
    expect((await json('history')).document[0].version).toBe(before)
  })

  test('JSON lines: new columns widen the table, missing ones keep what is stored', async () => {
    const lines = file('more.jsonl', '{"code":"000001","day":"2024-01-02","extra":7}\n')
    const { document } = await json('load', 'ids', lines)
    expect(document).toMatchObject({ updated: 1, inserted: 0, addedColumns: ['extra'] })
    const { document: rows } = await json('query', "SELECT * FROM ids WHERE code = '000001'")
    expect(rows.rows).toEqual([['000001', '2024-01-02', 1.5, null, '7']])
  })

  test('append without a key, append of known keys, replace', async () => {
    const csv = file('log.csv', 'a\n1\n1\n')
    expect((await json('load', 'log', csv, '--mode', 'append')).document.inserted).toBe(2)
    expect((await json('load', 'log', csv, '--mode', 'append')).document.inserted).toBe(2)
    const again = await json('load', 'ids', 'ids.csv', '--mode', 'append')
    expect(again).toMatchObject({ code: 1, document: { error: { code: 'DUPLICATE_KEY' } } })
    await json('load', 'ids', 'ids.csv', '--mode', 'replace')
    const { document } = await json('query', 'SELECT count(*) AS n, count(extra) AS e FROM ids')
    expect(document.rows).toEqual([['2', '0']])
  })

  test('a standard table: symbols are normalised, a version is numbered and dated', async () => {
    const csv = file(
      'report.csv',
      'symbol,end_date,notice_date,basic_eps\n600519,2024-12-31,2025-04-03,68.64\n',
    )
    expect((await json('load', 'indicators', csv)).document.inserted).toBe(1)
    const { document } = await json(
      'query',
      'SELECT symbol, source, vintage, visible_date, origin, basic_eps FROM fin_indicators',
    )
    expect(document.rows).toEqual([['600519.SH', 'file', 1, '2025-04-07', 'backfill', 68.64]])
  })

  test('55, 56: types without a twin are stored in one that holds them', async () => {
    const path = join(directory, 'types.parquet')
    await session()
      .run(`COPY (SELECT 1 AS k, 18446744073709551615::UBIGINT AS u, 'a'::ENUM('a','b') AS e,
      '00000000-0000-0000-0000-000000000001'::UUID AS i, 1.25::DECIMAL(5,2) AS d) TO '${path}' (FORMAT parquet)`)
    expect((await json('load', 'types', 'types.parquet', '--key', 'k')).code).toBe(0)
    const { document } = await json('query', 'SELECT * FROM types')
    expect(document.rows).toEqual([
      [1, '18446744073709551615', 'a', '00000000-0000-0000-0000-000000000001', '1.25'],
    ])
  })

  test('54: a timestamp without zone needs one', async () => {
    const csv = file('times.csv', 'k,t\n1,2024-01-02 09:30:00\n')
    const refused = await json('load', 'times', csv, '--key', 'k')
    expect(refused.document.error.next).toContain('--timezone')
    await json('load', 'times', csv, '--key', 'k', '--timezone', 'Asia/Shanghai')
    const { document } = await json('query', 'SELECT t FROM times')
    expect(document.rows).toEqual([['2024-01-02T01:30:00Z']])
  })

  test('timestamps that count nanoseconds come in where they have none, and are refused where they have', async () => {
    const write = (name: string, time: string): Promise<unknown> =>
      session().run(
        `COPY (SELECT 1 AS k, TIMESTAMP_NS '${time}' AS t) TO '${join(directory, name)}' (FORMAT parquet)`,
      )
    await write('whole.parquet', '2024-01-02 09:30:00.123456')
    await write('cut.parquet', '2024-01-02 09:30:00.123456789')
    for (const zone of ['ntz', 'UTC']) {
      const into = `ns_${zone}`.toLowerCase()
      const load = (name: string) => json('load', into, name, '--key', 'k', '--timezone', zone)
      expect((await load('cut.parquet')).document.error).toMatchObject({ code: 'TYPE_MISMATCH' })
      expect((await load('whole.parquet')).code).toBe(0)
    }
  })
})

describe('what is refused leaves nothing behind', () => {
  const cut = new Uint8Array([0x50, 0x41, 0x52, 0x31, 1, 2, 3, 4, 5, 6, 7, 8])
  test.each<[string, string, string | Uint8Array, readonly string[], string, RegExp]>([
    ['61: an empty file', 'empty.csv', '', [], 'CORRUPT_FILE', /empty/],
    ['a missing key column', 'nokey.csv', 'v\n1\n', ['--key', 'k'], 'COLUMN_NOT_FOUND', /\bk\b/],
    ['50: a NULL in a key', 'null.csv', 'k,v\n1,2\n,3\n', ['--key', 'k'], 'NULL_KEY', /row 2/],
    [
      '51: a key twice',
      'twice.csv',
      'k,v\n1,2\n1,3\n',
      ['--key', 'k'],
      'DUPLICATE_KEY',
      /2 rows|1 row/,
    ],
    ['1: a file cut in two', 'cut.parquet', cut, ['--key', 'k'], 'CORRUPT_FILE', /cut\.parquet/],
    [
      '1: no Parquet at all',
      'text.parquet',
      'hello world, hello',
      ['--key', 'k'],
      'CORRUPT_FILE',
      /text\.parquet/,
    ],
    ['an unknown format', 'x.docx', 'x', ['--key', 'k'], 'INVALID_ARGUMENT', /docx|format/],
    ['no key for a new table', 'plain.csv', 'k\n1\n', [], 'INVALID_ARGUMENT', /identifies a row/],
    [
      '61: a broken JSON line',
      'bad.jsonl',
      '{"k":1}\n{"k":\n',
      ['--key', 'k'],
      '',
      /bad\.jsonl|JSON/,
    ],
  ])('%s', async (_, name, content, options, code, message) => {
    const before = (await json('history')).document[0].version
    const { document, code: exit } = await json('load', 'fresh', file(name, content), ...options)
    expect(exit).toBe(document.error.code === 'INVALID_ARGUMENT' ? 2 : 1)
    if (code !== '') expect(document.error.code).toBe(code)
    expect(document.error.message).toMatch(message)
    expect((await json('history')).document[0].version).toBe(before)
    expect((await run('show', 'fresh')).code).toBe(1)
  })

  test('no such file', async () => {
    const { document } = await json('load', 'fresh', 'nowhere.csv', '--key', 'k')
    expect(document.error.message).toContain('nowhere.csv')
  })

  test('61: a cell that does not fit names column, row and type', async () => {
    const { document } = await json(
      'load',
      'ids',
      file('cell.csv', 'code,day,price\nx,2024-01-02,abc\n'),
    )
    expect(document.error).toMatchObject({ code: 'TYPE_MISMATCH' })
    expect(document.error.message).toMatch(/price.*row 1.*abc.*DOUBLE/)
  })

  test('a key that is not the table’s', async () => {
    const { document } = await json('load', 'ids', 'ids.csv', '--key', 'code')
    expect(document.error.message).toMatch(/key/)
  })

  test('54: a time of day', async () => {
    const path = join(directory, 'time.parquet')
    await session().run(`COPY (SELECT 1 AS k, TIME '09:30:00' AS t) TO '${path}' (FORMAT parquet)`)
    const { document } = await json('load', 'fresh', 'time.parquet', '--key', 'k')
    expect(document.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
  })
})

describeShared('real files', ['data', 'ashare'], () => {
  const data = (name: string): string => sharedPath('data', 'ashare', name)

  test('annual key items: 60,098 rows; again: unchanged', async () => {
    const load = ['load', 'annual', data('annual_key_items_1989_2020_163.parquet')]
    const first = await json(...load, '--key', 'symbol,end_date')
    expect(first.document).toMatchObject({ outcome: 'committed', inserted: 60_098 })
    const again = await json(...load)
    expect(again.document).toMatchObject({ outcome: 'unchanged', unchanged: 60_098 })
    const { document } = await json(
      'query',
      "SELECT round(avg(basic_eps), 4) FROM annual WHERE end_date = DATE '2018-12-31'",
    )
    expect(document.rows).toEqual([[0.4103]])
  })

  test('a dirty report: refused with the count and three keys, or the last is taken', async () => {
    const path = data('tushare_old_report_2014q1_2016q2.parquet')
    const load = ['load', 'report', path, '--key', 'code,end_date']
    const { document } = await json(...load)
    expect(document.error).toMatchObject({ code: 'DUPLICATE_KEY', details: { count: 6188 } })
    expect(document.error.details.examples).toHaveLength(3)
    const last = await json(...load, '--on-duplicate', 'last')
    expect(last.document).toMatchObject({ inserted: 22_382 })
  })
})
