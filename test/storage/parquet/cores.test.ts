/** Bulk work gets all cores, and the engine its own number back, whatever became of the work. */
import { availableParallelism } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '../../../src/storage/parquet/database.ts'

let database: Database
beforeAll(async () => void (database = await Database.open({ threads: 1 })))
afterAll(() => database.close())

const threads = async (): Promise<number> =>
  database.using(async (session) => {
    const row = await session.row<{ n: bigint }>("SELECT current_setting('threads') AS n")
    return Number(row.n)
  })

test('two pieces of work at once: the last to end gives the cores back', async () => {
  let end!: () => void
  const long = database.withAllCores(() => new Promise<void>((resolve) => (end = resolve)))
  expect(await database.withAllCores(threads)).toBe(availableParallelism())
  expect(await threads()).toBe(availableParallelism())
  end()
  await long
  expect(await threads()).toBe(1)
})

test('work that fails gives them back too', async () => {
  const failing = database.withAllCores(() => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  expect(await threads()).toBe(1)
})

test('statements side by side have a thread each, and the cores come back after them', async () => {
  await database.withAllCores(async () => {
    await database.using(async (session) => {
      expect(await session.apart(threads)).toBe(1)
      expect(session.threads).toBe(availableParallelism())
      await expect(session.apart(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    })
    expect(await threads()).toBe(availableParallelism())
  })
  expect(await threads()).toBe(1)
})
