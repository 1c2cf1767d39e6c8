/** Whole columns out of DuckDB as typed arrays, without an object or a string a cell. */
import type { DuckDBDataChunk, DuckDBMaterializedResult } from '@duckdb/node-api'
import type { Parameters } from './bind.ts'
import type { Session } from './database.ts'
import { valueReader } from './values.ts'
import type { Value } from './values.ts'

/** A column of a result. `valid[i]` is 0 where the value is NULL; there the typed array holds garbage. */
export type ColumnData =
  | {
      readonly name: string
      readonly type: string
      readonly kind: 'number'
      readonly values:
        | Float64Array
        | Float32Array
        | Int32Array
        | Int16Array
        | Int8Array
        | BigInt64Array
      readonly valid: Uint8Array | undefined
    }
  /** Texts by their place in `dictionary`; dates are days since 1970 under kind `number`. */
  | {
      readonly name: string
      readonly type: string
      readonly kind: 'text'
      readonly codes: Int32Array
      readonly dictionary: readonly string[]
      readonly valid: Uint8Array | undefined
    }
  | {
      readonly name: string
      readonly type: string
      readonly kind: 'other'
      readonly values: readonly Value[]
    }

type NumberArray = Extract<ColumnData, { kind: 'number' }>['values']
type ArrayMaker = new (length: number) => NumberArray

const ARRAYS: Readonly<Record<string, ArrayMaker>> = {
  DOUBLE: Float64Array,
  FLOAT: Float32Array,
  INTEGER: Int32Array,
  SMALLINT: Int16Array,
  TINYINT: Int8Array,
  BIGINT: BigInt64Array,
  DATE: Int32Array,
}

/** What the pinned bindings hold behind a vector; private in their types, so a test watches it. */
interface RawVector {
  readonly items?: NumberArray
  readonly validity?: { readonly data: BigUint64Array | null; readonly offset: number }
}

/** Runs a statement and reads its result column by column. */
export async function readColumns(
  session: Session,
  sql: string,
  parameters?: Parameters,
): Promise<ColumnData[]> {
  const result = await session.materialize(sql, parameters)
  const chunks = await result.fetchAllChunks()
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0)
  return result.columnNames().map((name, i) => readColumn(result, chunks, name, i, rows))
}

function readColumn(
  result: DuckDBMaterializedResult,
  chunks: readonly DuckDBDataChunk[],
  name: string,
  index: number,
  rows: number,
): ColumnData {
  const type = result.columnType(index).toString()
  const maker = ARRAYS[type]
  if (maker) return readNumbers(chunks, { name, type }, index, rows, maker)
  if (type === 'VARCHAR') return readTexts(chunks, { name, type }, index, rows)
  const read = valueReader(result.columnType(index))
  const values = chunks.flatMap((chunk) => chunk.getColumnValues(index).map(read))
  return { name, type, kind: 'other', values }
}

function readNumbers(
  chunks: readonly DuckDBDataChunk[],
  column: { readonly name: string; readonly type: string },
  index: number,
  rows: number,
  maker: ArrayMaker,
): ColumnData {
  const values = new maker(rows)
  const valid = new Validity(rows)
  let at = 0
  for (const chunk of chunks) {
    const vector = chunk.getColumnVector(index) as unknown as RawVector
    ;(values as Float64Array).set(vector.items!.subarray(0, chunk.rowCount) as Float64Array, at)
    valid.read(vector, chunk.rowCount, at)
    at += chunk.rowCount
  }
  return { ...column, kind: 'number', values, valid: valid.bytes }
}

function readTexts(
  chunks: readonly DuckDBDataChunk[],
  column: { readonly name: string; readonly type: string },
  index: number,
  rows: number,
): ColumnData {
  const codes = new Int32Array(rows)
  const dictionary: string[] = []
  const known = new Map<string, number>()
  const valid = new Validity(rows)
  let at = 0
  for (const chunk of chunks) {
    for (const value of chunk.getColumnValues(index) as (string | null)[]) {
      if (value === null) valid.setNull(at)
      else codes[at] = codeOf(value, dictionary, known)
      at++
    }
  }
  return { ...column, kind: 'text', codes, dictionary, valid: valid.bytes }
}

function codeOf(value: string, dictionary: string[], known: Map<string, number>): number {
  const code = known.get(value)
  if (code !== undefined) return code
  known.set(value, dictionary.length)
  return dictionary.push(value) - 1
}

/** One byte a row, made only when a NULL is met. */
class Validity {
  readonly #rows: number
  bytes: Uint8Array | undefined

  constructor(rows: number) {
    this.#rows = rows
  }

  setNull(row: number): void {
    this.bytes ??= new Uint8Array(this.#rows).fill(1)
    this.bytes[row] = 0
  }

  read(vector: RawVector, count: number, at: number): void {
    const { data, offset } = vector.validity ?? { data: null, offset: 0 }
    if (!data) return
    for (let i = 0; i < count; i++) {
      const bit = offset + i
      const word = data[Math.floor(bit / 64)]!
      if ((word >> BigInt(bit % 64)) % 2n === 0n) this.setNull(at + i)
    }
  }
}
