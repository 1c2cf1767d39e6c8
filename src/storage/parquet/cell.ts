/** Values of JavaScript as cells of a typed column; what does not fit is an error that names column and row. */
import type * as Api from '@duckdb/node-api'
import type { DuckDBValue } from '@duckdb/node-api'
import { parseDay } from '../../model/date.ts'
import { LakeError } from '../../model/errors.ts'
import type { DataType, Field } from '../../model/schema.ts'
import { decimalOf, typeText } from '../../model/schema.ts'

/** Turns a value into a cell, or gives undefined if it does not fit. Null and undefined are handled before. */
type Convert = (value: unknown) => DuckDBValue | undefined

/** Turns the value of a row (counted from 1) into a cell, or throws `TYPE_MISMATCH`. */
export type CellWriter = (value: unknown, row: number) => DuckDBValue

/** The writer of a column; built once a column. */
export function cellWriter(api: typeof Api, column: Field, table: string): CellWriter {
  const convert = converter(api, column.type)
  return (value, row) => {
    if (value === null || value === undefined) return null
    const cell = convert(value)
    if (cell === undefined) throw mismatch(table, column, value, row)
    return cell
  }
}

/** The error for a value that does not fit its column. */
export function mismatch(table: string, column: Field, value: unknown, row: number): LakeError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value)
  const expected = typeText(column.type)
  return new LakeError(
    'TYPE_MISMATCH',
    `${table}.${column.name}, row ${row}: ${shown} is no ${expected}`,
    {
      details: { table, column: column.name, row, expected, found: typeof value },
      next: 'Correct the value, or store it in a column of another type.',
    },
  )
}

const INTEGER_BITS: Readonly<Record<string, bigint>> = {
  byte: 8n,
  short: 16n,
  integer: 32n,
  long: 64n,
}

function converter(api: typeof Api, type: DataType): Convert {
  if (typeof type !== 'string') return nestedConverter(api, type)
  const decimal = decimalOf(type)
  if (decimal) return (value) => decimalCell(api, value, decimal.precision, decimal.scale)
  const bits = INTEGER_BITS[type]
  if (bits !== undefined) return (value) => integerCell(value, bits)
  switch (type) {
    case 'string':
      return (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined)
    case 'double':
    case 'float':
      return (value) => (typeof value === 'number' ? value : undefined)
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : undefined)
    case 'binary':
      return (value) => (value instanceof Uint8Array ? new api.DuckDBBlobValue(value) : undefined)
    case 'date':
      return (value) => dateCell(api, value)
    case 'timestamp':
      return (value) => zonedCell(api, value)
    default:
      return (value) => localCell(api, value)
  }
}

function integerCell(value: unknown, bits: bigint): number | bigint | undefined {
  const exact =
    typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))
  if (!exact) return undefined
  const number = BigInt(value)
  const limit = 1n << (bits - 1n)
  if (number < -limit || number >= limit) return undefined
  return bits === 64n ? number : Number(number)
}

/** Digits are taken from the text, so no value passes through a rounded number. */
function decimalCell(
  api: typeof Api,
  value: unknown,
  precision: number,
  scale: number,
): DuckDBValue | undefined {
  if (!['string', 'number', 'bigint'].includes(typeof value)) return undefined
  const match = /^(-?)(\d+)(?:\.(\d+?)0*)?$/.exec(String(value))
  const fraction = match?.[3] ?? ''
  if (!match || fraction.length > scale) return undefined
  const digits = BigInt(match[2] + fraction.padEnd(scale, '0'))
  if (digits >= 10n ** BigInt(precision)) return undefined
  return new api.DuckDBDecimalValue(match[1] === '-' ? -digits : digits, precision, scale)
}

const DAY_MS = 86_400_000

