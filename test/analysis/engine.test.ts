/** The engine: views of what is there, versions that stand still or move between statements, and typed results. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { AnalysisEngine, EngineOptions } from '../../src/analysis/engine.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { openLake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { listLeases } from '../../src/storage/lake/lease.ts'
import { committed, newLake } from '../support/lake.ts'
import { moveBeforeStart } from '../support/stage.ts'

const engines: AnalysisEngine[] = []
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})

async function engineOf(lake: Lake, options: EngineOptions = {}): Promise<AnalysisEngine> {
  const engine = await lake.analysis(options)
  engines.push(engine)
  return engine
}

async function bars(lake: Lake, date: string, count: number, close = 1): Promise<number> {
  const rows = Array.from({ length: count }, (_, i) => ({
    symbol: `${String(600000 + i)}.SH`,
    trade_date: date,
    close: close + i,
    source: 'test',
  }))
  return committed(await lake.write(date, (tx) => tx.upsert('daily', rows).then(() => undefined)))
}

/** Versions that engines protect; the lake's own lease stands at the version it was made with. */
async function leasedVersions(lake: Lake): Promise<readonly number[]> {
  return (await listLeases(lake.store)).versions
}

const COUNT = 'SELECT count(*)::INTEGER AS n FROM daily'
const count = async (engine: AnalysisEngine): Promise<unknown> =>
  (await engine.query(COUNT))[0]!['n']

describe('views', () => {
  test('every standard table has its views before anything is stored, typed and empty', async () => {
    const engine = await engineOf(await newLake())
    await engine.initViews()
    for (const view of [
      'fin_indicators',
      'fin_balance_sheet_all',
      'financial_statements',
      'daily_qfq',
    ]) {
      const { columns, rows } = await engine.table(`SELECT * FROM ${view}`)
      expect(rows).toEqual([])
      expect(columns.find((column) => column.name === 'symbol')?.type).toBe('VARCHAR')
    }
    const { columns } = await engine.table(
      'SELECT end_date, known_at, basic_eps FROM fin_indicators',
    )
    expect(columns.map((c) => c.type)).toEqual(['DATE', 'TIMESTAMP WITH TIME ZONE', 'DOUBLE'])
  })

  test("a table of one's own has a view of its name, also while it is empty", async () => {
    const lake = await newLake()
    const schema = schemaOf([field('symbol', 'string'), field('score', 'double')])
    const shape = { key: [], clustering: [], layout: 'clustered', vintage: false } as const
    await lake.write('mine', async (tx) => {
      await tx.ensure({ name: 'scores', path: 'warehouse/scores', schema, ...shape })
      await tx.append('scores', [{ symbol: '600519.SH', score: 0.5 }])
    })
    const engine = await engineOf(lake, { follow: true })
    expect(await engine.query('SELECT * FROM scores')).toEqual([
      { symbol: '600519.SH', score: 0.5 },
    ])
    await lake.delete('scores', 'true')
    expect(await engine.query('SELECT * FROM scores')).toEqual([])
    await lake.drop('scores')
    await expect(engine.query('SELECT * FROM scores')).rejects.toMatchObject({ code: 'SQL_ERROR' })
  })

  test('a column that a version has not is an error there and a column later', async () => {
    const lake = await newLake()
    const before = await bars(lake, '2024-01-02', 1)
    await lake.write('wider', (tx) => tx.widen('daily', [field('turnover', 'double')]))
    await lake.write('wide', async (tx) => {
      await tx.upsert('daily', [
        { symbol: '600000.SH', trade_date: '2024-01-03', close: 2, turnover: 0.1 },
      ])
    })
    const old = await engineOf(lake, { at: before })
    const error = await old.query('SELECT turnover FROM daily').catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'SQL_ERROR', details: { position: 7 } })
    const now = await engineOf(lake)
    expect(await now.query('SELECT turnover FROM daily ORDER BY trade_date')).toEqual([
      { turnover: null },
      { turnover: 0.1 },
    ])
  })
})

test('an engine that cannot be opened leaves no lease', async () => {
  const lake = await newLake({ lease: false })
  await expect(lake.analysis({ memoryLimit: 'much' })).rejects.toThrow('Failed to set config')
  expect(readdirSync(join(lake.root, '_lake', 'leases'))).toEqual([])
})

