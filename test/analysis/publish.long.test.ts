/** `analysis.duckdb` in every DuckDB from 1.1 to 2.0: the same answers, and no error while syncs run, publish and vacuum. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { startExchange } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { marketlake } from '../support/command.ts'
import { answersAsOurs, filledLake, notebookCells, readsWhile } from '../support/published.ts'
import { describePython, pythonPackage } from '../support/python.ts'

const VERSIONS = ['1.1.3', '1.5.6', '2.0.1']

let lake: Lake
let path: string
beforeAll(async () => {
  lake = await filledLake()
  path = (await lake.publishViews()).path
})

describe.each(VERSIONS)('%s', (version) => {
  describePython(`duckdb==${version}`, (packages) => {
    test('answers as our engine does, every view of it', () => answersAsOurs(packages, path, lake))

    test('runs every cell of the notebook', async () => {
      const cells = await notebookCells(packages, lake)
      expect(cells.length).toBeGreaterThan(6)
      expect(cells.some((cell) => /600519.SH.* 68.64 /.test(cell))).toBe(true)
      expect(cells.some((cell) => cell.includes('利润总额'))).toBe(true)
      expect(cells).toContain(
        `1 versions of reports in ${String((await lake.head()).version)} lake versions`,
      )
    })

    test('reads without an error while a writer commits and publishes', async () => {
      const other = await filledLake()
      await other.publishViews()
      await readsWhile(
        [packages],
        join(other.root, 'analysis.duckdb'),
        { least: 12 },
        async (i) => {
          const rows = Array.from({ length: 50 }, (_, k) => ({
            symbol: `T${String(k)}`,
            trade_date: '2025-04-03',
            close: i,
          }))
          await other.write(String(i), (tx) => tx.upsert('daily', rows).then(() => undefined))
          await other.publishViews()
        },
      )
    })
  })
})

test('readers of every version see no error while the command syncs, quarter by quarter, and vacuums', async () => {
  const packages = VERSIONS.map((version) => pythonPackage(`duckdb==${version}`)).filter(
    (directory) => directory !== undefined,
  )
  if (packages.length === 0) return
  const exchange = await startExchange({ symbols: 120, today: '2025-11-20' })
  const other = await filledLake()
  await other.publishViews()
  writeFileSync(join(other.root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 1\n')
  const env = { MARKETLAKE_EASTMONEY_URL: exchange.url }
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await marketlake(['--lake', other.root, ...args], { env })
    expect(code, stderr).toBe(0)
  }
  const quarters = ['2023Q4', '2024Q1', '2024Q2', '2024Q3', '2024Q4', '2025Q1', '2025Q2', '2025Q3']
  try {
    const file = join(other.root, 'analysis.duckdb')
    const wanted = { least: 10, rounds: quarters.length }
    const reads = await readsWhile(packages, file, wanted, async (i) => {
      await run('sync', '--since', quarters[i]!, '--until', quarters[i]!)
      if (i % 4 === 3) await run('vacuum', '--apply')
    })
    expect(Math.min(...reads)).toBeGreaterThan(9)
  } finally {
    await exchange.close()
  }
})
