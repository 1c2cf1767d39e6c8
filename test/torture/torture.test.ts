/** Ten seconds of the black-box torture: real processes on the built package, killed, stopped and out of space. */
import { expect, test } from 'vitest'
import { torture } from '../../torture/run.mjs'

test('65: nothing acknowledged is lost and nothing wrong is read', async () => {
  const seed = Number(process.env['MARKETLAKE_SEED'] ?? Date.now() % 1_000_000_000)
  const result = await torture({ seconds: 10, seed, writers: 2, readers: 1 })
  const repeat = `seed ${String(seed)}: npm run torture -- --seconds 10 --seed ${String(seed)}`
  expect(result.violations, `${repeat}; lake: ${result.directory}`).toEqual([])
  expect(result.counts.acknowledged, repeat).toBeGreaterThan(0)
  expect(result.counts.reads, repeat).toBeGreaterThan(0)
  expect(result.counts.kills, repeat).toBeGreaterThan(0)
})
