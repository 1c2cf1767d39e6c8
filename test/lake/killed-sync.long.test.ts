/** A sync killed at random moments: the lake answers at once, has every acknowledged commit, and the next sync goes on. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startExchange } from '../../src/exchange/server.ts'
import type { Exchange } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { marketlake } from '../support/command.ts'
import { newLake, newPacelessLake, rowsOf } from '../support/lake.ts'

/** `MARKETLAKE_KILLS=50` for the whole trial. */
const KILLS = Number(process.env['MARKETLAKE_KILLS'] ?? 8)
const [SINCE, UNTIL] = ['2018-12-31', '2023-12-31']

let exchange: Exchange | undefined
afterAll(() => exchange?.close())

/** Runs a sync in a process of its own and kills it after a while; versions that it acknowledged before. */
async function killedSync(
  lake: Lake,
  afterMs: number,
): Promise<{ versions: number[]; ended: boolean }> {
  const child = spawn(process.execPath, ['test/workers/sync.mjs', lake.root, SINCE, UNTIL], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  await new Promise((done) => child.on('close', done))
  clearTimeout(timer)
  const lines = text.split('\n').filter((line) => line !== '')
  return { versions: lines.filter((l) => l !== 'done').map(Number), ended: lines.includes('done') }
}

/** What the reports say, whatever the order and time in which they came. */
async function contentOf(lake: Lake): Promise<unknown> {
  const views = ['fin_indicators', 'fin_balance_sheet', 'fin_income_statement', 'fin_cash_flow']
  const result: unknown[] = []
  for (const view of views) {
    result.push(
      await rowsOf(
        lake,
        `SELECT '${view}' AS name, count(*) AS rows,
           CAST(bit_xor(hash(r)) AS VARCHAR) AS content
         FROM (SELECT * EXCLUDE (known_at, origin) FROM ${view}_all) r`,
      ),
    )
  }
  return result
}

test(`${String(KILLS)} kills lose nothing that was acknowledged, and the sync ends where an undisturbed one does`, async () => {
  exchange = await startExchange({ symbols: 300, today: '2024-06-30' })
  process.env['MARKETLAKE_EASTMONEY_URL'] = exchange.url
  const lake = await newLake()
  writeFileSync(join(lake.root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 5\n')
  const acknowledged: number[] = []
  let kills = 0
  for (let i = 0; i < KILLS; i++) {
    const { versions, ended } = await killedSync(lake, 300 + ((i * 7919) % 2500))
    acknowledged.push(...versions)
    if (!ended) kills++
    const tables = await marketlake(['--lake', lake.root, '--json', 'tables'])
    expect(tables.code, tables.stderr).toBe(0)
    const query = await marketlake([
      '--lake',
      lake.root,
      '--json',
      'query',
      'SELECT count(*) FROM fin_indicators_all',
    ])
    expect(query.code, query.stderr).toBe(0)
    const present = new Set((await lake.history()).map((record) => record.version))
    expect(acknowledged.filter((version) => !present.has(version))).toEqual([])
  }
  expect(kills).toBeGreaterThan(0)
  expect((await killedSync(lake, 600_000)).ended).toBe(true)
  expect(await lake.verify({ deep: true })).toEqual([])

  const calm = await newPacelessLake()
  expect((await syncLake(calm, { since: SINCE, until: UNTIL })).failed).toEqual([])
  expect(await contentOf(lake)).toEqual(await contentOf(calm))
})
