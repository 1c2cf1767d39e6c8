/** Types of Delta and of DuckDB, each in terms of the other. */
import type { DuckDBType } from '@duckdb/node-api'
import { LakeError } from '../../model/errors.ts'
import type { DataType, Field } from '../../model/schema.ts'
import { decimalOf, field } from '../../model/schema.ts'
import { identifier } from './sql.ts'

const DUCKDB_NAME: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  long: 'BIGINT',
  integer: 'INTEGER',
  short: 'SMALLINT',
  byte: 'TINYINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ntz: 'TIMESTAMP',
}

/** DuckDB types that a Delta type holds without loss, by DuckDB's name. Unsigned types move one size up. */
const DELTA_NAME: Readonly<Record<string, DataType>> = {
  VARCHAR: 'string',
  JSON: 'string',
  UUID: 'string',
  BIGINT: 'long',
  INTEGER: 'integer',
  SMALLINT: 'short',
  TINYINT: 'byte',
  UTINYINT: 'short',
  USMALLINT: 'integer',
  UINTEGER: 'long',
  UBIGINT: 'decimal(20,0)',
  HUGEINT: 'decimal(38,0)',
  FLOAT: 'float',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  BLOB: 'binary',
  DATE: 'date',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
  TIMESTAMP: 'timestamp_ntz',
  TIMESTAMP_S: 'timestamp_ntz',
  TIMESTAMP_MS: 'timestamp_ntz',
}

/** The DuckDB type, as SQL text, that holds a Delta type. */
export function duckdbType(type: DataType): string {
  if (typeof type === 'string') {
    const decimal = decimalOf(type)
    return decimal ? `DECIMAL(${decimal.precision},${decimal.scale})` : DUCKDB_NAME[type]!
  }
  switch (type.type) {
    case 'struct':
      return `STRUCT(${type.fields.map((f) => `${identifier(f.name)} ${duckdbType(f.type)}`).join(', ')})`
    case 'array':
      return `${duckdbType(type.elementType)}[]`
    case 'map':
      return `MAP(${duckdbType(type.keyType)}, ${duckdbType(type.valueType)})`
  }
}

/** A column cast to the type of a table, under the table's name. */
export function castColumn(column: Field, expression: string = identifier(column.name)): string {
  return `CAST(${expression} AS ${duckdbType(column.type)}) AS ${identifier(column.name)}`
}

/** The Delta type that holds a DuckDB type without loss; refuses what has none, naming the column. */
export function deltaType(type: DuckDBType, column: string): DataType {
  const text = type.toString()
  const simple = DELTA_NAME[text] ?? (type.alias === 'JSON' ? 'string' : undefined)
  if (simple !== undefined) return simple
  if (text.startsWith('ENUM')) return 'string'
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(text)
  if (decimal) return `decimal(${Number(decimal[1])},${Number(decimal[2])})`
  return nestedType(type, column)
}

type Nested = {
  readonly valueType?: DuckDBType
  readonly keyType?: DuckDBType
  readonly entryNames?: readonly string[]
  readonly entryTypes?: readonly DuckDBType[]
}

function nestedType(type: DuckDBType, column: string): DataType {
  const text = type.toString()
  const { valueType, keyType, entryNames, entryTypes } = type as Nested
  if (text.startsWith('STRUCT') && entryNames && entryTypes) {
    const fields = entryNames.map((name, i) => field(name, deltaType(entryTypes[i]!, column)))
    if (fields.length > 0) return { type: 'struct', fields }
  }
  if (text.startsWith('MAP') && keyType && valueType) {
    return {
      type: 'map',
      keyType: deltaType(keyType, column),
      valueType: deltaType(valueType, column),
      valueContainsNull: true,
    }
  }
  if (text.endsWith('[]') && valueType) {
    return { type: 'array', elementType: deltaType(valueType, column), containsNull: true }
  }
  throw new LakeError(
    'UNSUPPORTED_TYPE',
    `column ${column} has type ${text}, which a table cannot hold`,
    {
      details: { column, type: text },
      next: 'Cast the column first, for example to VARCHAR.',
    },
  )
}

const INTEGERS = ['byte', 'short', 'integer', 'long']

/** True if every value of `from` is the same value as `to`: equal types, or a narrower number. */
export function losslessCast(from: DataType, to: DataType): boolean {
  if (typeof from !== 'string' || typeof to !== 'string') return sameNested(from, to)
  if (from === to || (from === 'float' && to === 'double')) return true
  const [a, b] = [INTEGERS.indexOf(from), INTEGERS.indexOf(to)]
  if (a >= 0 && b >= 0) return a <= b
  const [x, y] = [decimalOf(from), decimalOf(to)]
  return Boolean(x && y && y.scale >= x.scale && y.precision - y.scale >= x.precision - x.scale)
}

function sameNested(from: DataType, to: DataType): boolean {
  if (typeof from === 'string' || typeof to === 'string' || from.type !== to.type) return false
  if (from.type === 'array' && to.type === 'array')
    return losslessCast(from.elementType, to.elementType)
  if (from.type === 'map' && to.type === 'map') {
    return losslessCast(from.keyType, to.keyType) && losslessCast(from.valueType, to.valueType)
  }
  if (from.type !== 'struct' || to.type !== 'struct') return false
  const fits = (f: Field): boolean => {
    const target = to.fields.find((t) => t.name === f.name)
    return target !== undefined && losslessCast(f.type, target.type)
  }
  return from.fields.length === to.fields.length && from.fields.every(fits)
}

const TIMESTAMPS = new Set<DataType>(['timestamp', 'timestamp_ntz'])

/**
 * True if DuckDB reads a column of a file as a column of a table without changing a value in silence. Wider than
 * `losslessCast`: a cast that fails loudly is no danger, struct fields may be missing, old timestamps name no zone,
 * and Delta's type widening is allowed.
 */
export function readableAs(file: DataType, table: DataType): boolean {
  if (typeof file !== 'string' || typeof table !== 'string') return readableNested(file, table)
  if (losslessCast(file, table)) return true
  if (INTEGERS.includes(file) && INTEGERS.includes(table)) return true
  if (TIMESTAMPS.has(file) && TIMESTAMPS.has(table)) return true
  if (file === 'date') return table === 'timestamp_ntz'
  const small = INTEGERS.includes(file) && file !== 'long'
  return (
    (small && table === 'double') || (INTEGERS.includes(file) && decimalOf(table) !== undefined)
  )
}

function readableNested(file: DataType, table: DataType): boolean {
  if (typeof file === 'string' || typeof table === 'string') return false
  if (file.type === 'array' && table.type === 'array')
    return readableAs(file.elementType, table.elementType)
  if (file.type === 'map' && table.type === 'map') {
    return readableAs(file.keyType, table.keyType) && readableAs(file.valueType, table.valueType)
  }
  if (file.type !== 'struct' || table.type !== 'struct') return false
  return table.fields.every((want) => {
    const have = file.fields.find((f) => f.name.toLowerCase() === want.name.toLowerCase())
    return !have || readableAs(have.type, want.type)
  })
}
