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