function dateCell(api: typeof Api, value: unknown): DuckDBValue | undefined {
  if (typeof value === 'string') {
    const day = parseDay(value)
    return day === undefined ? undefined : new api.DuckDBDateValue(day)
  }
  if (!(value instanceof Date) || !Number.isInteger(value.getTime() / DAY_MS)) return undefined
  return new api.DuckDBDateValue(value.getTime() / DAY_MS)
}

const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?(Z|[+-]\d{2}:?\d{2})?$/

function zonedCell(api: typeof Api, value: unknown): DuckDBValue | undefined {
  if (value instanceof Date) {
    return Number.isNaN(value.getTime())
      ? undefined
      : new api.DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n)
  }
  const micros = typeof value === 'string' ? parseMicros(value, true) : undefined
  return micros === undefined ? undefined : new api.DuckDBTimestampTZValue(micros)
}

function localCell(api: typeof Api, value: unknown): DuckDBValue | undefined {
  const micros = typeof value === 'string' ? parseMicros(value, false) : undefined
  return micros === undefined ? undefined : new api.DuckDBTimestampValue(micros)
}

/** Microseconds since 1970 of a timestamp text that has a zone exactly if `zoned`. */
function parseMicros(text: string, zoned: boolean): bigint | undefined {
  const match = TIMESTAMP.exec(text)
  const day = match && parseDay(match[1]!)
  if (!match || day === undefined || day === null || (match[6] !== undefined) !== zoned)
    return undefined
  const [hour, minute, second] = [match[2], match[3], match[4] ?? '0'].map(Number) as [
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const seconds = BigInt(day) * 86_400n + BigInt(hour * 3600 + minute * 60 + second)
  return seconds * 1_000_000n + BigInt((match[5] ?? '').padEnd(6, '0')) - offsetMicros(match[6])
}

function offsetMicros(zone: string | undefined): bigint {
  if (zone === undefined || zone === 'Z') return 0n
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  const offset = BigInt(hours * 60 + minutes) * 60_000_000n
  return zone.startsWith('-') ? -offset : offset
}

function nestedConverter(api: typeof Api, type: Exclude<DataType, string>): Convert {
  switch (type.type) {
    case 'array':
      return arrayConverter(api, type.elementType)
    case 'map':
      return mapConverter(api, type.keyType, type.valueType)
    case 'struct':
      return structConverter(api, type.fields)
  }
}

function arrayConverter(api: typeof Api, elementType: DataType): Convert {
  const element = orNull(converter(api, elementType))
  return (value) => {
    const items = Array.isArray(value) ? value.map(element) : [undefined]
    return items.includes(undefined) ? undefined : api.listValue(items as DuckDBValue[])
  }
}

/** Maps come as arrays of `{ key, value }`, which keeps keys that are no texts. */
function mapConverter(api: typeof Api, keyType: DataType, valueType: DataType): Convert {
  const [key, item] = [converter(api, keyType), orNull(converter(api, valueType))]
  return (value) => {
    if (!Array.isArray(value)) return undefined
    const entries = (value as { key: unknown; value: unknown }[]).map((entry) => ({
      key: entry.key === null || entry.key === undefined ? undefined : key(entry.key),
      value: item(entry.value),
    }))
    const fits = entries.every((e) => e.key !== undefined && e.value !== undefined)
    return fits ? api.mapValue(entries as { key: DuckDBValue; value: DuckDBValue }[]) : undefined
  }
}

function structConverter(api: typeof Api, fields: readonly Field[]): Convert {
  const converters = fields.map((f) => [f.name, orNull(converter(api, f.type))] as const)
  const known = new Set(fields.map((f) => f.name))
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    if (!Object.keys(value).every((name) => known.has(name))) return undefined
    const source = value as Record<string, unknown>
    const entries = converters.map(([name, convert]) => [name, convert(source[name])] as const)
    if (entries.some(([, cell]) => cell === undefined)) return undefined
    return api.structValue(Object.fromEntries(entries) as Record<string, DuckDBValue>)
  }
}

function orNull(convert: Convert): Convert {
  return (value) => (value === null || value === undefined ? null : convert(value))
}
