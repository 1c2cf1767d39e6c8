/** Batches of a dual writer that hold no rows, or rows that hold no value. */
import { expect, test } from 'vitest'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import { beginDualWrite, cutOverToLake, verifyOldFile } from '../../src/lake/migration.ts'
import { rowsOf } from '../support/lake.ts'
import { barsAndLogs } from '../support/migration.ts'

test('no rows are a batch as well, and a row without a value is a row of NULLs', async () => {
  const { lake } = await barsAndLogs()
  await beginDualWrite(lake)
  const w = await DualWriter.open({ lake: lake.root, threads: 1 })
  const empty = { bars: [], logs: { columns: {} } }
  expect(await w.write(empty)).toMatchObject({ lake: { kind: 'committed' } })
  await w.write({ bars: [{ symbol: '000009', trade_date: '2024-03-01' }], logs: [{}] })
  await expect(w.write({ bars: [{}] })).rejects.toMatchObject({ code: 'NULL_KEY' })
  expect((await verifyOldFile(lake)).equal).toBe(true)
  expect(await rowsOf(lake, 'SELECT count(*) AS n FROM logs WHERE n IS NULL')).toEqual([{ n: 1n }])
  await cutOverToLake(lake)
  expect(await w.write(empty)).toMatchObject({ lake: { kind: 'committed', changed: false } })
  await w.close()
})
