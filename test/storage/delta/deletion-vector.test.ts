/** Deletion vectors in every storage form and container form, and what is refused when they do not add up. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AddFile, DeletionVector } from '../../../src/storage/delta/actions.ts'
import { deletedRows, loadDeletions } from '../../../src/storage/delta/deletion-vector.ts'
import { DeltaTable } from '../../../src/storage/delta/index.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { useEngine } from '../../support/engine.ts'
import {
  addAction,
  logTable,
  metadataAction,
  protocolAction,
  writeCommit,
} from '../../support/log-table.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { session } = useEngine()

const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

function z85(bytes: Buffer): string {
  const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
  let text = ''
  for (let at = 0; at < padded.length; at += 4) {
    let value = padded.readUInt32BE(at)
    const digits = Array.from({ length: 5 }, () => {
      const digit = Z85[value % 85]!
      value = Math.floor(value / 85)
      return digit
    })
    text += digits.toReversed().join('')
  }
  return text
}

type Form = 'array' | 'bitmap' | 'run'

const int32 = (n: number): Buffer => {
  const b = Buffer.alloc(4)
  b.writeInt32LE(n | 0)
  return b
}
const uint16 = (n: number): Buffer => {
  const b = Buffer.alloc(2)
  b.writeUInt16LE(n)
  return b
}

/** A container of the lower 16 bits, in a form of choice; the form must be legal for the number of values. */
function container(values: readonly number[], form: Form): Buffer {
  if (form === 'array') return Buffer.concat(values.map(uint16))
  if (form === 'bitmap') {
    const bits = Buffer.alloc(8192)
    for (const v of values) bits[v >> 3]! |= 1 << (v & 7)
    return bits
  }
  const runs: [number, number][] = []
  for (const v of values) {
    const last = runs.at(-1)
    if (last && last[0] + last[1] + 1 === v) last[1]++
    else runs.push([v, 0])
  }
  return Buffer.concat([uint16(runs.length), ...runs.flatMap(([s, l]) => [uint16(s), uint16(l)])])
}

function groups(rows: readonly number[], of: (row: number) => number): Map<number, number[]> {
  const map = new Map<number, number[]>()
  for (const row of rows.toSorted((a, b) => a - b)) {
    const key = of(row)
    map.set(key, [...(map.get(key) ?? []), row])
  }
  return map
}

/** A 32-bit Roaring bitmap as the format's specification lays it out. */
function roaring(rows: readonly number[], runs: boolean): Buffer {
  const containers = [...groups(rows, (row) => Math.floor(row / 65_536))].map(([key, list]) => {
    const low = list.map((row) => row % 65_536)
    const form: Form = runs ? 'run' : low.length > 4096 ? 'bitmap' : 'array'
    return { key, count: low.length, body: container(low, form) }
  })
  const heads = containers.flatMap((c) => [uint16(c.key), uint16(c.count - 1)])
  const offsets = containers.map(() => int32(0))
  const start = runs
    ? [
        int32(((containers.length - 1) << 16) | 12_347),
        Buffer.alloc(Math.ceil(containers.length / 8), 0xff),
        ...heads,
        ...(containers.length >= 4 ? offsets : []),
      ]
    : [int32(12_346), int32(containers.length), ...heads, ...offsets]
  return Buffer.concat([...start, ...containers.map((c) => c.body)])
}

function bitmap(rows: readonly number[], runs = false): Buffer {
  const buckets = [...groups(rows, (row) => Math.floor(row / 2 ** 32))]
  const count = Buffer.alloc(8)
  count.writeBigInt64LE(BigInt(buckets.length))
  const bodies = buckets.flatMap(([high, list]) => [
    int32(high),
    roaring(
      list.map((row) => row % 2 ** 32),
      runs,
    ),
  ])
  return Buffer.concat([int32(1_681_511_377), count, ...bodies])
}

/** A file of vectors: version, then size, data and checksum of each. */
function vectorFile(data: Buffer): Buffer {
  const [size, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  size.writeInt32BE(data.length)
  checksum.writeUInt32BE(crc32(data))
  return Buffer.concat([Buffer.from([1]), size, data, checksum])
}

function inline(data: Buffer, cardinality: number): DeletionVector {
  return {
    storageType: 'i',
    pathOrInlineDv: z85(data),
    sizeInBytes: data.length,
    cardinality,
  }
}

function addWith(deletionVector: DeletionVector): AddFile {
  return {
    path: 'f.parquet',
    partitionValues: {},
    size: 1,
    modificationTime: 1,
    dataChange: true,
    deletionVector,
  }
}

async function rowsOf(vector: DeletionVector, directory = '/nowhere'): Promise<readonly number[]> {
  const add = addWith(vector)
  await loadDeletions(localFiles, directory, [add])
  return deletedRows(add)
}

const rowNumbers = fc.uniqueArray(
  fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 65_500, max: 65_600 }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 2 ** 32, max: 2 ** 33 }),
  ),
  { minLength: 1, maxLength: 60 },
)

test('any set of rows comes back, with and without run containers', async () => {
  await fc.assert(
    fc.asyncProperty(rowNumbers, fc.boolean(), async (rows, runs) => {
      const found = await rowsOf(inline(bitmap(rows, runs), rows.length))
      expect(found).toEqual(rows.toSorted((a, b) => a - b))
    }),
  )
})

