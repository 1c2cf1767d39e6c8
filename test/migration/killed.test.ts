/** A migration killed in the middle; all places are in `killed.long.test.ts`. */
import { test } from 'vitest'
import { PLACES, killAt } from '../support/migration-kills.ts'

test('a dual write killed between the two sides', async () => {
  await killAt('write', PLACES.write[1]!)
})
