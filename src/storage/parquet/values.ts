/** Values that come out of DuckDB, as plain JavaScript and as JSON. */
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'

/**
 * A value of a result. 64-bit and larger integers are bigint; dates are `YYYY-MM-DD`; timestamps RFC 3339 text
 * (with `Z` if they have a zone); decimals, times, intervals, UUIDs text; lists arrays; structs objects;
 * maps arrays of `{ key, value }`.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value }

/** A row of a result. */
export type Row = Readonly<Record<string, Value>>

/** Rows as objects, by the names of the columns; of two columns of one name the last wins. */
export function rowObjects<T extends Row = Row>(table: {
  readonly columns: readonly { readonly name: string }[]
  readonly rows: readonly (readonly Value[])[]
}): T[] {
  const names = table.columns.map((column) => column.name)
  return table.rows.map((values) => {
    const row: Record<string, Value> = {}
    // `__proto__` as a column would set no property of the row.
    for (let i = 0; i < names.length; i++) {
      if (names[i] === '__proto__')
        Object.defineProperty(row, names[i]!, { ...OWN, value: values[i]! })
      else row[names[i]!] = values[i]!
    }
    return row as T
  })
}

const OWN = { writable: true, enumerable: true, configurable: true }

/** Turns values of one column into plain JavaScript. */
export type ValueReader = (value: DuckDBValue) => Value

type Nested = {
  readonly valueType?: DuckDBType
  readonly keyType?: DuckDBType
  readonly entryNames?: readonly string[]
  readonly entryTypes?: readonly DuckDBType[]
}

/** The reader of a column type; built once a column, not once a value. */
export function valueReader(type: DuckDBType): ValueReader {
  const read = presentReader(type)
  return (value) => (value === null || value === undefined ? null : read(value))
}

const PLAIN =
  /^(BOOLEAN|U?TINYINT|U?SMALLINT|U?INTEGER|U?BIGINT|U?HUGEINT|FLOAT|DOUBLE|VARCHAR|BIGNUM|ENUM.*)$/

function presentReader(type: DuckDBType): ValueReader {
  const text = type.toString()
  if (PLAIN.test(text)) return (value) => value as Value
  if (text === 'DATE') return (value) => dateText((value as { days: number }).days)
  if (text === 'TIMESTAMP') return (value) => timestampText((value as Micros).micros, false)
  if (text === 'TIMESTAMP WITH TIME ZONE')
    return (value) => timestampText((value as Micros).micros, true)
  if (text === 'BLOB') return (value) => Uint8Array.from((value as { bytes: Uint8Array }).bytes)
  return nestedReader(type, text)
}

type Micros = { readonly micros: bigint }

function nestedReader(type: DuckDBType, text: string): ValueReader {
  const { valueType, keyType, entryNames, entryTypes } = type as Nested
  if (text.startsWith('STRUCT') && entryNames && entryTypes) {
    const readers = entryTypes.map(valueReader)
    return (value) => structOf(value as StructLike, entryNames, readers)
  }
  if (text.startsWith('MAP') && keyType && valueType) {
    const [key, item] = [valueReader(keyType), valueReader(valueType)]
    return (value) =>
      (value as MapLike).entries.map((e) => ({ key: key(e.key), value: item(e.value) }))
  }
  if (valueType) {
    const item = valueReader(valueType)
    return (value) => (value as { items: readonly DuckDBValue[] }).items.map(item)
  }
  return (value) => String(value)
}

type StructLike = { readonly entries: Readonly<Record<string, DuckDBValue>> }
type MapLike = { readonly entries: readonly { key: DuckDBValue; value: DuckDBValue }[] }

function structOf(
  value: StructLike,
  names: readonly string[],
  readers: readonly ValueReader[],
): Value {
  return Object.fromEntries(
    names.map((name, i) => [name, readers[i]!(value.entries[name] ?? null)]),
  )
}

const DAY_MS = 86_400_000
const DAYS_MAX = 8.64e15 / DAY_MS

/** A result has few dates and many of each. */
const dateTexts = new Map<number, string>()
const DATES_MAX = 65_536

/** `YYYY-MM-DD` of days since 1970; years outside 0–9999 in ISO 8601's expanded form. */
export function dateText(days: number): string {
  const known = dateTexts.get(days)
  if (known !== undefined) return known
  if (dateTexts.size === DATES_MAX) dateTexts.clear()
  const text = writeDate(days)
  dateTexts.set(days, text)
  return text
}

function writeDate(days: number): string {
  if (Math.abs(days) === 2_147_483_647) return days < 0 ? '-infinity' : 'infinity'
  if (Math.abs(days) > DAYS_MAX) return `${days} days`
  return new Date(days * DAY_MS).toISOString().split('T')[0]!
}

const MICROS_INFINITY = 9_223_372_036_854_775_807n

/** RFC 3339 text of microseconds since 1970, without trailing zeros in the fraction. */
export function timestampText(micros: bigint, zoned: boolean): string {
  if (micros === MICROS_INFINITY) return 'infinity'
  if (micros === -MICROS_INFINITY) return '-infinity'
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const timeMs = Number((micros - fraction) / 1000n)
  if (Math.abs(timeMs) > 8.64e15) return `${micros} us`
  const head = new Date(timeMs).toISOString().slice(0, -5)
  const digits = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
  return `${head}${digits}${zoned ? 'Z' : ''}`
}

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A value as JSON: large integers and decimals as text, NaN and infinities as words, bytes in base64. */
export function jsonOf(value: Value): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return (value as readonly Value[]).map(jsonOf)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, jsonOf(item)]))
}
