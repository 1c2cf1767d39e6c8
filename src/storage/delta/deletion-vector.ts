/** Deletion vectors: which rows of a file are gone (PROTOCOL.md, "Deletion Vector Format"). Read only. */
import { crc32 } from 'node:zlib'
import { LakeError } from '../../model/errors.ts'
import type { Files } from '../files/files.ts'
import type { AddFile, DeletionVector } from './actions.ts'
import { corrupt } from './actions.ts'
import { filePath } from './paths.ts'

const loaded = new WeakMap<AddFile, readonly number[]>()

/** Row numbers (from 0) that are deleted from a file. `loadDeletions` must have seen the file. */
export function deletedRows(file: AddFile): readonly number[] {
  if (!file.deletionVector) return []
  const rows = loaded.get(file)
  if (rows) return rows
  throw new LakeError('CORRUPT_LOG', `the deletion vector of ${file.path} was not loaded`)
}

/** Reads the deletion vectors of files. What does not add up is an error: rows must not come back. */
export async function loadDeletions(
  files: Files,
  directory: string,
  adds: Iterable<AddFile>,
): Promise<void> {
  for (const add of adds) {
    const dv = add.deletionVector
    if (!dv || loaded.has(add)) continue
    const rows = parseBitmap(await readVector(files, directory, dv, add.path), add.path)
    if (rows.length !== dv.cardinality) {
      throw corrupt(
        add.path,
        `its deletion vector has ${rows.length} rows instead of ${dv.cardinality}`,
      )
    }
    loaded.set(add, rows)
  }
}

async function readVector(
  files: Files,
  directory: string,
  dv: DeletionVector,
  where: string,
): Promise<Uint8Array> {
  if (dv.storageType === 'i') return decodeZ85(dv.pathOrInlineDv, where).subarray(0, dv.sizeInBytes)
  const path = vectorPath(directory, dv, where)
  const content = await files.read(path)
  if (!content) throw corrupt(path, 'the deletion vector is missing')
  return sliceVector(content, dv, path)
}

/** A relative vector is named by a prefix and a UUID in Z85; an absolute one by its path. */
function vectorPath(directory: string, dv: DeletionVector, where: string): string {
  if (dv.storageType === 'p') return filePath(directory, dv.pathOrInlineDv)
  const [prefix, text] = [dv.pathOrInlineDv.slice(0, -20), dv.pathOrInlineDv.slice(-20)]
  const hex = Buffer.from(decodeZ85(text, where)).toString('hex')
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return filePath(directory, `${prefix}${prefix && '/'}deletion_vector_${uuid}.bin`)
}

function sliceVector(content: Uint8Array, dv: DeletionVector, path: string): Uint8Array {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const start = dv.offset ?? 1
  if (content[0] !== 1) throw corrupt(path, 'a deletion vector file of an unknown version')
  if (start + 8 + dv.sizeInBytes > content.length)
    throw corrupt(path, 'the deletion vector is cut off')
  if (view.getInt32(start) !== dv.sizeInBytes)
    throw corrupt(path, 'the deletion vector has another size')
  const data = content.subarray(start + 4, start + 4 + dv.sizeInBytes)
  if (crc32(data) !== view.getUint32(start + 4 + dv.sizeInBytes)) {
    throw corrupt(path, 'the checksum of the deletion vector does not fit')
  }
  return data
}

const MAGIC = 1_681_511_377

/** A 64-bit Roaring bitmap: buckets of 2^32 rows, each a 32-bit Roaring bitmap. */
function parseBitmap(data: Uint8Array, where: string): number[] {
  const reader = new Reader(data, where)
  if (reader.int32() !== MAGIC) throw corrupt(where, 'its deletion vector is of an unknown format')
  const buckets = Number(reader.int64())
  const rows: number[] = []
  for (let i = 0; i < buckets; i++) {
    const high = reader.int32()
    if (high > 0x1f_ffff) throw corrupt(where, 'its deletion vector names rows beyond any file')
    readRoaring(reader, high * 2 ** 32, rows)
  }
  return rows
}

const NO_RUNS = 12_346
const WITH_RUNS = 12_347
/** One for each value of the upper 16 bits. */
const CONTAINERS_MAX = 65_536
/** Containers with fewer values are arrays, larger ones bitmaps. */
const ARRAY_VALUES_MAX = 4096
/** With run containers, offsets are written only from so many containers on. */
const OFFSETS_FROM = 4

function readRoaring(reader: Reader, base: number, rows: number[]): void {
  const cookie = reader.int32()
  const kind = cookie & 0xffff
  if (cookie !== NO_RUNS && kind !== WITH_RUNS) throw reader.broken()
  const hasRuns = kind === WITH_RUNS
  const count = hasRuns ? (cookie >>> 16) + 1 : reader.int32()
  if (count < 0 || count > CONTAINERS_MAX) throw reader.broken()
  const runs = hasRuns ? reader.bytes(Math.ceil(count / 8)) : undefined
  const heads = Array.from({ length: count }, () => ({
    key: reader.uint16(),
    size: reader.uint16() + 1,
  }))
  if (!hasRuns || count >= OFFSETS_FROM) reader.bytes(4 * count)
  for (const [i, { key, size }] of heads.entries()) {
    const isRun = runs !== undefined && ((runs[i >> 3]! >> (i & 7)) & 1) === 1
    readContainer(reader, base + key * 65_536, size, isRun, rows)
  }
}

function readContainer(
  reader: Reader,
  base: number,
  size: number,
  isRun: boolean,
  rows: number[],
): void {
  if (isRun) {
    const count = reader.uint16()
    for (let i = 0; i < count; i++) {
      const [start, length] = [reader.uint16(), reader.uint16()]
      for (let value = start; value <= start + length; value++) rows.push(base + value)
    }
  } else if (size <= ARRAY_VALUES_MAX) {
    for (let i = 0; i < size; i++) rows.push(base + reader.uint16())
  } else {
    const bits = reader.bytes(8192)
    for (let value = 0; value < 65_536; value++) {
      if ((bits[value >> 3]! >> (value & 7)) & 1) rows.push(base + value)
    }
  }
}

/** Little-endian reading with bounds. */
class Reader {
  readonly #view: DataView
  readonly #where: string
  #at = 0

  constructor(data: Uint8Array, where: string) {
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    this.#where = where
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true)
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length)
  }

  broken(): LakeError {
    return corrupt(this.#where, 'its deletion vector is broken')
  }

  #take(length: number): number {
    const at = this.#at
    if (length < 0 || at + length > this.#view.byteLength) throw this.broken()
    this.#at += length
    return at
  }
}

const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

/** Z85 (ZeroMQ RFC 32): five characters are four bytes. */
function decodeZ85(text: string, where: string): Uint8Array {
  if (text.length % 5 !== 0) throw corrupt(where, 'a deletion vector text has a wrong length')
  const bytes = new Uint8Array((text.length / 5) * 4)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < text.length; i += 5) {
    let value = 0
    for (const character of text.slice(i, i + 5)) {
      const digit = Z85.indexOf(character)
      if (digit < 0) throw corrupt(where, 'a deletion vector text has a wrong character')
      value = value * 85 + digit
    }
    if (value > 0xffffffff) throw corrupt(where, 'a deletion vector text has a wrong group')
    view.setUint32((i / 5) * 4, value)
  }
  return bytes
}
