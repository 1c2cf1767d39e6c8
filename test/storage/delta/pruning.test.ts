/** No file is skipped that holds a matching row: by our statistics as DuckDB reads the files, and by those of other writers. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AddFile } from '../../../src/storage/delta/actions.ts'
import { field, schemaOf } from '../../../src/storage/delta/index.ts'
import type { DataType } from '../../../src/storage/delta/index.ts'
import type { Range } from '../../../src/storage/delta/prune.ts'
import { NO_TEXT_ABOVE, mayMatch } from '../../../src/storage/delta/prune.ts'
import { relationSql } from '../../../src/storage/delta/relation.ts'
import { compareText } from '../../../src/storage/delta/stats.ts'
import { identifier } from '../../../src/storage/parquet/sql.ts'
import { useDeltaTables } from '../../support/delta-tables.ts'
import { useEngine } from '../../support/engine.ts'

const { session } = useEngine()
const { created } = useDeltaTables()

/** Texts that cut badly: supplementary characters around the 32nd, DEL, the last code point, common prefixes. */
const character = fc.constantFrom('a', 'z', '\u007F', 'é', '中', '\uFFFD', '😀', '\u{10FFFF}')
const long = fc
  .tuple(
    fc.constantFrom('', 'a', '中', '\u{10FFFF}', '😀'),
    fc.integer({ min: 28, max: 70 }),
    fc.array(character, { maxLength: 5 }),
  )
  .map(([one, count, rest]) => one.repeat(count) + rest.join(''))
