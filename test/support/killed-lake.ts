/** A lake whose last writer was killed between its record and its Delta commits: 10 of 100 went from table `a` to `b`. */
import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, newLake } from './lake.ts'

/** The lake, open. */
export async function killedLake(): Promise<Lake> {
  const lake = await newLake()
  const fields = ['id', 'amount'].map((name) => ({
    name,
    type: 'long' as const,
    nullable: true,
    metadata: {},
  }))
  const outcome = await lake.write('make', async (tx) => {
    for (const name of ['a', 'b']) {
      await tx.ensure({ name, schema: { type: 'struct', fields }, key: ['id'] })
      await tx.upsert(name, [{ id: 1n, amount: name === 'a' ? 100n : 0n }])
    }
  })
  committed(outcome)
  const { signal } = spawnSync(process.execPath, ['test/workers/killed-commit.mjs', lake.root])
  expect(signal).toBe('SIGKILL')
  return lake
}
