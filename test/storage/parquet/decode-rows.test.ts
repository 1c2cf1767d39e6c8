/** The fast decoder of checkpoints against the general reader: the same rows from the same file, whatever stands in it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, test } from 'vitest'
import { decodeRows } from '../../../src/storage/parquet/decode-rows.ts'
import { readRuns } from '../../../src/storage/parquet/runs.ts'
import { parquetRows } from '../../../src/storage/parquet/rows-file.ts'
import { useEngine } from '../../support/engine.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { session } = useEngine()

/** The shapes of checkpoints: structs in structs, lists, maps with NULL values, texts, 64-bit numbers. */
const TYPE = `STRUCT(i BIGINT, s VARCHAR, b BOOLEAN, d DATE, t STRUCT(f DOUBLE, x INTEGER, deep STRUCT(y VARCHAR)),
  l VARCHAR[], m MAP(VARCHAR, VARCHAR), c DECIMAL(10,2))`

const word = fc.oneof(
  fc.constantFrom('', 'a', 'same', 'è文😀'),
  fc
    .string({ unit: 'binary', maxLength: 5 })
    .filter((text) => text.isWellFormed() && !text.includes('\0')),
)
const nullable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(value, { nil: null })
const struct = fc.record({
  i: nullable(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)),
  s: nullable(word),
  b: nullable(fc.boolean()),
  d: nullable(fc.constantFrom('1969-12-31', '2024-02-29')),
  t: nullable(
    fc.record({
      f: nullable(fc.constantFrom(1.5, -0.25)),
      x: nullable(fc.integer({ min: -5, max: 5 })),
      deep: nullable(fc.record({ y: nullable(word) })),
    }),
  ),
  l: nullable(fc.array(nullable(word), { maxLength: 4 })),
  m: nullable(fc.dictionary(word, nullable(word), { maxKeys: 4 })),
  c: nullable(fc.constantFrom('1.25', '-7.00')),
})
const row = fc.record({ a: nullable(struct), r: nullable(fc.integer()) })

/** As the decoder gives it: NULL is nothing, and a group of nothing but NULLs is not told apart from none at column level. */
function bare(value: unknown, inList = false): unknown {
  if (value === null || value === undefined) return inList ? null : undefined
  if (value instanceof Date || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => bare(item, true))
  return Object.fromEntries(
    Object.entries(value).flatMap(([k, v]) =>
      v === null || v === undefined ? [] : [[k, bare(v)]],
    ),
  )
}

/** NULL values of maps stay, those of structs go. */
function bareRow({ a, r }: Record<string, unknown>): Record<string, unknown> {
  const plain = bare(a) as Record<string, unknown> | undefined
  const map = (a as { m?: unknown } | null)?.m
  return {
    ...(plain !== undefined && {
      a: { ...plain, ...(map !== undefined && map !== null && { m: map }) },
    }),
    ...(r !== null && r !== undefined && { r }),
  }
}

test('every row is what the general reader gives, in every codec and page version', async () => {
  const codecs = fc.constantFrom('uncompressed', 'snappy', 'zstd', 'gzip', 'lz4_raw')
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 40 }),
      codecs,
      fc.constantFrom('V1', 'V2'),
      fc.constantFrom(1, 60),
      async (rows, codec, version, repeat) => {
        const path = join(temporaryDirectory(), 'x.parquet')
        const literals = rows.map((one) => `('${JSON.stringify(one).replaceAll("'", "''")}'::JSON)`)
        await session().run(
          `COPY (SELECT CAST(j->'a' AS ${TYPE}) AS a, CAST(j->'r' AS INTEGER) AS r
                 FROM (VALUES ${literals.join(', ')}) v(j), range(${repeat}))
           TO '${path}' (FORMAT parquet, COMPRESSION ${codec}, PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048)`,
        )
        const content = readFileSync(path)
        const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.length)
        const expected = await parquetReadObjects({ file, compressors })
        const found = await decodeRows(content)
        expect(found.map(withoutEmpty)).toEqual(expected.map(bareRow).map(withoutEmpty))
      },
    ),
    { numRuns: 40 },
  )
})

