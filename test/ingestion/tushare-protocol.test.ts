/** Tushare's protocol: pages, errors by number and words, and the token that nobody sees. */
import { describe, expect, test } from 'vitest'
import { fetchTushare } from '../../src/ingestion/tushare-protocol.ts'
import { LakeError } from '../../src/model/errors.ts'
import type { FakeSource } from '../support/source.ts'
import { fakeSource } from '../support/source.ts'
import type { Table } from '../support/tushare.ts'
import { TOKEN, bodyOf, ok, refusal, SETTINGS, tushare } from '../support/tushare.ts'

const REQUEST = { api: 'income_vip', parameters: { period: '20241231' }, required: ['ts_code'] }

function fetchRows(source: FakeSource) {
  return fetchTushare({ http: source.http, baseUrl: '', token: TOKEN }, REQUEST)
}

function codes(count: number): Table {
  const items = Array.from({ length: count }, (_, i) => [`${String(i).padStart(6, '0')}.SZ`, i])
  return { fields: ['ts_code', 'value'], items }
}

describe('pages', () => {
  test.each([0, 1, 4999, 5000, 5001, 11_391])('of %i rows come whole', async (count) => {
    const all = codes(count)
    const source = tushare(({ params }) => {
      const [limit, offset] = [Number(params['limit']), Number(params['offset'])]
      return ok({ ...all, items: all.items.slice(offset, offset + limit) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(count)
  })

  test.each([100, 1000, 4500])('come whole from a source that gives %i at a time', async (cap) => {
    const all = codes(5391)
    const source = tushare(({ params }) => {
      const offset = Number(params['offset'])
      return ok({ ...all, items: all.items.slice(offset, offset + cap) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(5391)
  })

  test('go on while the source says that more follows', async () => {
    const all = codes(700)
    const source = tushare(({ params }) => {
      const offset = Number(params['offset'])
      return ok({ ...all, items: all.items.slice(offset, offset + 33) }, offset + 33 < 700)
    })
    expect((await fetchRows(source)).rows).toHaveLength(700)
  })

  test('that shifted are read again', async () => {
    const all = codes(7000)
    const source = tushare(({ params }, one) => {
      const offset = Number(params['offset'])
      const from = one.number === 2 ? offset - 1 : offset
      return ok({ ...all, items: all.items.slice(from, from + 5000) })
    })
    expect((await fetchRows(source)).rows).toHaveLength(7000)
  })

  test.each([
    ['a row with a value too few', { fields: ['ts_code', 'v'], items: [['000001.SZ']] }],
    ['a row that is none', { fields: ['ts_code', 'v'], items: ['000001.SZ'] as never }],
    ['a field without name', { fields: ['ts_code', 7 as never], items: [['000001.SZ', 1]] }],
  ])('with %s are refused', async (_name, table) => {
    const source = tushare(() => ok(table))
    await expect(fetchRows(source)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
  })

  test('without a column that is needed are refused by name', async () => {
    const source = tushare(() => ok({ fields: ['code'], items: [['000001.SZ']] }))
    await expect(fetchRows(source)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining('ts_code'),
    })
  })
})

describe('errors', () => {
  test('a limit by the minute is waited for, at least a minute', async () => {
    const source = tushare((_body, one) =>
      one.number === 1 ? refusal(40203, '抱歉，您每分钟最多访问该接口500次') : ok(codes(1)),
    )
    const startMs = source.clock.ms
    expect((await fetchRows(source)).rows).toHaveLength(1)
    expect(source.clock.ms - startMs).toBeGreaterThanOrEqual(61_000)
    expect(source.clock.ms - startMs).toBeLessThanOrEqual(66_000)
  })

  test.each([
    ['points', 40203, '抱歉，您没有访问该接口的权限，权限的具体详情访问官网', 'SOURCE_REFUSED'],
    ['points by another number', 2002, '积分不足', 'SOURCE_REFUSED'],
    ['a limit by the day', 40203, '抱歉，您每天最多访问该接口100000次', 'SOURCE_REFUSED'],
    ['a bad token', 40101, '您的token不对，请确认。', 'SOURCE_REFUSED'],
    ['something unknown', 50101, '系统内部错误', 'SOURCE_FAILED'],
  ])('%s: asked once, %i', async (_name, code, words, expected) => {
    const source = tushare(() => refusal(code, words))
    await expect(fetchRows(source)).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(words),
    })
    expect(source.asked).toHaveLength(1)
  })

  test('a bad token ends the whole sync, missing points only what needs them', async () => {
    const final = async (code: number, words: string): Promise<unknown> =>
      fetchRows(tushare(() => refusal(code, words))).catch(
        (error: LakeError) => error.details['final'],
      )
    expect(await final(40101, '您的token不对，请确认。')).toBe(true)
    expect(await final(2002, '积分不足')).toBeUndefined()
  })

  test('without a token nothing is asked', async () => {
    const source = fakeSource(() => ok(codes(1)))
    const access = { http: source.http, baseUrl: '', token: '' }
    await expect(fetchTushare(access, REQUEST)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      next: expect.stringContaining('TUSHARE_TOKEN'),
    })
    expect(source.asked).toHaveLength(0)
  })
})

describe('the token', () => {
  test.each([
    ['an error of the source', 40101, `您的token(${TOKEN})不对，请确认。`],
    ['an unknown error', 50101, `bad ${TOKEN} ${TOKEN}`],
  ])('is in no part of %s', async (_name, code, words) => {
    const source = tushare(() => refusal(code, words))
    const error = await fetchRows(source).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(LakeError)
    const { message, details, next, cause } = error as LakeError
    expect(JSON.stringify({ message, details, next, cause: String(cause) })).not.toContain(TOKEN)
    expect(message).toContain('***')
  })

  test('is in no event, and in no error of the network', async () => {
    const source = fakeSource(() => ok(codes(1)), {
      settings: SETTINGS,
      fetch: () =>
        Promise.reject(new TypeError('fetch failed', { cause: new Error(`at ${TOKEN}`) })),
    })
    const error = (await fetchRows(source).catch((thrown: unknown) => thrown)) as LakeError
    expect(JSON.stringify([error.message, error.details])).not.toContain(TOKEN)
    expect(source.events.length).toBeGreaterThan(0)
    expect(JSON.stringify(source.events)).not.toContain(TOKEN)
  })

  test('goes in the body and not in the address', async () => {
    const source = tushare(() => ok(codes(1)))
    await fetchRows(source)
    expect(source.asked[0]!.url.href).toBe('http://api.tushare.pro/')
    expect(bodyOf(source.asked[0]!).token).toBe(TOKEN)
  })
})
