/** Layouts of new tables: what lake.toml says, and what a call says instead. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createLake, openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { loadFiles } from '../../src/lake/load.ts'
import { rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const open: Lake[] = []
afterAll(async () => {
  for (const lake of open) await lake.close()
})

function csv(text: string): string {
  const path = join(temporaryDirectory(), 'rows.csv')
  writeFileSync(path, text)
  return path
}

const directories = (lake: Lake, table: string): string[] =>
  readdirSync(join(lake.root, 'warehouse', table)).filter((name) => name.startsWith('symbol='))

async function layoutOf(lake: Lake, table: string): Promise<string | undefined> {
  return (await lake.tables()).find((t) => t.name === table)?.layout
}

test('per-symbol by choice: one directory a symbol, symbols kept in the files', async () => {
  const lake = await createLake(temporaryDirectory(), { layout: 'per-symbol', maintenance: false })
  open.push(lake)
  expect(await layoutOf(lake, 'daily')).toBe('per-symbol')
  expect(await layoutOf(lake, 'trade_cal')).toBe('clustered')
  const file = csv(
    'symbol,trade_date,close\n000001,2024-01-02,1\n600519,2024-01-02,2\n600519,2024-01-03,3\n',
  )
  await loadFiles(lake, 'daily', [file])
  expect(directories(lake, 'daily')).toEqual(['symbol=000001.SZ', 'symbol=600519.SH'])
  await loadFiles(lake, 'daily', [csv('symbol,trade_date,close\n600519,2024-01-03,4\n')])
  expect(await rowsOf(lake, 'SELECT symbol, close FROM daily ORDER BY symbol, trade_date')).toEqual(
    [
      { symbol: '000001.SZ', close: 1 },
      { symbol: '600519.SH', close: 2 },
      { symbol: '600519.SH', close: 4 },
    ],
  )
  expect(await lake.verify({ deep: true })).toEqual([])
})

test('lake.toml gives the layout of new tables that have symbols; a load may say otherwise', async () => {
  const first = await createLake(temporaryDirectory(), { maintenance: false })
  await first.close()
  writeFileSync(join(first.root, 'lake.toml'), '[tables]\nlayout = "per-symbol"\n')
  const lake = await openLake(first.root, { maintenance: false })
  open.push(lake)
  const file = csv('symbol,x\n000001,1\n')
  await loadFiles(lake, 'mine', [file], { key: ['symbol'] })
  await loadFiles(lake, 'flat', [file], { key: ['symbol'], layout: 'clustered' })
  await loadFiles(lake, 'other', [csv('id,x\n1,1\n')], { key: ['id'] })
  expect(await layoutOf(lake, 'mine')).toBe('per-symbol')
  expect(await layoutOf(lake, 'flat')).toBe('clustered')
  expect(await layoutOf(lake, 'other')).toBe('clustered')
  expect(await layoutOf(lake, 'daily')).toBe('clustered')
})

test('an unknown layout in lake.toml is an error that names the choices', async () => {
  const root = temporaryDirectory()
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'lake.toml'), '[tables]\nlayout = "hive"\n')
  await expect(openLake(root)).rejects.toThrow(
    /tables\.layout must be one of clustered, per-symbol/,
  )
})
