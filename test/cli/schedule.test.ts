/** When `sync --every` begins its next run. */
import { expect, test } from 'vitest'
import { nextSync, scheduleOf } from '../../src/cli/commands/sync-every.ts'

const HALF_PAST_FIVE = scheduleOf('30 17 * * *')
const at = (text: string): number => Date.parse(`2026-11-27T${text}+08:00`)
const next = (begun: string, now: string): string | undefined =>
  nextSync(HALF_PAST_FIVE, at(begun), at(now))?.toISOString()

test('what fell due during a run is made up for by one run, whenever the run ends', () => {
  expect(next('17:29:59.500', '17:31:00')).toBe('2026-11-27T09:30:00.000Z')
  expect(next('17:30:00', '17:31:00')).toBe('2026-11-28T09:30:00.000Z')
})

test('a clock that went back during a run does not put off the next one', () => {
  expect(next('19:00:00', '16:00:00')).toBe('2026-11-27T09:30:00.000Z')
})