const text = fc.oneof(
  fc.array(character, { maxLength: 6 }).map((list) => list.join('')),
  long,
)
const int64 = fc.oneof(
  fc.constantFrom(
    0n,
    1n,
    -1n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
)
const float = fc.oneof(
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 0, 0.1, 1e300, -1e-320, 5),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const single = fc
  .oneof(
    fc.constantFrom(Number.NaN, Infinity, 0.1, -0, 16_777_217, 3.4e38),
    fc.float({ noNaN: true }),
  )
  .map(Math.fround)
const day = fc.constantFrom('0001-01-01', '1969-12-31', '2024-02-29', '9999-12-31', '2024-03-01')
const moment = fc.constantFrom(
  '2024-01-05T12:30:00.123456Z',
  '2024-01-05T12:30:00.123Z',
  '1969-12-31T23:59:59.999999Z',
)
const decimal = fc.constantFrom(
  '0.01',
  '-0.01',
  '12345678901234567.89',
  '-99999999999999999.99',
  '3.00',
)

const COLUMNS: Readonly<Record<string, readonly [type: DataType, values: fc.Arbitrary<unknown>]>> =
  {
    s: ['string', text],
    l: ['long', int64],
    i: ['integer', fc.integer()],
    d: ['double', float],
    f: ['float', single],
    y: ['date', day],
    t: ['timestamp', moment],
    m: ['decimal(19,2)', decimal],
    n: ['string', fc.constant(null)],
  }
const schema = schemaOf(Object.entries(COLUMNS).map(([name, [type]]) => field(name, type)))
const row = fc.record(
  Object.fromEntries(
    Object.entries(COLUMNS).map(([name, [, values]]) => [
      name,
      fc.option(values, { nil: null, freq: 6 }),
    ]),
  ),
)

/** Ranges as filters give them: two texts, or two numbers; open sides are beyond every value. */
const range: fc.Arbitrary<Range> = fc.oneof(
  between('s', text, '', '\u{10FFFF}'),
  between('n', text, '', '\u{10FFFF}'),
  between('y', day, '', '\u{10FFFF}'),
  ...['l', 'i', 'd', 'f', 'm'].map((name) =>
    between(
      name,
      fc.oneof(fc.integer(), fc.constantFrom(0, 5, 2 ** 53 - 1, -(2 ** 53) + 1)),
      -Infinity,
      Infinity,
    ),
  ),
)

function between<T extends string | number>(
  column: string,
  values: fc.Arbitrary<T>,
  low: T,
  high: T,
): fc.Arbitrary<Range> {
  return fc
    .tuple(values, values, fc.constantFrom('both', 'low', 'high', 'same'))
    .map(([a, b, open]) => {
      const [min, max] = open === 'same' ? [a, a] : [a, b].toSorted(compare)
      return { column, min: open === 'low' ? low : min!, max: open === 'high' ? high : max! }
    })
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : Number(a) - Number(b)
}

const sqlValue = (value: string | number): string =>
  typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`

/** The filter that a range stands for. */
function condition({ column, min, max }: Range): string {
  const name = identifier(column)
  const parts = [
    ...(min === '' || min === -Infinity ? [] : [`${name} >= ${sqlValue(min)}`]),
    ...(max === '\u{10FFFF}' || max === Infinity ? [] : [`${name} <= ${sqlValue(max)}`]),
  ]
  return parts.length === 0 ? `${name} IS NOT NULL` : parts.join(' AND ')
}

test('our own statistics: a skipped file has no matching row, read by DuckDB', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 5 }),
      fc.array(range, { minLength: 12, maxLength: 12 }),
      async (rows, ranges) => {
        const table = await created({ schema })
        await table.append(rows as Parameters<typeof table.append>[0])
        const { snapshot, directory } = table
        const [file] = [...snapshot.files.values()]
        const skipped = ranges.filter((one) => !mayMatch(file!, snapshot.schema, [one]))
        if (skipped.length === 0) return
        const counts = skipped.map((one, i) => `count(*) FILTER (WHERE ${condition(one)}) AS c${i}`)
        const found = await session().row(
          `SELECT ${counts.join(', ')} FROM (${relationSql(directory, snapshot, [file!])})`,
        )
        expect(skipped.filter((_, i) => found[`c${i}`] !== 0n)).toEqual([])
      },
    ),
    { numRuns: 25 },
  )
})

/** How other engines print what a file holds. */
interface Writer {
  readonly name: string
  readonly bounds: (
    values: readonly unknown[],
    type: DataType,
  ) => readonly [unknown, unknown] | undefined
}

const numbersOf = (values: readonly unknown[]): number[] =>
  values.filter((v): v is number => typeof v === 'number' && !Number.isNaN(v))
const order = (values: readonly unknown[]): unknown[] =>
  values.toSorted((a, b) =>
    typeof a === 'string' ? compareText(a, b as string) : (a as number) < (b as number) ? -1 : 1,
  )
const points = (value: string): string[] => Array.from(value)

/** Spark: 32 characters with a sign behind a cut maximum; NaN and infinities as texts; singles in their shortest form. */
const spark: Writer = {
  name: 'Spark',
  bounds: (values, type) => {
    const sorted = order(values)
    const [low, high] = [sorted[0], sorted.at(-1)]
    if (type === 'string') {
      const [a, b] = [points(low as string), points(high as string)]
      let length = 32
      // What is cut off may itself be the last character there is: then more is kept.
      while (b[length] === '\u{10FFFF}') length++
      const sign = (b[length] ?? '') < '\u007F' ? '\u007F' : '\u{10FFFF}'
      const cut = b.slice(0, length).join('')
      return [a.slice(0, 32).join(''), length >= b.length ? high : cut + sign]
    }
    if (type === 'double' || type === 'float') {
      const print = (v: number): unknown =>
        Number.isFinite(v) ? (type === 'float' ? shortest(v) : v) : String(v)
      const withNaN = values.some((v) => Number.isNaN(v))
      const numbers = order(numbersOf(values)) as number[]
      return [print(numbers[0] ?? Number.NaN), withNaN ? 'NaN' : print(numbers.at(-1)!)]
    }
    return [low, high]
  },
}

/** delta-rs: bounds of Parquet, which leave NaN out; long decimals through a double. */
const deltaRs: Writer = {
  name: 'delta-rs',
  bounds: (values, type) => {
    const kept = type === 'double' || type === 'float' ? numbersOf(values) : values
    if (kept.length === 0) return undefined
    const sorted = order(kept)
    const bounds = [sorted[0], sorted.at(-1)] as const
    if (!bounds.every((v) => typeof v !== 'number' || Number.isFinite(v))) return undefined
    return bounds
  },
}

/** The shortest text that is the same single, as Java prints it. */
function shortest(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return text
  }
  return value
}

/** A number is written with all its digits, whatever its size. */
function jsonOf(value: unknown): string {
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}

function foreignFile(
  writer: Writer,
  rows: readonly Record<string, unknown>[],
  names: readonly string[],
): AddFile {
  const sides: string[][] = [[], []]
  const nulls: string[] = []
  for (const name of names) {
    const values = rows.map((one) => one[name]).filter((value) => value !== null)
    nulls.push(`"${name}":${rows.length - values.length}`)
    const bounds = values.length > 0 ? writer.bounds(values, COLUMNS[name]![0]) : undefined
    for (const side of [0, 1]) if (bounds) sides[side]!.push(`"${name}":${jsonOf(bounds[side])}`)
  }
  const stats = `{"numRecords":${rows.length},"minValues":{${sides[0]!.join()}},"maxValues":{${sides[1]!.join()}},"nullCount":{${nulls.join()}}}`
  return { path: 'x', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, stats }
}

/** As DuckDB compares: NaN above everything, exact integers, texts by code point. */
function matches(value: unknown, { min, max }: Range): boolean {
  if (value === null) return false
  if (typeof value === 'string')
    return (
      compareText(value, min as string) >= 0 &&
      (max === NO_TEXT_ABOVE || compareText(value, max as string) <= 0)
    )
  if (typeof value === 'number' && Number.isNaN(value)) return max === Infinity
  return (value as number) >= Number(min) && (value as number) <= Number(max)
}

describe("others' statistics: a skipped file has no matching row", () => {
  test.each([spark, deltaRs])('$name', (writer) => {
    const names = ['s', 'l', 'i', 'd', 'f', 'y', 'n']
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 5 }),
        fc.array(range, { minLength: 20, maxLength: 20 }),
        (rows, ranges) => {
          const file = foreignFile(writer, rows, names)
          const wrong = ranges.filter(
            (one) =>
              names.includes(one.column) &&
              !mayMatch(file, schema, [one]) &&
              rows.some((r) => matches(r[one.column], one)),
          )
          expect(wrong).toEqual([])
        },
      ),
      { numRuns: 600 },
    )
  })

  test('a decimal that went through a double, a time cut to milliseconds, nonsense', () => {
    const file = (stats: string): AddFile => ({ ...foreignFile(spark, [], []), stats })
    const hit = (stats: string, one: Range): boolean => mayMatch(file(stats), schema, [one])
    const bounds = (name: string, value: string): string =>
      `{"numRecords":1,"minValues":{"${name}":${value}},"maxValues":{"${name}":${value}},"nullCount":{"${name}":0}}`
    expect(hit(bounds('m', '12345678901234568.00'), { column: 'm', min: 0, max: 5 })).toBe(true)
    expect(hit(bounds('m', '3.00'), { column: 'm', min: 4, max: 5 })).toBe(false)
    for (const stats of [
      '',
      'x',
      '[]',
      'null',
      '{"numRecords":"1"}',
      '{"minValues":5}',
      '{"stats_json":"{}"}',
    ])
      expect(hit(stats, { column: 'l', min: 4, max: 5 })).toBe(true)
  })
})
