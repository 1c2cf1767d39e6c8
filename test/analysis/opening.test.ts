/** Engines and lakes that cannot be opened or made, and limits that are no limits. */
import { expect, test, vi } from 'vitest'
import { openEngine } from '../../src/analysis/engine.ts'
import { Lake, createLake } from '../../src/lake/lake.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import { newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

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

test('a version that could not be tagged is not called kept', async () => {
  const lake = await newLake()
  let nowMs = Date.now()
  const effects = { ...lake.store.effects, now: () => (nowMs += 60_000) }
  const files: Files = { ...lake.store.files, link: () => Promise.resolve('exists') }
  const engine = await openEngine({ ...lake.store, files, effects }, { lease: false })
  await expect(engine.pin({ keep: 'paper' })).rejects.toMatchObject({ code: 'WRITE_CONFLICT' })
  await engine.close()
})

test('a lake whose tables were not made is not called made', async () => {
  const write = vi.spyOn(Lake.prototype, 'write')
  write.mockResolvedValueOnce({ kind: 'conflict', reason: 'busy' })
  const made = createLake(temporaryDirectory())
  await expect(made).rejects.toMatchObject({ code: 'WRITE_CONFLICT' })
  write.mockRestore()
})