/** A column whose leaves are all NULL is left out as a whole. */
function withoutEmpty({ a, ...rest }: Record<string, unknown>): Record<string, unknown> {
  const empty = JSON.stringify(a, (_k, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)) ?? '{}'
  return /[^{}"tdeep:,]/.test(empty) ? { a, ...rest } : rest
}

test('what is cut short is an error, never fewer rows', async () => {
  const path = join(temporaryDirectory(), 'x.parquet')
  await session().run(`COPY (SELECT {p: 'x' || i} AS a FROM range(500) t(i)) TO '${path}'`)
  const content = readFileSync(path)
  expect(await parquetRows(content, path)).toHaveLength(500)
  for (const length of [0, 4, 100, content.length - 1, content.length - 9]) {
    await expect(parquetRows(content.subarray(0, length), path)).rejects.toMatchObject({
      code: 'CORRUPT_FILE',
    })
  }
})

describe('runs', () => {
  /** As a writer packs numbers: groups of eight, the least significant bit first. */
  function packed(values: readonly number[], width: number): number[] {
    const groups = Math.ceil(values.length / 8)
    const bytes = Array.from({ length: groups * width }, () => 0)
    values.forEach((value, i) => {
      for (let bit = 0; bit < width; bit++) {
        const at = i * width + bit
        if ((value >> bit) & 1) bytes[at >> 3]! |= 1 << (at & 7)
      }
    })
    return [...varint(groups * 2 + 1), ...bytes]
  }

  function varint(value: number): number[] {
    return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
  }

  function repeated(value: number, count: number, width: number): number[] {
    const bytes = Array.from({ length: (width + 7) >> 3 }, (_, i) => (value >> (8 * i)) & 0xff)
    return [...varint(count * 2), ...bytes]
  }

  const read = (bytes: readonly number[], width: number, count: number): number[] => {
    const output = new Uint32Array(count)
    readRuns(new DataView(Uint8Array.from(bytes).buffer), 0, bytes.length, width, output)
    return [...output]
  }

  test('give back what was packed, of every width', () => {
    const cases = fc.integer({ min: 1, max: 24 }).chain((width) => {
      const value = fc.nat({ max: 2 ** width - 1 })
      const run = fc.oneof(
        fc.record({ value, count: fc.integer({ min: 1, max: 300 }) }),
        fc.record({ values: fc.array(value, { minLength: 1, maxLength: 6 }) }),
      )
      return fc.record({ width: fc.constant(width), runs: fc.array(run, { maxLength: 8 }) })
    })
    fc.assert(
      fc.property(cases, ({ width, runs }) => {
        const bytes: number[] = []
        const values: number[] = []
        for (const run of runs) {
          if ('values' in run) {
            const eight = Array.from({ length: 8 }, (_, i) => run.values[i % run.values.length]!)
            bytes.push(...packed(eight, width))
            values.push(...eight)
          } else {
            bytes.push(...repeated(run.value, run.count, width))
            values.push(...Array.from({ length: run.count }, () => run.value))
          }
        }
        expect(read(bytes, width, values.length)).toEqual(values)
        expect(read(bytes, width, Math.max(0, values.length - 3))).toEqual(
          values.slice(0, Math.max(0, values.length - 3)),
        )
        expect(() => read(bytes, width, values.length + 1)).toThrow(/end/)
      }),
    )
  })

  test('that are announced without end fill what there is to fill', () => {
    expect(read([...varint(0xfffffffe), 1], 1, 5)).toEqual([1, 1, 1, 1, 1])
    expect(() => read([...varint(0xffffffff), 1], 1, 100)).toThrow(/end/)
    expect(() => read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 1, 5)).toThrow(/length/)
  })
})
