/** Paging of EastMoney's datacenter: all rows or none, whatever the source does. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fetchReport } from '../../src/ingestion/datacenter.ts'
import type { SourceRow } from '../../src/ingestion/datacenter.ts'
import type { Asked, Reply } from '../support/source.ts'
import { fakeSource } from '../support/source.ts'

const REQUEST = {
  endpoint: 'http://exchange.test/api/data/v1/get',
  report: 'RPT_TEST',
  filter: "(REPORT_DATE='2024-12-31')",
  sortColumns: 'SECUCODE,NOTICE_DATE',
}
const EMPTY = { version: null, result: null, success: false, message: '返回数据为空', code: 9201 }
const BUSY = { success: false, code: 9701, message: '服务器繁忙' }

function reply(body: unknown): Reply {
  return { body: JSON.stringify(body) }
}

function rowsNamed(count: number): SourceRow[] {
  return Array.from({ length: count }, (_, i) => ({
    SECUCODE: `${String(i).padStart(6, '0')}.SZ`,
    VALUE: i,
  }))
}

function pageOf(rows: readonly SourceRow[], { query }: Asked): Reply {
  const page = Number(query.get('pageNumber'))
  const data = rows.slice((page - 1) * 500, page * 500)
  if (page > 100) return reply(BUSY)
  if (data.length === 0) return reply(EMPTY)
  const result = { pages: Math.ceil(rows.length / 500), data, count: rows.length }
  return reply({ version: 'x', result, success: true, message: 'ok', code: 0 })
}

describe('a report that is whole', () => {
  test('comes with every row, whatever its length', async () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 2100 }), fc.constantFrom(500, 1000, 1500))
    await fc.assert(
      fc.asyncProperty(lengths, async (count) => {
        const rows = rowsNamed(count)
        const { http, asked } = fakeSource((one) => pageOf(rows, one))
        const found = await fetchReport(http, REQUEST)
        expect(found).toEqual({ rows, repeated: 0 })
        // An empty answer is asked for twice: an overloaded source gives it too.
        expect(asked).toHaveLength(count === 0 ? 2 : Math.ceil(count / 500))
        expect(asked[0]!.query.get('sortTypes')).toBe('1,1')
      }),
      { numRuns: 25 },
    )
  })

  test('of more than 100 pages is read from its last key on', async () => {
    // Two rows of each key, so that a window may end between them.
    const rows = Array.from({ length: 60_003 }, (_, i) => ({
      SECUCODE: `${String(Math.floor((i + 1) / 2)).padStart(6, '0')}.SZ`,
      VALUE: i,
    }))
    const { http, asked } = fakeSource((one) => {
      const from = /\(SECUCODE>="([^"]+)"\)/.exec(one.query.get('filter')!)?.[1] ?? ''
      return pageOf(
        rows.filter((row) => row.SECUCODE >= from),
        one,
      )
    })
    const found = await fetchReport(http, REQUEST)
    expect(found.rows).toHaveLength(rows.length)
    expect(new Set(found.rows.map((row) => row['VALUE'])).size).toBe(rows.length)
    expect(Math.max(...asked.map((one) => Number(one.query.get('pageNumber'))))).toBe(100)
  })

  test('waits while the source is busy, empty in the middle, or cut off', async () => {
    const rows = rowsNamed(1200)
    const troubles = [
      reply(BUSY),
      { body: JSON.stringify({ success: true }).slice(0, 9) },
      { status: 502, body: 'bad gateway' },
    ]
    const { http, clock, events } = fakeSource((one) => {
      if (one.number <= 3) return troubles[one.number - 1]!
      return one.number === 5 ? reply(EMPTY) : pageOf(rows, one)
    })
    const startMs = clock.ms
    expect((await fetchReport(http, REQUEST)).rows).toEqual(rows)
    expect(events.filter((event) => event.type === 'wait')).toHaveLength(4)
    expect(clock.ms - startMs).toBeGreaterThan(2000)
  })

  test('is read again when rows were inserted while it was paged', async () => {
    let rows = rowsNamed(1200)
    const { http } = fakeSource((one) => {
      const page = pageOf(rows, one)
      if (one.number === 2) rows = [{ SECUCODE: '000000.BJ', VALUE: -1 }, ...rows]
      return page
    })
    const found = await fetchReport(http, REQUEST)
    expect(found.rows).toHaveLength(1201)
    expect(found.repeated).toBe(0)
  })

  test('is read again when a row stands on two pages, for then another was missed', async () => {
    const rows = rowsNamed(1200)
    const { http } = fakeSource((one) => {
      const shifted = one.number === 2 ? [...rows.slice(0, 499), ...rows.slice(498, 1199)] : rows
      return pageOf(shifted, one)
    })
    expect(await fetchReport(http, REQUEST)).toEqual({ rows, repeated: 0 })
  })

  test('may have a row twice in the source itself', async () => {
    const rows = rowsNamed(1200)
    const twice = [...rows.slice(0, 500), rows[499]!, ...rows.slice(500)]
    const { http, asked } = fakeSource((one) => pageOf(twice, one))
    expect(await fetchReport(http, REQUEST)).toEqual({ rows, repeated: 1 })
    expect(asked).toHaveLength(6)
  })
})

type Break = (rows: readonly SourceRow[], one: Asked) => Reply

function altered(change: (result: Record<string, unknown>) => void, atPage: number): Break {
  return (rows, one) => {
    const page = JSON.parse(pageOf(rows, one).body as string) as { result: Record<string, unknown> }
    if (Number(one.query.get('pageNumber')) === atPage) change(page.result)
    return reply(page)
  }
}

const firstRows = (count: number) => (result: Record<string, unknown>) => {
  result['data'] = (result['data'] as unknown[]).slice(0, count)
}

const BREAKS: readonly (readonly [string, Break, RegExp])[] = [
  ['a short page', altered(firstRows(499), 2), /page 2 of 3 has 499 rows instead of 500/],
  ['a short first page', altered(firstRows(499), 1), /page 1 of 3 has 499 rows/],
  ['a short last page', altered(firstRows(100), 3), /page 3 of 3 has 100 rows instead of 200/],
  ['an empty page called good', altered(firstRows(0), 2), /page 2 of 3 has 0 rows/],
  ['a count that shrinks', altered((r) => (r['count'] = 1100), 2), /declares other totals/],
  ['pages that change', altered((r) => (r['pages'] = 4), 2), /declares other totals/],
  ['too few pages for its count', altered((r) => (r['pages'] = 2), 1), /do not make 2 pages/],
  ['a row that is none', altered((r) => ((r['data'] as unknown[])[7] = 'x'), 2), /no row/],
  ['a row that is a list', altered((r) => ((r['data'] as unknown[])[7] = []), 2), /no row/],
  ['no data', altered((r) => delete r['data'], 1), /no data, pages or count/],
  ['a count in words', altered((r) => (r['count'] = '1200'), 1), /no data, pages or count/],
  ['a code nobody knows', () => reply({ success: false, code: 8888, message: '?' }), /code 8888/],
  ['no code', () => reply({ success: false }), /code none/],
  ['a web page', () => ({ body: '<html><body>访问过于频繁</body></html>' }), /web page/],
]

describe('a report that does not add up is refused:', () => {
  test.each(BREAKS)('%s', async (_name, broken, words) => {
    const rows = rowsNamed(1200)
    const { http } = fakeSource((one) => broken(rows, one))
    await expect(fetchReport(http, REQUEST)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringMatching(words),
    })
  })

  test('a count that never stops growing', async () => {
    let rows = rowsNamed(700)
    const { http, asked } = fakeSource((one) => {
      rows = rowsNamed(rows.length + 1)
      return pageOf(rows, one)
    })
    await expect(fetchReport(http, REQUEST)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
    expect(asked).toHaveLength(8)
  })

  test('9501 is no fault of the day: the report has changed, and it is asked once', async () => {
    const refusal = { success: false, code: 9501, message: 'FOO列不存在' }
    const { http, asked } = fakeSource(() => reply(refusal))
    await expect(fetchReport(http, REQUEST)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining('FOO列不存在'),
    })
    expect(asked).toHaveLength(1)
  })

  test('busy for ever', async () => {
    const { http, asked, clock } = fakeSource(() => reply(BUSY))
    const startMs = clock.ms
    await expect(fetchReport(http, REQUEST)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
    expect(asked).toHaveLength(6)
    expect(clock.ms - startMs).toBeLessThan(300_000)
  })
})
