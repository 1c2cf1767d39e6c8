/** Engines that cannot be opened, and limits that are no limits. */
import { expect, test, vi } from 'vitest'
import { Database } from '../../src/storage/parquet/database.ts'
import { newLake } from '../support/lake.ts'

test('an engine that cannot be opened leaves no database behind', async () => {
  const lake = await newLake()
  const open = vi.spyOn(Database, 'open')
  await expect(lake.analysis({ sqlite: '/nowhere/meta.sqlite' })).rejects.toMatchObject({
    name: 'LakeError',
  })
  const opened = await Promise.all(open.mock.results.map(({ value }) => value as Promise<Database>))
  open.mockRestore()
  expect(opened.map((database) => database.isOpen)).toEqual([false])
})

test('a time limit longer than any timer is none', async () => {
  const lake = await newLake()
  const engine = await lake.analysis()
  const sql = 'SELECT sum(hash(range) % 7) > 0 AS done FROM range(3000000)'
  const rows = await engine.query(sql, undefined, { timeoutMs: 2 ** 32 })
  await engine.close()
  expect(rows).toEqual([{ done: true }])
})