test('a container of more than 4,096 values is a bitmap', async () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => i * 6)
  expect(await rowsOf(inline(bitmap(rows), rows.length))).toEqual(rows)
})

const UUID = '550e8400-e29b-41d4-a716-446655440000'
const NAME = z85(Buffer.from(UUID.replaceAll('-', ''), 'hex'))

test('a vector in a file beside the data, with and without a directory in its name', async () => {
  const directory = temporaryDirectory()
  const data = bitmap([1, 3])
  for (const prefix of ['', 'ab']) {
    mkdirSync(join(directory, prefix), { recursive: true })
    writeFileSync(join(directory, prefix, `deletion_vector_${UUID}.bin`), vectorFile(data))
    const vector: DeletionVector = {
      storageType: 'u',
      pathOrInlineDv: `${prefix}${NAME}`,
      offset: 1,
      sizeInBytes: data.length,
      cardinality: 2,
    }
    expect(await rowsOf(vector, directory)).toEqual([1, 3])
  }
})

test('an absolute path is decoded once', async () => {
  const directory = temporaryDirectory()
  const data = bitmap([7])
  writeFileSync(join(directory, 'v %25.bin'), vectorFile(data))
  const vector: DeletionVector = {
    storageType: 'p',
    pathOrInlineDv: `file://${directory}/v%20%2525.bin`,
    offset: 1,
    sizeInBytes: data.length,
    cardinality: 1,
  }
  expect(await rowsOf(vector, directory)).toEqual([7])
  await expect(rowsOf(vector, '/elsewhere')).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' })
})

describe('25: what does not add up is refused, never read as fewer deleted rows', () => {
  const data = bitmap([1, 2, 3])
  const file = vectorFile(data)
  const flipped = Buffer.from(file)
  flipped[flipped.length - 6]! ^= 1
  const cases: readonly (readonly [string, Partial<DeletionVector>, Buffer | undefined, string])[] =
    [
      ['a missing file', {}, undefined, 'missing'],
      ['a flipped bit', {}, flipped, 'checksum'],
      ['a file cut short', {}, file.subarray(0, 20), 'cut off'],
      ['another version', {}, Buffer.concat([Buffer.from([2]), file.subarray(1)]), 'version'],
      ['another size', { sizeInBytes: data.length - 1 }, file, 'another size'],
      ['another count', { cardinality: 2 }, file, '3 rows instead of 2'],
    ]
  test.each(cases)('%s', async (_name, change, content, reason) => {
    const directory = temporaryDirectory()
    if (content) writeFileSync(join(directory, `deletion_vector_${UUID}.bin`), content)
    const vector: DeletionVector = {
      storageType: 'u',
      pathOrInlineDv: NAME,
      offset: 1,
      sizeInBytes: data.length,
      cardinality: 3,
      ...change,
    }
    await expect(rowsOf(vector, directory)).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
    await expect(rowsOf(vector, directory)).rejects.toThrow(reason)
  })

  test.each([
    ['no Z85', '"~~~~', 4],
    ['a length that is none', 'abc', 4],
    ['a group beyond 32 bits', '#####', 4],
    ['nonsense inside', z85(Buffer.alloc(40, 7)), 40],
    ['a bitmap that ends early', z85(data.subarray(0, 20)), 20],
  ])('inline: %s', async (_name, text, sizeInBytes) => {
    const vector: DeletionVector = {
      storageType: 'i',
      pathOrInlineDv: text,
      sizeInBytes,
      cardinality: 1,
    }
    await expect(rowsOf(vector)).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
  })
})

test('a table of many files, each with deleted rows, gives the rest of its rows', async () => {
  const directory = logTable([])
  const adds = []
  for (let i = 0; i < 40; i++) {
    const path = join(directory, `${i}.parquet`)
    await session().run(
      `COPY (SELECT ${i} * 100 + range AS c, 'x' AS filename FROM range(10)) TO '${path}'`,
    )
    const rows = [i % 10, 9 - (i % 3)]
    const distinct = [...new Set(rows)]
    const deletionVector = inline(bitmap(distinct), distinct.length)
    adds.push(addAction(`${i}.parquet`, { deletionVector, stats: '{"numRecords":10}' }))
  }
  const columns = [
    ['c', 'long'],
    ['filename', 'string'],
  ] as const
  writeCommit(directory, 0, [protocolAction(['deletionVectors']), metadataAction(columns), ...adds])
  const table = await DeltaTable.open(directory, { threads: 1 })
  const found = (await table.query<{ c: bigint }>('SELECT c FROM delta_table ORDER BY c')).map(
    (row) => Number(row.c),
  )
  const expected = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 10 }, (_, row) => row)
      .filter((row) => row !== i % 10 && row !== 9 - (i % 3))
      .map((row) => i * 100 + row),
  ).flat()
  expect(found).toEqual(expected)
  await expect(table.append([{ c: 1n }])).rejects.toMatchObject({
    code: 'UNSUPPORTED_FEATURE',
    details: { features: ['deletionVectors'] },
  })
  await expect(table.checkpoint()).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' })
  await table.close()
})
