/** A table that another process found frozen: nobody writes to it, and `verify` names it. */
import { expect, test } from 'vitest'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { operations, upsert } from '../../support/lake-operations.ts'
import { modelWorld, openModel } from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

test('a process that comes later does not write to it', async () => {
  const world = await modelWorld(seeded(1))
  const noDatabase = (): never => {
    throw new Error('nothing here needs an engine')
  }
  await operations(noDatabase)['thaw']!.prepare!(world, await openModel(world, 1))
  const later = await openModel(world, 2)
  expect(later.head.tables['A']!.over).toBeDefined()
  await expect(upsert('A', 3)(world, later)).rejects.toMatchObject({ code: 'TABLE_FROZEN' })
  const problems = await verifyLake(await openModel(world, 3), later.head, { deep: false })
  expect(problems.map((p) => p.problem)).toContainEqual(expect.stringMatching(/^frozen by version/))
})

test('a thaw that loses the race for its version leaves one directory, not two', async () => {
  const world = await modelWorld(seeded(1))
  const noDatabase = (): never => {
    throw new Error('nothing here needs an engine')
  }
  const thaw = operations(noDatabase)['thaw']!
  await thaw.prepare!(world, await openModel(world, 1))
  const other = await openModel(world, 2)
  let races = 0
  const store = await openModel(world, 3, undefined, {
    files: (files) => ({
      ...files,
      link: async (from, to) => {
        if (/_lake\/\d{20}\.json$/.test(to) && races++ === 0) await upsert('B', 9)(world, other)
        return files.link(from, to)
      },
    }),
  })
  // In the model all names of a process begin alike.
  let names = 0
  const uuid = (): string => `${String(names++).padStart(8, '0')}-thaw`
  await thaw.run(world, { ...store, effects: { ...store.effects, uuid } }, undefined as never)
  expect(races).toBeGreaterThan(1)
  const directories = world.disk.paths().flatMap((path) => /A\.[0-9a-z-]+/.exec(path) ?? [])
  expect(new Set(directories).size).toBe(1)
})
