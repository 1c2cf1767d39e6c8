/** Migrations killed at every step: status tells the truth, and the same command again finishes. */
import { describe, test } from 'vitest'
import type { Step } from '../support/migration-kills.ts'
import { PLACES, killAt } from '../support/migration-kills.ts'

describe.each(Object.keys(PLACES) as Step[])('%s', (step) => {
  test.each(PLACES[step])('killed %s %s %s', async (...place) => {
    await killAt(step, place)
  })
})
