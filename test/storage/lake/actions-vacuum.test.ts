/** A record whose actions stand in a file of their own becomes a stub like any other when its version is given up. */
import { expect, test } from 'vitest'
import { history } from '../../../src/storage/lake/catalog.ts'
import { readRecord } from '../../../src/storage/lake/lake-log.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { RETENTION, operations, upsert } from '../../support/lake-operations.ts'
import { modelWorld, openModel } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

test('a record whose actions go while it is read is a stub', async () => {
  const world = await modelWorld(seeded(1))
  const store = await openModel(world, 1)
  const noDatabase = (): never => {
    throw new Error('nothing here needs an engine')
  }
  await operations(noDatabase)['actions in a file of their own']!.run(world, store)
  const { version } = store.head
  for (const key of [1, 2, 3]) await upsert('A', key)(world, store)
  world.disk.nowMs += 1_000_000
  await upsert('A', 4)(world, store)
  world.disk.nowMs += 1_000_000
  let vacuums = 0
  const read: typeof store.files.read = async (path, ...range) => {
    if (path.endsWith('.ndjson') && vacuums++ === 0)
      await vacuumLake({ ...store, retention: RETENTION }, { apply: true })
    return store.files.read(path, ...range)
  }
  const record = await readRecord({ ...store, files: { ...store.files, read } }, version)
  expect([vacuums, record?.stub]).toEqual([1, true])
})

test('the history can still be read after the vacuum that took its actions', async () => {
  const world = await modelWorld(seeded(1))
  const store = await openModel(world, 1)
  const noDatabase = (): never => {
    throw new Error('nothing here needs an engine')
  }
  await operations(noDatabase)['actions in a file of their own']!.run(world, store)
  for (const key of [1, 2, 3]) await upsert('A', key)(world, store)
  world.disk.nowMs += 1_000_000
  await upsert('A', 4)(world, store)
  world.disk.nowMs += 1_000_000
  await vacuumLake({ ...store, retention: RETENTION }, { apply: true })
  expect(world.disk.paths().filter((path) => path.endsWith('.ndjson'))).toEqual([])
  const records = await history(await openModel(world, 2))
  expect(records.filter((record) => record.stub).length).toBeGreaterThan(3)
})
