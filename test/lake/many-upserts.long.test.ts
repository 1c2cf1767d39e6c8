/** A lake that nobody tends stays small: files, commits and records are bounded by what is kept, not by what was done. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createLake, openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { committed, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const UPSERTS = 300
const SYMBOLS = 20
const open: Lake[] = []
afterAll(async () => {
  for (const lake of open) await lake.close()
})

const count = (path: string, pattern: RegExp): number =>
  readdirSync(path).filter((name) => pattern.test(name)).length

/** Records that are whole; below the horizon stubs stand in their places. */
function records(path: string): number {
  const names = readdirSync(path).filter((name) => /^\d{20}\.json$/.test(name))
  return names.filter((name) => !readFileSync(join(path, name), 'utf8').includes('"stub":true'))
    .length
}

async function tinyRetention(): Promise<Lake> {
  const root = temporaryDirectory()
  await (await createLake(root, { maintenance: false })).close()
  const retention = '[retention]\nversions = "1 second"\nfiles = "1 second"\nstaged = "5 seconds"\n'
  writeFileSync(join(root, 'lake.toml'), retention)
  const lake = await openLake(root)
  open.push(lake)
  return lake
}

test('hundreds of small upserts leave few files, and no more log than is kept', async () => {
  const lake = await tinyRetention()
  const schema = schemaOf([
    field('symbol', 'string'),
    field('trade_date', 'date'),
    field('close', 'double'),
  ])
  const bars = {
    name: 'bars',
    schema,
    key: ['symbol', 'trade_date'],
    clustering: ['symbol', 'trade_date'],
    period: { column: 'trade_date', unit: 'month' as const },
  }
  const day = (n: number): string => new Date(Date.UTC(2020, 0, 1 + n)).toISOString().slice(0, 10)
  for (let n = 0; n < UPSERTS; n++) {
    const rows = Array.from({ length: SYMBOLS }, (_, i) => ({
      symbol: `s${i}`,
      trade_date: day(n),
      close: n + i,
    }))
    // Sources correct themselves now and then.
    if (n > 0 && n % 10 === 0) rows.push({ symbol: 's1', trade_date: day(n - 1), close: -n })
    committed(
      await lake.write('day', async (tx) => {
        await tx.ensure(bars)
        await tx.upsert('bars', rows)
      }),
    )
    // However slow the machine is, what is due is done before the next commit.
    await lake.idle()
  }
  const table = (await lake.tables()).find(({ name }) => name === 'bars')!
  expect(table.rows).toBe(UPSERTS * SYMBOLS)
  // Ten months: old ones in one file, three hot ones with at most eight small files each.
  expect(table.files).toBeLessThan(40)
  // Old versions are kept for a second, so nearly all is gone after a last vacuum.
  const before = await lake.head()
  await new Promise((resolve) => setTimeout(resolve, 6000))
  await lake.vacuum({ apply: true })
  const root = join(lake.root, table.path)
  expect(before.horizon).toBeGreaterThan(UPSERTS / 4)
  expect(count(join(root, '_delta_log'), /^\d{20}\.json$/)).toBeLessThan(60)
  expect(count(root, /\.parquet$/)).toBeLessThan(60)
  expect(records(join(lake.root, '_lake'))).toBeLessThan(60)
  expect(await lake.verify({ deep: true })).toEqual([])
  const rows = await rowsOf(
    lake,
    "SELECT close FROM bars WHERE symbol = 's1' AND trade_date = '2020-01-10'",
  )
  expect(rows).toEqual([{ close: -10 }])
})
