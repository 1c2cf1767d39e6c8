/** Rows in one form for every engine: text that says every bit of a value, and types in Delta's words. */
import type { DataType, Schema } from '../../../src/model/schema.ts'

/** A value in that form. */
export type Cell = null | boolean | string | readonly Cell[] | { readonly [name: string]: Cell }

/** Types and rows of a table. */
export interface Canonical {
  readonly types: Readonly<Record<string, string>>
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

/** Rows as JavaScript writes or reads them, in the common form. Columns that are missing are NULL. */
export function canonicalRows(
  schema: Schema,
  rows: readonly Readonly<Record<string, unknown>>[],
): Canonical {
  return {
    types: Object.fromEntries(schema.fields.map((f) => [f.name, canonicalType(f.type)])),
    rows: rows.map((row) =>
      Object.fromEntries(schema.fields.map((f) => [f.name, cellOf(row[f.name], f.type)])),
    ),
  }
}

/** The same rows in one order, so that two tables can be compared. */
export function sorted(table: Canonical): Canonical {
  const text = (row: Canonical['rows'][number]): string =>
    JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const rows = table.rows.map((row) => [text(row), row] as const)
  return {
    types: table.types,
    rows: rows.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, row]) => row),
  }
}

function canonicalType(type: DataType): string {
  if (typeof type === 'string') return type
  switch (type.type) {
    case 'array':
      return `array<${canonicalType(type.elementType)}>`
    case 'map':
      return `map<${canonicalType(type.keyType)},${canonicalType(type.valueType)}>`
    case 'struct':
      return `struct<${type.fields.map((f) => `${f.name}:${canonicalType(f.type)}`).join(',')}>`
  }
}

function cellOf(value: unknown, type: DataType): Cell {
  if (value === null || value === undefined) return null
  return typeof type === 'string' ? plainCell(value, type) : nestedCell(value, type)
}

function plainCell(value: unknown, type: string): Cell {
  if (typeof value === 'boolean') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (type === 'double' || type === 'float') return doubleBits(value as number)
  if (type.startsWith('timestamp')) return timestamp(value as string)
  return decimalText(String(value), type)
}

function doubleBits(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

function timestamp(text: string): string {
  const match = /^(.{10})[T ](.{8})(?:\.(\d+))?Z?$/.exec(text)
  if (!match) throw new Error(`not in UTC: ${text}`)
  return `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}`
}

function decimalText(text: string, type: string): string {
  const scale = Number(/^decimal\(\d+,(\d+)\)$/.exec(type)?.[1] ?? 0)
  if (!type.startsWith('decimal') || scale === 0) return text
  const [whole, fraction = ''] = text.split('.')
  return `${whole!}.${fraction.padEnd(scale, '0')}`
}

function nestedCell(value: unknown, type: Exclude<DataType, string>): Cell {
  switch (type.type) {
    case 'array':
      return (value as readonly unknown[]).map((item) => cellOf(item, type.elementType))
    case 'struct': {
      const fields = value as Readonly<Record<string, unknown>>
      return Object.fromEntries(type.fields.map((f) => [f.name, cellOf(fields[f.name], f.type)]))
    }
    case 'map': {
      const entries = value as readonly { readonly key: unknown; readonly value: unknown }[]
      return entries
        .map((e) => [cellOf(e.key, type.keyType), cellOf(e.value, type.valueType)])
        .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    }
  }
}
