/** Turns at a host: shared by processes, kept under kills, and never worth a wait for ever. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHttp } from '../../src/ingestion/http.ts'
import { createPace } from '../../src/ingestion/pace.ts'
import type { Pace } from '../../src/ingestion/pace.ts'
import { MemoryDisk } from '../support/memory-files.ts'
import type { Clock } from '../support/source.ts'
import { NO_SETTINGS, clockAt } from '../support/source.ts'

const HOST = 'exchange.test'
const DIRECTORY = '/sources'

interface World {
  readonly disk: MemoryDisk
  readonly clock: Clock
  /** A process with an own memory, on the same disk and clock. */
  readonly process: () => Pace
}

async function world(): Promise<World> {
  const disk = new MemoryDisk()
  await disk.files().makeDirectory(DIRECTORY)
  const clock = clockAt()
  return {
    disk,
    clock,
    process: () => createPace({ effects: clock, files: disk.files(), directory: DIRECTORY }),
  }
}

/** Takes a turn and says when it began. */
async function turn(pace: Pace, clock: Clock, paceMs = 300): Promise<number> {
  await pace.turn(HOST, paceMs, (timeMs) => clock.sleep(timeMs))
  return clock.ms
}

describe('turns', () => {
  test('of any number of processes are a pace apart', async () => {
    const takers = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(takers, fc.integer({ min: 1, max: 2000 }), async (order, paceMs) => {
        const { clock, process } = await world()
        const processes = [0, 1, 2, 3].map(() => process())
        const times: number[] = []
        for (const taker of order) times.push(await turn(processes[taker]!, clock, paceMs))
        for (const [i, at] of times.entries())
          if (i > 0) expect(at - times[i - 1]!).toBeGreaterThanOrEqual(paceMs)
      }),
      { numRuns: 50 },
    )
  })

  test('a clock that goes back by half an hour does not stop the next one for so long', async () => {
    const { clock, process } = await world()
    const pace = process()
    const before = await turn(pace, clock)
    clock.ms -= 1_800_000
    expect((await turn(pace, clock)) - (before - 1_800_000)).toBeLessThan(1000)
  })

  test('are not given twice when all ask at once', async () => {
    const { disk, process } = await world()
    const starts = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const own = clockAt()
        const pace = createPace({ effects: own, files: disk.files(), directory: DIRECTORY })
        return turn(pace, own)
      }),
    )
    expect(new Set(starts).size).toBe(12)
    expect(process()).toBeDefined()
  })

  test('are shared at every host that a source has', async () => {
    const { clock, disk, process } = await world()
    const pace = process()
    for (const host of ['one.test', 'two.test', 'one.test', 'two.test'])
      await pace.turn(host, 300, (timeMs) => clock.sleep(timeMs))
    for (const host of ['one.test', 'two.test'])
      expect(await disk.files().list(`${DIRECTORY}/${host}`)).toHaveLength(2)
  })

  test('of a process that was killed cost one slot at most', async () => {
    const { clock, process } = await world()
    void process().turn(HOST, 300, () => new Promise(() => undefined))
    await new Promise((resolve) => setTimeout(resolve, 0))
    const startMs = clock.ms
    expect((await turn(process(), clock)) - startMs).toBeLessThanOrEqual(600)
  })

  test('survive a torn file of the state', async () => {
    const { disk, clock, process } = await world()
    await process().throttled(HOST, 5000, 'busy')
    const files = disk.files()
    await files.remove(`${DIRECTORY}/${HOST}/state.json`)
    await files.create(`${DIRECTORY}/${HOST}/state.json`, new TextEncoder().encode('{"holdUn'))
    const startMs = clock.ms
    expect((await turn(process(), clock)) - startMs).toBeLessThanOrEqual(600)
  })

  test('go on when the clock goes back', async () => {
    const { clock, process } = await world()
    const pace = process()
    await turn(pace, clock)
    await pace.throttled(HOST, 5000, 'busy')
    clock.ms -= 86_400_000
    const startMs = clock.ms
    for (const one of [pace, process()]) {
      expect((await turn(one, clock)) - startMs).toBeLessThanOrEqual(2000)
    }
  })

  test('leave nothing behind but the last minute', async () => {
    const { disk, clock, process } = await world()
    const pace = process()
    for (let i = 0; i < 450; i++) await turn(pace, clock, 1000)
    expect((await disk.files().list(`${DIRECTORY}/${HOST}`)).length).toBeLessThan(250)
  })

  test('are taken alone where the disk refuses', async () => {
    const clock = clockAt()
    const files = new MemoryDisk().files()
    const pace = createPace({ effects: clock, files, directory: '/no/such/place' })
    const first = await turn(pace, clock)
    expect((await turn(pace, clock)) - first).toBeGreaterThanOrEqual(300)
  })
})

describe('overload', () => {
  test('is waited for by everybody, and then all are slower for a while', async () => {
    const { clock, process } = await world()
    await process().throttled(HOST, 61_000, 'limit a minute')
    const startMs = clock.ms
    const other = process()
    const first = await turn(other, clock)
    expect(first - startMs).toBeGreaterThanOrEqual(61_000)
    expect((await turn(other, clock)) - first).toBeGreaterThanOrEqual(600)
    clock.ms += 400_000
    const later = await turn(other, clock)
    expect((await turn(process(), clock)) - later).toBeLessThan(600)
  })
})

describe('a host that answers nobody', () => {
  test('is left alone by all after three requests, a minute first, then longer', async () => {
    const { clock, process } = await world()
    for (let i = 0; i < 3; i++) await process().failed(HOST, 'dropped')
    await expect(turn(process(), clock)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      details: { failures: 3, reason: 'dropped' },
    })
    clock.ms += 60_001
    await turn(process(), clock)
    await process().failed(HOST, 'dropped again')
    clock.ms += 60_001
    await expect(turn(process(), clock)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
    clock.ms += 60_000
    await turn(process(), clock)
    await process().succeeded(HOST)
    await process().failed(HOST, 'once')
    await turn(process(), clock)
  })

  test('costs no more than so many requests, whoever asks', async () => {
    const { clock, disk } = await world()
    let asked = 0
    const client = () =>
      createHttp({
        source: 'test',
        settings: NO_SETTINGS,
        effects: clock,
        signal: new AbortController().signal,
        onEvent: () => undefined,
        pace: createPace({ effects: clock, files: disk.files(), directory: DIRECTORY }),
        fetch: () => {
          asked++
          return Promise.reject(
            new TypeError('fetch failed', { cause: new Error('other side closed') }),
          )
        },
      })
    const codes: unknown[] = []
    for (let i = 0; i < 20; i++) {
      const get = client().get(`http://${HOST}/`, () => ({ kind: 'ok', value: 1 }))
      codes.push(await get.catch((error: { code: string }) => error.code))
    }
    expect(codes.slice(0, 3)).toEqual(['SOURCE_FAILED', 'SOURCE_FAILED', 'SOURCE_FAILED'])
    expect(new Set(codes.slice(3))).toEqual(new Set(['SOURCE_UNAVAILABLE']))
    expect(asked).toBe(18)
  })
})