describe('versions', () => {
  test('an engine stays at the head it was opened on; one that follows moves between statements', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 2)
    const still = await engineOf(lake)
    const following = await engineOf(lake, { follow: true })
    expect([await count(still), await count(following)]).toEqual([2, 2])
    const version = await bars(lake, '2024-01-03', 2)
    expect([await count(still), await count(following)]).toEqual([2, 4])
    expect([still.version, following.version]).toEqual([version - 1, version])
    const pinned = await engineOf(lake, { at: version - 1 })
    expect(await count(pinned)).toBe(2)
  })

  test('it opens at a tag and at a moment, and refuses to follow what it pins', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 2)
    await lake.tag('before')
    await bars(lake, '2024-01-03', 2)
    expect(await count(await engineOf(lake, { at: 'before' }))).toBe(2)
    expect(await count(await engineOf(lake, { at: new Date() }))).toBe(4)
    await expect(lake.analysis({ at: 1, follow: true })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(lake.analysis({ at: 99 })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
  })

  test('one statement sees one version of all tables, however many commits come meanwhile', async () => {
    const lake = await newLake()
    const both = (n: number): Promise<unknown> =>
      lake.write(String(n), async (tx) => {
        await tx.upsert('daily', [{ symbol: 'A', trade_date: '2024-01-02', close: n }])
        await tx.upsert('adj_factor', [{ symbol: 'A', trade_date: '2024-01-02', adj_factor: n }])
      })
    await both(0)
    const engine = await engineOf(lake, { follow: true })
    const seen = new Set<unknown>()
    const state = { writing: true }
    const writer = (async () => {
      for (let n = 1; n <= 6; n++) await both(n)
      state.writing = false
    })()
    while (state.writing) {
      const [row] = await engine.query(
        'SELECT close, adj_factor FROM daily JOIN adj_factor USING (symbol, trade_date)',
      )
      expect(row!['adj_factor']).toBe(row!['close'])
      seen.add(row!['close'])
    }
    await writer
    expect(seen.size).toBeGreaterThan(1)
    expect(await engine.query('SELECT close FROM daily')).toEqual([{ close: 6 }])
  })

  test('a stream keeps its version while the engine moves on', async () => {
    const lake = await newLake()
    const before = await bars(lake, '2024-01-02', 5000)
    const engine = await engineOf(lake, { follow: true })
    await engine.initViews()
    let rows = 0
    let moved = false
    for await (const part of engine.stream('SELECT * FROM daily')) {
      rows += part.rows.length
      if (!moved) {
        moved = true
        await bars(lake, '2024-01-03', 1000)
        expect(await count(engine)).toBe(6000)
        expect((await leasedVersions(lake)).includes(before)).toBe(true)
      }
    }
    expect(rows).toBe(5000)
    expect(await leasedVersions(lake)).not.toContain(before)
  })

  test('a stream that meets a change of the views on its way starts again', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 2)
    const engine = await engineOf(lake)
    await engine.initViews()
    await lake.write('wider', (tx) => tx.widen('daily', [field('turnover', 'double')]))
    moveBeforeStart()
    const { value } = await engine.stream('SELECT * FROM daily').next()
    expect(value!.columns.map((column) => column.name)).toContain('turnover')
  })

  test('each version that a stream reads is protected, not the oldest alone', async () => {
    const lake = await newLake()
    const engine = await engineOf(lake, { follow: true })
    const streams: AsyncGenerator[] = []
    const versions: number[] = []
    for (const date of ['2024-01-02', '2024-01-03', '2024-01-04']) {
      versions.push(await bars(lake, date, 5000))
      const stream = engine.stream('SELECT * FROM daily')
      await stream.next()
      streams.push(stream)
    }
    const opened = await leasedVersions(lake)
    expect(opened).toEqual(expect.arrayContaining(versions))
    await streams[1]!.return(undefined)
    expect(await leasedVersions(lake)).not.toContain(versions[1])
    for (const stream of streams) await stream.return(undefined)
  })

  test('a version that an engine of a date stays at is protected when its parent moves on', async () => {
    const lake = await newLake()
    const before = await bars(lake, '2024-01-02', 3)
    const engine = await engineOf(lake)
    const dated = await engine.asOf('2024-01-02')
    await bars(lake, '2024-01-02', 3, 7)
    await engine.refresh()
    expect(dated.leased).toBe(true)
    expect(await leasedVersions(lake)).toContain(before)
    await dated.close()
    expect(await leasedVersions(lake)).not.toContain(before)
  })

  test('a file that is gone is VERSION_VACUUMED for a pinned engine', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 3)
    const engine = await engineOf(lake)
    rmSync(join(lake.root, 'warehouse', 'daily'), { recursive: true })
    const error = await engine.query('SELECT * FROM daily').catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'VERSION_VACUUMED', details: { version: 2 } })
    const streamed = engine.stream('SELECT * FROM daily').next()
    await expect(streamed).rejects.toMatchObject({ code: 'VERSION_VACUUMED' })
  })

  test('its lease keeps its version open through a vacuum', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 3)
    const engine = await engineOf(lake)
    expect(engine.leased).toBe(true)
    await bars(lake, '2024-01-02', 3, 100)
    await lake.vacuum({ apply: true })
    expect(await engine.query('SELECT min(close) AS c FROM daily')).toEqual([{ c: 1 }])
  })
})

