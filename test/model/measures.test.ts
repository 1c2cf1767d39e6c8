/** The vocabulary of reports: every word once, with a label and a unit. */
import { describe, expect, test } from 'vitest'
import { extraMeasures, measureOf } from '../../src/model/measures.ts'
import { MEASURES, VINTAGE_COLUMNS } from '../../src/model/standard-tables.ts'

describe.each(Object.keys(MEASURES))('%s', (table) => {
  const core = MEASURES[table]!.map(([name]) => name)
  const names = [...core, ...extraMeasures(table).map(({ name }) => name)]

  test('has each column once, in lower case, and none of the columns of versions', () => {
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    expect(names.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([])
    expect(names.filter((name) => VINTAGE_COLUMNS.includes(name))).toEqual([])
  })

  test('has a Chinese label and a unit for each', () => {
    for (const { meaning } of extraMeasures(table)) {
      expect(meaning.label).toMatch(/\p{Script=Han}/u)
      expect(['元', '股', '%', '倍', '次']).toContain(meaning.unit)
    }
  })

  test('means one column by a word of a source, and finds what the core has', () => {
    for (const [name, eastmoney, label, unit] of MEASURES[table]!) {
      expect(measureOf(table, 'eastmoney', eastmoney)).toEqual({ name, meaning: { label, unit } })
    }
    for (const name of names) expect(measureOf(table, 'tushare', name)?.name).toBe(name)
    expect(measureOf(table, 'eastmoney', 'NO_SUCH_ITEM')).toBeUndefined()
  })
})

test('a word of a source that would name two columns is told apart', () => {
  expect(measureOf('indicators', 'tushare', 'eps')?.name).toBe('basic_eps')
  expect(measureOf('indicators', 'eastmoney', 'BASIC_EPS')?.name).toBe('basic_eps')
  expect(measureOf('balance', 'eastmoney', 'UNASSIGN_RPOFIT')?.name).toBe('undistr_porfit')
})
