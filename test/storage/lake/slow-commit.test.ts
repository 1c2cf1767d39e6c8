/** Slow writers: how long staging takes is no reason for a conflict, losing every race is. */
import { expect, test } from 'vitest'
import { commitLake } from '../../../src/storage/lake/commit.ts'
import { refreshHead } from '../../../src/storage/lake/store.ts'
import type { Store } from '../../../src/storage/lake/store.ts'
import { commit, modelWorld, openModel, upsertKey } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

const HOUR_MS = 3_600_000
const noEngine = { connect: () => Promise.resolve({ close: () => Promise.resolve() }) } as never

test('a commit whose staging takes an hour is published, also beside others', async () => {
  const world = await modelWorld(seeded(1))
  const store = await openModel(world, 1)
  const other = await openModel(world, 2)
  const outcome = await commitLake(
    store,
    () => Promise.resolve(noEngine),
    async (tx) => {
      await tx.apply('A', { mode: 'upsert', stage: upsertKey(world.content, 1) })
      world.disk.nowMs += HOUR_MS
      if ((await refreshHead(other)).version === tx.base.version) await write(other, world)
    },
  )
  expect(outcome.kind).toBe('committed')
})

test('one that loses the race for longer than its time is told that the lake is busy', async () => {
  const world = await modelWorld(seeded(2))
  const other = await openModel(world, 2)
  const store = await openModel(world, 1, undefined, {
    files: (files) => ({
      ...files,
      link: async (from, to) => {
        await write(other, world)
        world.disk.nowMs += 20_000
        return files.link(from, to)
      },
    }),
  })
  const outcome = await commitLake(
    store,
    () => Promise.resolve(noEngine),
    async (tx) =>
      void (await tx.apply('A', { mode: 'upsert', stage: upsertKey(world.content, 1) })),
  )
  expect(outcome).toEqual({ kind: 'conflict', reason: 'busy' })
})

type World = Awaited<ReturnType<typeof modelWorld>>

async function write(store: Store, world: World): Promise<void> {
  const outcome = await commit(store, async (tx) => {
    await tx.apply('B', { mode: 'upsert', stage: upsertKey(world.content, 2) })
  })
  expect(outcome.kind).toBe('committed')
}