describe('results', () => {
  test('parameters are bound by place and by name', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 3)
    const engine = await engineOf(lake)
    const sql = 'SELECT symbol FROM daily WHERE trade_date = ? AND close > ? ORDER BY 1'
    expect(await engine.query(sql, ['2024-01-02', 2])).toEqual([{ symbol: '600002.SH' }])
    expect(
      await engine.query('SELECT close FROM daily WHERE symbol = $s', { s: '600001.SH' }),
    ).toEqual([{ close: 2 }])
  })

  test('columns come as typed arrays, texts as a dictionary, NULLs as a mask', async () => {
    const engine = await engineOf(await newLake())
    const columns = await engine.columns(`
      SELECT i::INTEGER AS i, i::BIGINT AS b, i / 2 AS d, DATE '1970-01-01' + i::INTEGER AS day,
             'v' || (i % 3) AS t, CASE WHEN i % 2 = 0 THEN i::DOUBLE END AS n, [i] AS l
      FROM range(5000) r(i) ORDER BY i`)
    const [i, b, d, day, t, n, l] = columns
    expect(columns.map((c) => c.kind)).toEqual([
      'number',
      'number',
      'number',
      'number',
      'text',
      'number',
      'other',
    ])
    if (i?.kind !== 'number' || b?.kind !== 'number' || d?.kind !== 'number')
      throw new Error('kind')
    expect(i.values).toEqual(Int32Array.from({ length: 5000 }, (_, k) => k))
    expect(b.values[4999]).toBe(4999n)
    expect(d.values[4999]).toBe(2499.5)
    expect(i.valid).toBeUndefined()
    if (day?.kind !== 'number' || t?.kind !== 'text' || n?.kind !== 'number')
      throw new Error('kind')
    expect(day.values[4999]).toBe(4999)
    expect(t.dictionary).toHaveLength(3)
    expect(t.dictionary[t.codes[4999]!]).toBe('v1')
    expect([...n.valid!.subarray(0, 4)]).toEqual([1, 0, 1, 0])
    expect(n.values[4998]).toBe(4998)
    if (l?.kind !== 'other') throw new Error('kind')
    expect(l.values[7]).toEqual([7n])
  })

  test('columns of an empty result are empty arrays', async () => {
    const engine = await engineOf(await newLake())
    const columns = await engine.columns('SELECT close, symbol FROM daily')
    expect(columns).toMatchObject([
      { name: 'close', values: new Float64Array() },
      { name: 'symbol', codes: new Int32Array(), dictionary: [] },
    ])
  })

  test('a stream has every row in order, from far more rows than one chunk', async () => {
    const engine = await engineOf(await newLake())
    let next = 0n
    let wrong = 0
    for await (const part of engine.stream('SELECT i FROM range(200000) r(i)')) {
      for (const [value] of part.rows) if (value !== next++) wrong++
    }
    expect([next, wrong]).toEqual([200_000n, 0])
  })

  test('a stream that is left early lets the engine go on and close', async () => {
    const engine = await engineOf(await newLake())
    for await (const part of engine.stream('SELECT i FROM range(1000000) r(i)')) {
      expect(part.rows.length).toBeGreaterThan(0)
      break
    }
    expect(await engine.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  })

  test('many statements at once are answered, each with its own rows', async () => {
    const engine = await engineOf(await newLake(), { follow: true })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => engine.query('SELECT ?::INTEGER AS i', [i])),
    )
    expect(answers).toEqual(Array.from({ length: 40 }, (_, i) => [{ i }]))
  })

  test('closing during a long query ends it with CANCELLED', async () => {
    const lake = await newLake()
    const engine = await lake.analysis()
    await engine.initViews()
    const query = engine.query(
      'SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b',
    )
    const settled = query.catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await engine.close()
    expect(await settled).toMatchObject({ code: 'CANCELLED' })
  })

  test('a reader without the right to write sees the same rows, without a lease', async () => {
    const lake = await newLake()
    await bars(lake, '2024-01-02', 3)
    const reader = await openLake(lake.root, { readOnly: true, lease: false })
    const engine = await engineOf(reader)
    expect(engine.leased).toBe(false)
    expect(await count(engine)).toBe(3)
    await reader.close()
  })
})
