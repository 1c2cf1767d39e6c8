/** Work that becomes due often is done at once after a rest, once a rest, and never lost. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RestingWork } from '../../src/lake/resting-work.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

test('is done at once after a rest, and once a rest however often it becomes due', () => {
  let starts = 0
  const work = new RestingWork(2000, () => starts++)
  work.due()
  expect(starts).toBe(1)
  for (let i = 0; i < 3; i++) work.due()
  vi.advanceTimersByTime(1999)
  expect(starts).toBe(1)
  vi.advanceTimersByTime(1)
  expect(starts).toBe(2)
  vi.advanceTimersByTime(2000)
  expect(starts).toBe(2)
  work.due()
  expect(starts).toBe(3)
})

test('in a hurry what waits is done now, once, and what does not wait or is cancelled is not done', () => {
  let starts = 0
  const work = new RestingWork(2000, () => starts++)
  work.hurry()
  expect(starts).toBe(0)
  work.due()
  work.due()
  work.hurry()
  work.hurry()
  expect(starts).toBe(2)
  work.due()
  work.cancel()
  vi.advanceTimersByTime(10_000)
  expect(starts).toBe(2)
})
