/** Values that go into a statement as parameters. */
import type * as Api from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { LakeError } from '../../model/errors.ts'

/** What a parameter may be. Dates without time are best given as `YYYY-MM-DD` text. */
export type InputValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly (string | number | bigint | null)[]

/** Values for `?` (array) or `$name` (object) in a statement. */
export type Parameters = readonly InputValue[] | Readonly<Record<string, InputValue>>

/** Parameters in the bindings' terms. */
export interface BoundParameters {
  readonly values: DuckDBValue[] | Record<string, DuckDBValue>
  readonly types: DuckDBType[] | Record<string, DuckDBType | undefined>
}

type Bound = { readonly value: DuckDBValue; readonly type?: DuckDBType }

/** Binds parameters; a value that SQL has no type for is an error that names its position. */
export function bindParameters(api: typeof Api, parameters: Parameters): BoundParameters {
  const bound = Object.entries(parameters).map(
    ([name, value]) => [name, bindValue(api, value as InputValue, name)] as const,
  )
  if (Array.isArray(parameters)) {
    return {
      values: bound.map(([, b]) => b.value),
      types: bound.map(([, b]) => b.type) as DuckDBType[],
    }
  }
  return {
    values: Object.fromEntries(bound.map(([name, b]) => [name, b.value])),
    types: Object.fromEntries(bound.map(([name, b]) => [name, b.type])),
  }
}

const INT64 = 1n << 63n

function bindValue(api: typeof Api, value: InputValue, name: string): Bound {
  if (value === null || value === undefined) return { value: null }
  if (typeof value === 'bigint') {
    return value >= -INT64 && value < INT64
      ? { value, type: api.BIGINT }
      : { value, type: api.HUGEINT }
  }
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) > 2 ** 31 - 1) {
    return Number.isSafeInteger(value)
      ? { value: BigInt(value), type: api.BIGINT }
      : { value, type: api.DOUBLE }
  }
  if (value instanceof Date) return bindDate(api, value, name)
  if (value instanceof Uint8Array) return { value: new api.DuckDBBlobValue(value), type: api.BLOB }
  if (Array.isArray(value)) return { value: api.listValue(value as DuckDBValue[]) }
  if (typeof value === 'object') throw badValue(value, name)
  if (!['boolean', 'number', 'string'].includes(typeof value)) throw badValue(value, name)
  return { value }
}

function bindDate(api: typeof Api, value: Date, name: string): Bound {
  if (Number.isNaN(value.getTime())) throw badValue(value, name)
  const micros = BigInt(value.getTime()) * 1000n
  return { value: new api.DuckDBTimestampTZValue(micros), type: api.TIMESTAMPTZ }
}

function badValue(value: unknown, name: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `parameter ${name} has no SQL type: ${String(value)}`, {
    details: { parameter: name },
    next: 'Pass texts, numbers, bigints, booleans, valid Dates, byte arrays, lists of these, or null.',
  })
}
