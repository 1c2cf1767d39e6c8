/** The protocol of the lake: its laws hold in every schedule, and each of its rules, left out, is found. */
import { describe, expect, test } from 'vitest'
import { firstBroken } from '../../support/protocol.ts'
import { RULES } from '../../support/rules.ts'

const SEEDS = Number(process.env['MARKETLAKE_SCHEDULES'] ?? 40)
const SEEDS_MAX = Number(process.env['MARKETLAKE_SCHEDULES'] ?? 2000)

test('every version shows what the serial order of commits makes of it', async () => {
  expect(await firstBroken(SEEDS)).toBeUndefined()
}, 10_800_000)

test('and so it does where a rule is looked at more closely', async () => {
  for (const [name, rule] of Object.entries(RULES).filter(([, { among }]) => among))
    expect(await firstBroken(SEEDS / 20, rule.seed, rule), name).toBeUndefined()
}, 10_800_000)

describe('a rule left out is found', () => {
  test.each(Object.entries(RULES))(
    '%s',
    async (name, rule) => {
      const path = `../../support/protocol.ts?leave-out=${encodeURIComponent(name)}`
      const left = (await import(/* @vite-ignore */ path)) as { firstBroken: typeof firstBroken }
      const found = await left.firstBroken(SEEDS_MAX, rule.seed, rule)
      if (process.env['MARKETLAKE_RULES']) process.stdout.write(`RULE\t${name}\t${String(found)}\n`)
      expect(found).toBeDefined()
    },
    600_000,
  )
})
