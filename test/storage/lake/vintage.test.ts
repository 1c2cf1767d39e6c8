/** Vintages: what a source says over time becomes numbered, dated, flagged versions, and nothing else changes. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { openLake } from '../../../src/lake/lake.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import type { Effects } from '../../../src/model/effects.ts'
import { realEffects } from '../../../src/model/effects.ts'
import { LakeError } from '../../../src/model/errors.ts'
import { field } from '../../../src/model/schema.ts'
import { afterFile } from '../../support/after-file.ts'
import { copyOfLake, madeLake, rowsOf } from '../../support/lake.ts'

interface Clock {
  at: string
}

const MADE = '2025-04-29T09:00:00Z'
const effectsOf = (clock: Clock): Effects => ({ ...realEffects, now: () => Date.parse(clock.at) })

let template: string
beforeAll(async () => {
  const lake = await madeLake({ effects: effectsOf({ at: MADE }) })
  await lake.close()
  template = lake.root
})

async function newLake(): Promise<{ lake: Lake; clock: Clock }> {
  const clock = { at: MADE }
  const options = { effects: effectsOf(clock), maintenance: false }
  const lake = await openLake(copyOfLake(template), options)
  afterFile(() => lake.close())
  return { lake, clock }
}

interface Offer {
  readonly notice_date?: string | null
  readonly bps?: number | null
  readonly basic_eps?: number | null
  readonly symbol?: string
}

const REPORT = { symbol: '600519.SH', end_date: '2025-03-31', source: 'eastmoney' }

async function offer(lake: Lake, rows: readonly Offer[], dated = false): Promise<boolean> {
  const outcome = await lake.write('test', async (tx) => {
    await tx.upsert(
      'indicators',
      rows.map((row) => ({ ...REPORT, ...row })),
      { dated },
    )
  })
  if (outcome.kind !== 'committed') throw new Error(outcome.reason)
  return outcome.changed
}

async function stored(lake: Lake): Promise<string[]> {
  let rows: Record<string, unknown>[] = []
  await lake.write('look', async (tx) => {
    rows = await tx.query(
      `SELECT vintage, basic_eps, bps, CAST(notice_date AS VARCHAR) AS n, CAST(visible_date AS VARCHAR) AS v,
              is_latest, origin FROM indicators ORDER BY symbol, end_date, source, vintage`,
    )
  })
  return rows.map((r) =>
    [
      `v${String(r['vintage'])}`,
      `eps=${String(r['basic_eps'])}`,
      `bps=${String(r['bps'])}`,
      `notice=${String(r['n'])}`,
      `visible=${String(r['v'])}`,
      String(r['origin']),
      r['is_latest'] === true ? 'latest' : '',
    ]
      .join(' ')
      .trim(),
  )
}

describe('a source that shows only the present state', () => {
  test('gives vintage 1 with the first notice date, visible on the next trading day', async () => {
    const { lake } = await newLake()
    expect(await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])).toBe(true)
    // 2025-05-01 to 05-05 are holidays, 04-30 is open.
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 live latest',
    ])
  })

  test('met again unchanged writes nothing and makes no version', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])
    const { version } = await lake.head()
    clock.at = '2025-06-01T00:00:00Z'
    expect(await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])).toBe(false)
    // A notice date that moves alone is a republication, not a restatement.
    expect(await offer(lake, [{ notice_date: '2026-04-20', basic_eps: 1 }])).toBe(false)
    expect((await lake.head()).version).toBe(version)
  })

  test('changed becomes the next vintage, dated by the day it was found in Shanghai', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])
    clock.at = '2025-08-29T16:30:00Z' // Already the 30th, a Saturday, in Shanghai.
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 2 }])
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 live',
      'v2 eps=2 bps=null notice=2025-08-30 visible=2025-09-01 live latest',
    ])
  })

  test('going back to an earlier value is a third vintage', async () => {
    const { lake, clock } = await newLake()
    for (const [day, eps] of [
      ['2025-04-29', 1],
      ['2025-05-20', 2],
      ['2025-06-20', 1],
    ] as const) {
      clock.at = `${day}T04:00:00Z`
      await offer(lake, [{ notice_date: '2025-04-29', basic_eps: eps }])
    }
    expect((await stored(lake)).map((row) => row.slice(0, 8))).toEqual([
      'v1 eps=1',
      'v2 eps=2',
      'v3 eps=1',
    ])
    expect((await stored(lake)).at(-1)).toContain('latest')
  })

  test('corrected on the evening before its notice date, the correction is the newest', async () => {
    const { lake, clock } = await newLake()
    clock.at = '2025-04-28T10:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])
    clock.at = '2025-04-28T12:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 2 }])
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 live',
      'v2 eps=2 bps=null notice=2025-04-29 visible=2025-04-30 live latest',
    ])
  })

  test('two rows of one report are two versions, each with its own date where it has one', async () => {
    const { lake, clock } = await newLake()
    clock.at = '2026-01-05T04:00:00Z'
    const both = [
      { notice_date: '2025-08-28', basic_eps: 2 },
      { notice_date: '2025-04-29', basic_eps: 1 },
    ]
    await offer(lake, both)
    const once = [
      'v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 backfill',
      'v2 eps=2 bps=null notice=2025-08-28 visible=2025-08-29 backfill latest',
    ]
    expect(await stored(lake)).toEqual(once)
    expect(await offer(lake, both)).toBe(false)
    expect(await stored(lake)).toEqual(once)
  })

  test('stored long after its notice, a report is a backfill; a change found later is live', async () => {
    const { lake, clock } = await newLake()
    clock.at = '2025-05-07T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])
    await offer(lake, [{ symbol: '000001.SZ', notice_date: '2025-04-30', basic_eps: 1 }])
    clock.at = '2025-06-16T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 3 }])
    expect((await stored(lake)).map((row) => row.split(' ').at(-2))).toEqual([
      'live',
      expect.stringMatching('visible'),
      'live',
    ])
    expect((await stored(lake))[1]).toMatch(/backfill$/)
  })

  test('a column that does not come keeps its value and is no change', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1, bps: 7 }])
    expect(await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])).toBe(false)
    clock.at = '2025-06-16T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 2 }])
    expect((await stored(lake))[1]).toMatch(/^v2 eps=2 bps=7 /)
  })
})

describe('dates that are not known', () => {
  test('the sentinel and NULL are unknown, and are filled once', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: '1900-01-01', basic_eps: 1 }])
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=null visible=null backfill latest',
    ])
    expect(await offer(lake, [{ notice_date: null, basic_eps: 1 }])).toBe(false)
    clock.at = '2025-05-20T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }])
    const filled = ['v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 backfill latest']
    expect(await stored(lake)).toEqual(filled)
    expect(await offer(lake, [{ notice_date: '2025-04-30', basic_eps: 1 }])).toBe(false)
    expect(await stored(lake)).toEqual(filled)
  })

  test('a change that brings the first notice dates vintage 1 and follows as vintage 2', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: null, basic_eps: 1 }])
    clock.at = '2025-05-20T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 2 }])
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 backfill',
      'v2 eps=2 bps=null notice=2025-05-20 visible=2025-05-21 live latest',
    ])
  })

  test('a notice beyond the calendar becomes visible when the calendar grows', async () => {
    const { lake, clock } = await newLake()
    clock.at = '2026-12-31T04:00:00Z'
    await offer(lake, [{ notice_date: '2026-12-31', basic_eps: 1 }])
    expect((await stored(lake))[0]).toContain('visible=null')
    await lake.write('calendar', async (tx) => {
      await tx.upsert('trade_cal', [
        { date: '2027-01-01', is_open: false },
        { date: '2027-01-04', is_open: true },
      ])
      await tx.fillVisibleDates('indicators')
    })
    expect((await stored(lake))[0]).toContain('notice=2026-12-31 visible=2027-01-04')
    const { version } = await lake.head()
    await lake.write('again', async (tx) => {
      await tx.fillVisibleDates('indicators')
    })
    expect((await lake.head()).version).toBe(version)
  })
})

describe('a source that dates its versions', () => {
  test('may bring an older one later; the newest by date is the latest', async () => {
    const { lake } = await newLake()
    await offer(lake, [{ notice_date: '2025-08-28', basic_eps: 2 }], true)
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }], true)
    expect(await stored(lake)).toEqual([
      'v1 eps=2 bps=null notice=2025-08-28 visible=2025-08-29 live latest',
      'v2 eps=1 bps=null notice=2025-04-29 visible=2025-04-30 live',
    ])
    const all = [
      { notice_date: '2025-04-29', basic_eps: 1 },
      { notice_date: '2025-08-28', basic_eps: 2 },
    ]
    expect(await offer(lake, all, true)).toBe(false)
  })

  test('the same values under another date are another version', async () => {
    const { lake, clock } = await newLake()
    clock.at = '2026-05-01T00:00:00Z'
    await offer(lake, [{ notice_date: '2025-04-29', basic_eps: 1 }], true)
    expect(await offer(lake, [{ notice_date: '2026-04-20', basic_eps: 1 }], true)).toBe(true)
    expect(await stored(lake)).toHaveLength(2)
  })

  test('a version without date is met again, not stored again, and its date is filled', async () => {
    const { lake, clock } = await newLake()
    await offer(lake, [{ notice_date: null, basic_eps: 1 }], true)
    expect(await offer(lake, [{ notice_date: null, basic_eps: 1 }], true)).toBe(false)
    await offer(lake, [{ notice_date: null, basic_eps: 2 }], true)
    clock.at = '2025-05-20T00:00:00Z'
    expect(await offer(lake, [{ notice_date: null, basic_eps: 2 }], true)).toBe(false)
    await offer(lake, [{ notice_date: '2025-04-20', basic_eps: 1 }], true)
    expect(await stored(lake)).toEqual([
      'v1 eps=1 bps=null notice=2025-04-20 visible=2025-04-21 backfill',
      'v2 eps=2 bps=null notice=2025-04-29 visible=2025-04-30 live latest',
    ])
  })
})

test('nobody may number, flag or date versions by hand', async () => {
  const { lake } = await newLake()
  for (const column of ['vintage', 'is_latest', 'visible_date']) {
    const write = lake.write('bad', async (tx) => {
      await tx.upsert('indicators', [{ ...REPORT, [column]: null }])
    })
    const error = await write.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(LakeError)
    expect((error as LakeError).code).toBe('INVALID_ARGUMENT')
  }
})

async function shownThen(lake: Lake, strict: boolean): Promise<unknown[]> {
  const engine = await lake.analysis()
  try {
    const then = await engine.asOf('2025-06-09', { strict })
    return await then.query('SELECT basic_eps, gained FROM fin_indicators ORDER BY symbol')
  } finally {
    await engine.close()
  }
}

test('a new column makes a version only of reports that have a value in it, known from that day on', async () => {
  const value = fc.oneof(fc.constant(null), fc.double({ min: -1e9, max: 1e9, noNaN: true }))
  const values = fc.array(value, { minLength: 1, maxLength: 4 })
  const law = fc.asyncProperty(values, fc.boolean(), async (gained, dated) => {
    const { lake, clock } = await newLake()
    const rows = gained.map((_, i) => ({ ...REPORT, symbol: `60000${String(i)}.SH` }))
    const known = rows.map((row, i) => ({ ...row, notice_date: '2025-04-29', basic_eps: i }))
    await offer(lake, known, dated)
    const before = await stored(lake)
    clock.at = '2025-06-10T09:00:00Z'
    const wider = known.map((row, i) => ({ ...row, gained: gained[i]! }))
    await lake.write('widen', (tx) => tx.widen('indicators', [field('gained', 'double')]))
    expect(await stored(lake)).toEqual(before)
    const some = gained.some((v) => v !== null)
    expect(await offer(lake, wider, dated)).toBe(some)
    expect(await offer(lake, wider, dated)).toBe(false)
    const all = await stored(lake)
    expect(all).toHaveLength(rows.length + gained.filter((v) => v !== null).length)
    const facts = (line: string): string => line.replace(' latest', '')
    for (const line of before) expect(all.map(facts)).toContain(facts(line))
    const latest = await rowsOf(lake, 'SELECT gained FROM fin_indicators ORDER BY symbol')
    expect(latest.map((row) => row['gained'])).toEqual(gained)
    const then = await shownThen(lake, false)
    // A source that dates its versions says itself that the value is of then; what was stored then is the strict answer.
    expect(then).toEqual(gained.map((v, i) => ({ basic_eps: i, gained: dated ? v : null })))
    expect(await shownThen(lake, true)).toEqual(
      gained.map((_, i) => ({ basic_eps: i, gained: null })),
    )
  })
  await fc.assert(law, { numRuns: 5 })
})
