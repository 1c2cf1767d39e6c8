/** Dates, durations, periods, symbols, names, schemas and the trading calendar. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seedCalendar } from '../../src/model/calendar.ts'
import { addDays, dayOf, formatDay, parseDay, shanghaiDate, weekday } from '../../src/model/date.ts'
import { intervalText, parseDuration, parseInterval } from '../../src/model/duration.ts'
import { LakeError } from '../../src/model/errors.ts'
import { checkColumnNames, checkTableName, isTagName } from '../../src/model/name.ts'
import {
  addQuarters,
  parseBound,
  parsePeriod,
  quarterEnds,
  quarterName,
} from '../../src/model/period.ts'
import {
  checkSchema,
  field,
  missingFields,
  onlyAddsNullable,
  parseSchema,
  schemaOf,
  schemaText,
  widened,
} from '../../src/model/schema.ts'
import type { DataType } from '../../src/model/schema.ts'
import { parseSymbol } from '../../src/model/symbol.ts'
import { shapeConfiguration, shapeOf } from '../../src/model/table.ts'
import { VERSION } from '../../src/model/version.ts'
import { describeShared, sharedPath } from '../support/shared.ts'

test('the version in commits is the version of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(VERSION).toBe(version)
})

describe('dates', () => {
  test('a day number and its text are one', () => {
    fc.assert(
      fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), (day) => {
        const text = formatDay(day)
        if (/^\d{4}-/.test(text)) expect(parseDay(text)).toBe(day)
      }),
    )
  })

  test.each(['2024-02-30', '2023-02-29', '20240101', '2024-1-1', '', '2024-13-01'])(
    'refuses %j',
    (text) => {
      expect(parseDay(text)).toBeUndefined()
      expect(() => dayOf(text)).toThrow(LakeError)
    },
  )

  test('Shanghai is eight hours ahead', () => {
    expect(shanghaiDate(Date.parse('2024-12-31T15:59:59Z'))).toBe('2024-12-31')
    expect(shanghaiDate(Date.parse('2024-12-31T16:00:00Z'))).toBe('2025-01-01')
    expect(weekday('2024-01-01')).toBe(1)
    expect(addDays('2024-02-28', 2)).toBe('2024-03-01')
  })
})

describe('durations', () => {
  test.each([
    ['30 days', 2_592_000_000],
    ['24 hours', 86_400_000],
    ['1d', 86_400_000],
    ['90 s', 90_000],
    ['500 ms', 500],
    ['2 weeks', 1_209_600_000],
  ])('%s', (text, timeMs) => expect(parseDuration(text)).toBe(timeMs))

  test.each(['', 'soon', '3', '3 parsecs'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(LakeError)
  })

  test('a Delta interval comes back', () => {
    expect(parseInterval(intervalText(3_600_000))).toBe(3_600_000)
    expect(parseInterval('interval 1 week')).toBe(604_800_000)
    expect(parseInterval('interval 1 month')).toBeUndefined()
  })
})

describe('periods', () => {
  test('quarters go forward and back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -80, max: 80 }), (count) => {
        expect(addQuarters(addQuarters('2020-03-31', count), -count)).toBe('2020-03-31')
      }),
    )
    expect(quarterEnds('2023-07-01', '2024-03-31')).toEqual([
      '2023-09-30',
      '2023-12-31',
      '2024-03-31',
    ])
    expect(parsePeriod('2024Q3')).toBe('2024-09-30')
    expect(quarterName('2024-09-30')).toBe('2024Q3')
    expect(() => parsePeriod('2024-09-29')).toThrow(LakeError)
  })

  test('a bare year or month is its first day for since and its last for until', () => {
    expect(parseBound('2024', 'since')).toBe('2024-01-01')
    expect(parseBound('2024', 'until')).toBe('2024-12-31')
    expect(parseBound('2024-02', 'until')).toBe('2024-02-29')
    expect(parseBound('2024-02', 'since')).toBe('2024-02-01')
    expect(parseBound('2024Q1', 'until')).toBe('2024-03-31')
  })
})

describe('symbols', () => {
  test.each([
    '600519',
    '600519.SH',
    'SH600519',
    'sh600519',
    'sh.600519',
    '600519.XSHG',
    ' 600519.sh ',
  ])('%s is 600519.SH', (text) => expect(parseSymbol(text)).toBe('600519.SH'))

  test.each([
    ['000001', '000001.SZ'],
    ['300750', '300750.SZ'],
    ['688981', '688981.SH'],
    ['920001', '920001.BJ'],
    ['430047', '430047.BJ'],
    ['000001.SH', '000001.SH'],
  ])('%s is %s', (text, symbol) => expect(parseSymbol(text)).toBe(symbol))

  test.each(['', '12345', '1234567', '600519.NY', 'AAPL', '600519 SH x'])('%j is none', (text) => {
    expect(parseSymbol(text)).toBeUndefined()
  })
})

describe('names', () => {
  test.each(['a', 'fin_2', 'A'.repeat(63)])('%s can be a table', (name) => {
    expect(checkTableName(name)).toBe(name)
  })

  test.each([
    '../x',
    "a'; drop",
    '',
    'con',
    '_delta_log',
    '.x',
    '1a',
    'a'.repeat(64),
    'meta',
    'a b',
  ])('47: %j can not', (name) => expect(() => checkTableName(name)).toThrow(LakeError))

  test.each([['a', 'A'], ['a,b'], ['a b'], [''], ['x\n'], ['a='], ['\ud800']])(
    '45, 46: columns %j are refused',
    (...names) => expect(() => checkColumnNames(names)).toThrow(LakeError),
  )

  test('a tag never looks like a version or a date', () => {
    expect(['v1', '2026Q3-final', 'x.y-z_1'].every(isTagName)).toBe(true)
    expect(['12', '2026-01-01', '', 'a b', '2026Q5'].some(isTagName)).toBe(false)
  })
})

const types: fc.Arbitrary<DataType> = fc.letrec<{ type: DataType }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<DataType>(
      'string',
      'long',
      'double',
      'date',
      'timestamp',
      'decimal(10,2)',
      'boolean',
    ),
    fc.record({
      type: fc.constant('array' as const),
      elementType: tie('type'),
      containsNull: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('map' as const),
      keyType: fc.constant<DataType>('string'),
      valueType: tie('type'),
      valueContainsNull: fc.boolean(),
    }),
    fc
      .uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1, maxLength: 3 })
      .chain((names) =>
        fc.tuple(...names.map(() => tie('type'))).map((list): DataType => ({
          type: 'struct',
          fields: names.map((name, i) => field(name, list[i]!)),
        })),
      ),
  ),
})).type

describe('schemas', () => {
  test('a schema and its text are one', () => {
    fc.assert(
      fc.property(fc.array(types, { minLength: 1, maxLength: 5 }), (list) => {
        const schema = schemaOf(list.map((type, i) => field(`c${i}`, type)))
        expect(parseSchema(schemaText(schema))).toEqual(schema)
      }),
    )
  })

  test('decimal(10, 2) is accepted, variant and nonsense are refused by column', () => {
    const text = (type: unknown): string =>
      JSON.stringify({
        type: 'struct',
        fields: [{ name: 'c', type, nullable: true, metadata: {} }],
      })
    expect(parseSchema(text('decimal(10, 2)')).fields[0]!.type).toBe('decimal(10,2)')
    for (const type of [
      'variant',
      'void',
      'decimal(39,0)',
      'decimal(5,6)',
      7,
      null,
      { type: 'x' },
    ]) {
      expect(() => parseSchema(text(type))).toThrow(LakeError)
    }
    expect(() => parseSchema('nonsense')).toThrow(LakeError)
    expect(() => parseSchema('"string"')).toThrow(LakeError)
  })

  test('widening adds nullable columns at the end and nothing else', () => {
    const before = schemaOf([field('a', 'long'), field('b', 'string')])
    const after = widened(before, [field('c', 'double', false)])
    expect(after.fields.map((f) => [f.name, f.nullable])).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ])
    expect(onlyAddsNullable(before, after)).toBe(true)
    expect(onlyAddsNullable(after, before)).toBe(false)
    expect(onlyAddsNullable(before, schemaOf([field('a', 'double'), field('b', 'string')]))).toBe(
      false,
    )
    expect(onlyAddsNullable(before, schemaOf([...before.fields, field('A', 'long')]))).toBe(false)
    expect(
      missingFields(before, schemaOf([field('B', 'string'), field('z', 'long')]), 't'),
    ).toEqual([field('z', 'long')])
    expect(() => missingFields(before, schemaOf([field('b', 'long')]), 't')).toThrow(
      /is string, not long/,
    )
    expect(() => checkSchema(schemaOf([]))).toThrow(LakeError)
  })

  test('the shape of a table survives its configuration', () => {
    const shape = {
      key: ['symbol', 'end_date'],
      clustering: ['symbol'],
      period: { column: 'end_date', unit: 'quarter' as const },
      layout: 'per-symbol' as const,
      vintage: true,
    }
    expect(shapeOf(shapeConfiguration(shape))).toEqual(shape)
    expect(shapeOf({})).toEqual({ key: [], clustering: [], layout: 'clustered', vintage: false })
  })
})

describe('the trading calendar', () => {
  const days = seedCalendar()

  test('covers every day once and opens on no weekend', () => {
    expect(new Set(days.map((d) => d.date)).size).toBe(days.length)
    expect(days.filter((d) => d.is_open).some((d) => [0, 6].includes(weekday(d.date)))).toBe(false)
    expect(days.find((d) => d.date === '2024-02-12')!.is_open).toBe(false)
    expect(days.find((d) => d.date === '2024-02-19')!.is_open).toBe(true)
  })
})

describeShared('the trading calendar against recorded ones', ['data', 'ashare', 'raw'], () => {
  test('agrees day by day', () => {
    const open = new Map(seedCalendar().map((d) => [d.date, d.is_open]))
    const text = readFileSync(sharedPath('data', 'ashare', 'raw', 'trading_calendar.csv'), 'utf8')
    const lines = text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(','))
    const differing = lines.filter(([date, isOpen]) => {
      const known = open.get(date!)
      return known !== undefined && known !== (isOpen!.toLowerCase() === 'true' || isOpen === '1')
    })
    expect(lines.length).toBeGreaterThan(3000)
    expect(differing).toEqual([])
  })
})
