/** Periods with a hole in them are found by their neighbours, and nothing else is called a hole. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { suspects } from '../../src/ingestion/completeness.ts'

const PERIODS = ['2023-09-30', '2023-12-31', '2024-03-31', '2024-06-30', '2024-09-30', '2024-12-31']
const counted = (...symbols: number[]) =>
  symbols.map((count, i) => ({ period: PERIODS[i]!, symbols: count }))
const all = new Set(PERIODS)

describe('a period is suspect', () => {
  test('when both neighbours have more, by name and figures', () => {
    const asked = new Set(PERIODS.slice(0, 4))
    expect(suspects(counted(5000, 5010, 3000, 5020), '2026-01-01', asked)).toEqual([
      { period: '2024-03-31', symbols: 3000, expected: 5010 },
    ])
  })

  test('at the end of what is stored, by its one neighbour', () => {
    const asked = new Set(PERIODS.slice(0, 3))
    expect(suspects(counted(5000, 5010, 3000), '2026-01-01', asked)).toEqual([
      { period: '2024-03-31', symbols: 3000, expected: 5010 },
    ])
  })

  test('when nothing of it is stored at all', () => {
    const counts = counted(5000, 5010, 0, 5020).filter(({ symbols }) => symbols > 0)
    expect(suspects(counts, '2026-01-01', all)[0]).toMatchObject({ symbols: 0, expected: 5010 })
  })
})

describe('a period is not suspect', () => {
  test('before its reports are due', () => {
    expect(suspects(counted(5000, 5010, 3000), '2024-04-30', all)).toEqual([])
    expect(suspects(counted(5000, 5010, 3000), '2024-05-01', new Set(['2024-03-31']))).toHaveLength(
      1,
    )
  })

  test('because of a neighbour that is not due', () => {
    // The year is due with the first quarter after it.
    expect(suspects(counted(5000, 3000, 4000), '2024-04-15', new Set(['2023-12-31']))).toEqual([])
  })

  test('when it was not asked for', () => {
    expect(
      suspects(counted(5000, 5010, 3000, 5020), '2026-01-01', new Set(['2023-12-31'])),
    ).toEqual([])
  })

  test('in a market that only grows or shrinks by less than a tenth a quarter', () => {
    const step = fc.double({ min: 0.95, max: 1.1, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 6000 }),
        fc.array(step, { maxLength: 5 }),
        (first, steps) => {
          const counts = [first]
          for (const factor of steps) counts.push(Math.ceil(counts.at(-1)! * factor))
          const asked = new Set(PERIODS.slice(0, counts.length))
          expect(suspects(counted(...counts), '2026-01-01', asked)).toEqual([])
        },
      ),
    )
  })
})
