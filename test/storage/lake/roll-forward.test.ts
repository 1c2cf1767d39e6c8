/** A commit over several tables of which one Delta commit fails. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Files } from '../../../src/storage/files/files.ts'
import { failure } from '../../support/memory-files.ts'
import { TABLES, commit, modelWorld, openModel, upsertKey } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

test('the others are done when the writer is told', async () => {
  const world = await modelWorld(seeded(1))
  const store = await openModel(world, 1)
  const { files } = store
  const stuck: Files = {
    ...files,
    create: async (path, content) => {
      await files.create(path, content)
      for (let i = 0; i < 50 && path.includes('B/_delta_log'); i++) await turn()
    },
    link: (from, to) =>
      to.includes('A/_delta_log')
        ? Promise.reject(failure('EIO', 'link', to))
        : files.link(from, to),
  }
  await commit({ ...store, files: stuck }, async (tx) => {
    for (const table of TABLES)
      await tx.apply(table, { mode: 'upsert', stage: upsertKey(world.content, 1) })
  })
  expect(world.disk.paths().filter((path) => path.endsWith('.tmp'))).toEqual([])
})
