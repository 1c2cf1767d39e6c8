/** Point in time, at length: many random histories, every view on many days. */
import fc from 'fast-check'
import { test } from 'vitest'
import { newLake } from '../support/lake.ts'
import { OPEN_DAYS, checkKnownThen, markets } from '../support/known-then.ts'
import { checkHistory, histories } from '../support/report-histories.ts'

test('no view shows a version before its visible date, on random histories', async () => {
  await fc.assert(
    fc.asyncProperty(histories(60), async (reports) => checkHistory(await newLake(), reports)),
    { numRuns: 4, endOnFailure: true },
  )
})

test('every view, macro and alias of a date shows what a lake shows that knew no more than that', async () => {
  await fc.assert(
    fc.asyncProperty(markets(400), (facts) => checkKnownThen(facts, OPEN_DAYS)),
    { numRuns: 1, endOnFailure: true },
  )
})
