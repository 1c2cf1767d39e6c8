/** A sync killed at every step of a batch, or out of space there: what the next one leaves is what an undisturbed one does. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startExchange } from '../../src/exchange/server.ts'
import type { Exchange } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { newLake, rowsOf } from '../support/lake.ts'

const RANGE = { since: '2023-06-30', until: '2023-12-31' }
const VIEWS = ['fin_indicators', 'fin_balance_sheet', 'fin_income_statement', 'fin_cash_flow']

let exchange: Exchange
let undisturbed: unknown
beforeAll(async () => {
  exchange = await startExchange({ symbols: 60, today: '2024-06-30' })
  process.env['MARKETLAKE_EASTMONEY_URL'] = exchange.url
  const calm = await freshLake()
  const { outcome } = await syncLake(calm, RANGE)
  if (outcome !== 'committed') throw new Error(outcome)
  undisturbed = await contentOf(calm)
})
afterAll(() => exchange.close())

async function freshLake(): Promise<Lake> {
  const lake = await newLake()
  writeFileSync(join(lake.root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 0\n')
  return lake
}

/** What the reports say, whatever the time at which they came. */
async function contentOf(lake: Lake): Promise<unknown> {
  const each = VIEWS.map(
    (view) => `SELECT '${view}' AS name, count(*) AS rows, CAST(bit_xor(hash(r)) AS VARCHAR) AS hash
      FROM (SELECT * EXCLUDE (known_at, origin) FROM ${view}_all) r`,
  )
  return rowsOf(lake, each.join(' UNION ALL '))
}

interface Ended {
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
}

function disturbed(lake: Lake, what: 'kill' | 'full', step: string): Promise<Ended> {
  const args = ['test/workers/sync-step.mjs', lake.root, RANGE.since, RANGE.until, what, step]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  return new Promise((done) => child.on('close', (_code, signal) => done({ signal, stdout })))
}

/** Tables that change together hold the same periods, whatever happened. */
async function expectWholePeriods(lake: Lake): Promise<void> {
  const periods = (view: string): string =>
    `(SELECT list_sort(list(DISTINCT end_date)) FROM ${view}_all)`
  const [row] = await rowsOf(
    lake,
    `SELECT ${VIEWS.map((view) => `${periods(view)}::VARCHAR AS ${view}`).join(', ')}`,
  )
  expect(new Set(Object.values(row!)).size).toBe(1)
}

const RECORD = '_lake/\\d{20}\\.json$'
const DELTA = '_delta_log/\\d{20}\\.json$'
const STEPS = [
  'start 1',
  'page 1',
  'page 3',
  'page 4',
  `before link ${RECORD}`,
  `after link ${RECORD}`,
  `before link ${DELTA}`,
  `after link ${DELTA}`,
  'before appendFile journal/',
  'after appendFile journal/',
  'committed 1',
  'start 2',
  'page 6',
  'committed 3',
]

describe('killed at', () => {
  test.each(STEPS)('%s', async (step) => {
    const lake = await freshLake()
    expect(await disturbed(lake, 'kill', step)).toMatchObject({ signal: 'SIGKILL' })
    await expectWholePeriods(lake)
    expect((await syncLake(lake, RANGE)).failed).toEqual([])
    expect(await contentOf(lake)).toEqual(undisturbed)
    expect(await lake.verify({ deep: true })).toEqual([])
  })
})

describe('the disk is full from', () => {
  test.each(['page 2', `before link ${RECORD}`, `before link ${DELTA}`, 'page 6', 'committed 1'])(
    '%s on',
    async (step) => {
      const lake = await freshLake()
      const { signal, stdout } = await disturbed(lake, 'full', step)
      expect(signal).toBeNull()
      const result = stdout === '' ? undefined : (JSON.parse(stdout) as { reached: boolean })
      expect(result).toMatchObject({ reached: true })
      expect(result).not.toMatchObject({ outcome: 'committed' })
      await expectWholePeriods(lake)
      expect((await syncLake(lake, RANGE)).failed).toEqual([])
      expect(await contentOf(lake)).toEqual(undisturbed)
      expect(await lake.verify({ deep: true })).toEqual([])
    },
  )
})
