/** Table schemas in Delta's own form: names, types and nullability of columns. */
import { LakeError } from './errors.ts'
import { checkColumnNames, refuseRowNumber } from './name.ts'

const SIMPLE_TYPES = [
  'string',
  'long',
  'integer',
  'short',
  'byte',
  'float',
  'double',
  'boolean',
  'binary',
  'date',
  'timestamp',
  'timestamp_ntz',
] as const

/** Delta's primitive types that have no parameter. */
export type SimpleType = (typeof SIMPLE_TYPES)[number]
/** Delta's primitive types. */
export type PrimitiveType = SimpleType | `decimal(${number},${number})`

/** A column, or a field of a struct column. */
export interface Field {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A struct type; the schema of a table is one. */
export interface StructType {
  readonly type: 'struct'
  readonly fields: readonly Field[]
}

/** A list. */
export interface ArrayType {
  readonly type: 'array'
  readonly elementType: DataType
  readonly containsNull: boolean
}

/** A map. */
export interface MapType {
  readonly type: 'map'
  readonly keyType: DataType
  readonly valueType: DataType
  readonly valueContainsNull: boolean
}

/** Any type a column can have, as Delta writes it in JSON (PROTOCOL.md, "Schema Serialization Format"). */
export type DataType = PrimitiveType | StructType | ArrayType | MapType

/** The schema of a table. */
export type Schema = StructType

/** A nullable column without metadata. */
export function field(name: string, type: DataType, nullable = true): Field {
  return { name, type, nullable, metadata: {} }
}

/** A schema of these columns. */
export function schemaOf(fields: readonly Field[]): Schema {
  return { type: 'struct', fields }
}

/** Parses a Delta `schemaString`; refuses types we do not know, naming the column. */
export function parseSchema(text: string): Schema {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new LakeError('CORRUPT_LOG', 'the schema of the table is not JSON', { cause })
  }
  const type = parseType(value, 'schema')
  if (typeof type === 'string' || type.type !== 'struct') {
    throw new LakeError('CORRUPT_LOG', 'the schema of the table is not a struct')
  }
  return type
}

/** The `schemaString` of a schema. */
export function schemaText(schema: Schema): string {
  return JSON.stringify(schema)
}

/** Precision and scale of a decimal type, else undefined. */
export function decimalOf(type: DataType): { precision: number; scale: number } | undefined {
  if (typeof type !== 'string') return undefined
  const match = /^decimal\((\d+),(-?\d+)\)$/.exec(type)
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : undefined
}

/** A type for people: Delta's text for primitives, a nested form for the others. */
export function typeText(type: DataType): string {
  if (typeof type === 'string') return type
  switch (type.type) {
    case 'struct':
      return `struct<${type.fields.map((f) => `${f.name}:${typeText(f.type)}`).join(',')}>`
    case 'array':
      return `array<${typeText(type.elementType)}>`
    case 'map':
      return `map<${typeText(type.keyType)},${typeText(type.valueType)}>`
  }
}

/** True if the two types are the same, nested nullability and metadata aside. */
export function sameType(a: DataType, b: DataType): boolean {
  return typeText(a) === typeText(b)
}

/** The column of a name, ignoring case, or undefined. */
export function findField(schema: Schema, name: string): Field | undefined {
  const lower = name.toLowerCase()
  return schema.fields.find((f) => f.name.toLowerCase() === lower)
}

/** The column of a name; an error that lists the columns there are. */
export function fieldOf(schema: Schema, name: string, table: string): Field {
  const found = findField(schema, name)
  if (found) return found
  const columns = schema.fields.map((f) => f.name)
  throw new LakeError('COLUMN_NOT_FOUND', `table ${table} has no column ${name}`, {
    details: { table, column: name, columns },
    next: `Its columns are: ${columns.slice(0, 20).join(', ')}${columns.length > 20 ? ', …' : ''}.`,
  })
}

/** Checks a schema that is about to be created or widened. */
export function checkSchema(schema: Schema): Schema {
  if (schema.fields.length === 0) {
    throw new LakeError('INVALID_ARGUMENT', 'a table needs at least one column')
  }
  checkNames(schema)
  refuseRowNumber(schema.fields.map((f) => f.name))
  return schema
}

/** The rules for names hold at every depth. */
function checkNames(type: DataType): void {
  if (typeof type === 'string') return
  switch (type.type) {
    case 'struct':
      checkColumnNames(type.fields.map((f) => f.name))
      for (const f of type.fields) checkNames(f.type)
      return
    case 'array':
      checkNames(type.elementType)
      return
    case 'map':
      checkNames(type.keyType)
      checkNames(type.valueType)
  }
}

