/** Parquet files by hand, for forms that no writer at hand makes: Thrift's compact protocol, and plain pages. */

/** A value of Thrift, with its compact type. */
type Thrift = readonly [type: number, bytes: Buffer]

function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

const zigzag = (value: number): Buffer => varint(value < 0 ? -2 * value - 1 : 2 * value)
const i32 = (value: number): Thrift => [5, zigzag(value)]
const i64 = (value: number): Thrift => [6, zigzag(value)]
const text = (value: string): Thrift => [
  8,
  Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]),
]

function list(type: number, items: readonly Thrift[]): Thrift {
  const size = items.length
  const head = size < 15 ? Buffer.from([(size << 4) | type]) : varintList(type, size)
  return [9, Buffer.concat([head, ...items.map(([, bytes]) => bytes)])]
}

const varintList = (type: number, size: number): Buffer =>
  Buffer.concat([Buffer.from([0xf0 | type]), varint(size)])

/** A struct from its fields by number; undefined ones are left out. */
function struct(fields: Readonly<Record<number, Thrift | undefined>>): Thrift {
  const parts: Buffer[] = []
  let last = 0
  for (const [key, value] of Object.entries(fields)) {
    if (!value) continue
    parts.push(Buffer.from([((Number(key) - last) << 4) | value[0]]), value[1])
    last = Number(key)
  }
  return [12, Buffer.concat([...parts, Buffer.from([0])])]
}

/** Physical types. */
export const TYPE = { int32: 1, int64: 2, int96: 3, bytes: 6 } as const
/** How often a field stands. */
export const REPETITION = { required: 0, optional: 1, repeated: 2 } as const
const LIST = 3

/** A node of a schema. */
export interface SchemaNode {
  readonly name: string
  readonly type?: number
  readonly repetition?: number
  readonly list?: boolean
  readonly children?: readonly SchemaNode[]
}

/** A column: its path, and one page of values as they stand in the file. */
export interface ColumnBytes {
  readonly path: readonly string[]
  readonly type: number
  readonly codec?: number
  readonly count: number
  /** Levels and values. */
  readonly page: Buffer
}

/** A file of one row group. */
export function parquetBytes(
  schema: readonly SchemaNode[],
  columns: readonly ColumnBytes[],
  rows: number,
): Buffer {
  const parts: Buffer[] = [Buffer.from('PAR1')]
  let offset = 4
  const chunks = columns.map((column) => {
    const content = Buffer.concat([pageHeader(column), column.page])
    const chunk = chunkOf(column, offset, content.length)
    parts.push(content)
    offset += content.length
    return chunk
  })
  const group = struct({ 1: list(12, chunks), 2: i64(offset - 4), 3: i64(rows) })
  const root: SchemaNode = { name: 'root', repetition: REPETITION.required, children: schema }
  const footer = struct({
    1: i32(1),
    2: list(12, elements(root)),
    3: i64(rows),
    4: list(12, columns.length === 0 ? [] : [group]),
  })[1]
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')])
}

/** Depth first without recursion, because some are deep. */
function elements(root: SchemaNode): Thrift[] {
  const found: Thrift[] = []
  for (const waiting = [root]; waiting.length > 0;) {
    const node = waiting.pop()!
    const { name, type, repetition = REPETITION.optional, children } = node
    found.push(
      struct({
        1: type === undefined ? undefined : i32(type),
        3: i32(repetition),
        4: text(name),
        5: children ? i32(children.length) : undefined,
        6: node.list ? i32(LIST) : undefined,
      }),
    )
    waiting.push(...(children ?? []).toReversed())
  }
  return found
}

function pageHeader({ count, page }: ColumnBytes): Buffer {
  const data = struct({ 1: i32(count), 2: i32(0), 3: i32(3), 4: i32(3) })
  return struct({ 1: i32(0), 2: i32(page.length), 3: i32(page.length), 5: data })[1]
}

function chunkOf(column: ColumnBytes, offset: number, size: number): Thrift {
  const metadata = struct({
    1: i32(column.type),
    2: list(5, [i32(0), i32(3)]),
    3: list(8, column.path.map(text)),
    4: i32(column.codec ?? 0),
    5: i64(column.count),
    6: i64(size),
    7: i64(size),
    9: i64(offset),
  })
  return struct({ 2: i64(offset), 3: metadata })
}

/** Levels of one bit each, as a run of the RLE hybrid behind its length. */
export function levels(values: readonly number[]): Buffer {
  const packed = Buffer.alloc(1 + Math.ceil(values.length / 8))
  packed[0] = (Math.ceil(values.length / 8) << 1) | 1
  for (const [i, value] of values.entries()) packed[1 + (i >> 3)]! |= value << (i & 7)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(packed.length)
  return Buffer.concat([length, packed])
}

/** Integers of four bytes. */
export function int32s(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value, 4 * i)
  return bytes
}

/** A moment as Impala and old Sparks write it: nanoseconds of a day, and the day by Julius Scaliger's count. */
export function int96(moment: Date): Buffer {
  const bytes = Buffer.alloc(12)
  const dayMs = 86_400_000
  const days = Math.floor(moment.getTime() / dayMs)
  bytes.writeBigUInt64LE(BigInt(moment.getTime() - days * dayMs) * 1_000_000n)
  bytes.writeInt32LE(days + 2_440_588, 8)
  return bytes
}