/** The columns that `wanted` has and `schema` has not. A column with another type is an error. */
export function missingFields(schema: Schema, wanted: Schema, table: string): Field[] {
  return wanted.fields.filter((want) => {
    const have = findField(schema, want.name)
    if (have && !sameType(have.type, want.type)) {
      throw new LakeError('TYPE_MISMATCH', typeClash(table, have, want), {
        details: { table, column: have.name, expected: have.type, found: want.type },
        next: 'A column keeps its type for the life of a table; store the new values under another name.',
      })
    }
    return !have
  })
}

/** The schema with these columns added at its end, all nullable. */
export function widened(schema: Schema, added: readonly Field[]): Schema {
  const extra = added.map((f) => ({ ...f, nullable: true }))
  return checkSchema({ ...schema, fields: [...schema.fields, ...extra] })
}

/** True if `next` is `previous` with nullable columns added (order and field metadata aside). */
export function onlyAddsNullable(previous: Schema, next: Schema): boolean {
  const kept = previous.fields.every((old) => {
    const now = next.fields.find((f) => f.name === old.name)
    return now && sameType(now.type, old.type) && (now.nullable || !old.nullable)
  })
  const added = next.fields.filter((f) => !previous.fields.some((old) => old.name === f.name))
  return kept && added.every((f) => f.nullable && !findField(previous, f.name))
}

/** True if some part of the schema is a timestamp without zone, which Delta guards by a feature. */
export function usesTimestampNtz(type: DataType): boolean {
  if (typeof type === 'string') return type === 'timestamp_ntz'
  switch (type.type) {
    case 'struct':
      return type.fields.some((f) => usesTimestampNtz(f.type))
    case 'array':
      return usesTimestampNtz(type.elementType)
    case 'map':
      return usesTimestampNtz(type.keyType) || usesTimestampNtz(type.valueType)
  }
}

function typeClash(table: string, have: Field, want: Field): string {
  return `column ${have.name} of table ${table} is ${typeText(have.type)}, not ${typeText(want.type)}`
}

/** Deeper than anyone nests types, and far from the end of the stack. */
const DEPTH_MAX = 100

function parseType(value: unknown, where: string, depth = 0): DataType {
  if (typeof value === 'string') return parsePrimitive(value, where)
  if (depth > DEPTH_MAX) throw unknownType(`nested deeper than ${DEPTH_MAX} levels`, where)
  if (typeof value !== 'object' || value === null) throw unknownType(value, where)
  const node = value as Record<string, unknown>
  switch (node['type']) {
    case 'struct':
      return { type: 'struct', fields: parseFields(node['fields'], where, depth) }
    case 'array':
      return {
        type: 'array',
        elementType: parseType(node['elementType'], where, depth + 1),
        containsNull: node['containsNull'] !== false,
      }
    case 'map':
      return {
        type: 'map',
        keyType: parseType(node['keyType'], where, depth + 1),
        valueType: parseType(node['valueType'], where, depth + 1),
        valueContainsNull: node['valueContainsNull'] !== false,
      }
    default:
      throw unknownType(value, where)
  }
}

function parseFields(value: unknown, where: string, depth: number): Field[] {
  if (!Array.isArray(value)) throw unknownType(value, where)
  return value.map((item: unknown) => {
    const node = (item ?? {}) as Record<string, unknown>
    const name = node['name']
    if (typeof name !== 'string') throw unknownType(item, where)
    return {
      name,
      type: parseType(node['type'], name, depth + 1),
      nullable: node['nullable'] !== false,
      metadata: (node['metadata'] ?? {}) as Record<string, unknown>,
    }
  })
}

function parsePrimitive(text: string, where: string): PrimitiveType {
  if ((SIMPLE_TYPES as readonly string[]).includes(text)) return text as SimpleType
  if (text === 'decimal') return 'decimal(10,0)'
  const match = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(text)
  const precision = Number(match?.[1])
  const scale = Number(match?.[2])
  if (match && precision >= 1 && precision <= 38 && scale <= precision) {
    return `decimal(${precision},${scale})`
  }
  throw unknownType(text, where)
}

function unknownType(value: unknown, where: string): LakeError {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'none').slice(0, 200)
  return new LakeError('UNSUPPORTED_TYPE', `column ${where} has a type we do not read: ${text}`, {
    details: { column: where, type: value },
    next: 'Read this table with the engine that wrote it.',
  })
}
