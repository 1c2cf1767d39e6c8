/** Statistics that stand in a checkpoint as typed columns, turned into the JSON text of `add.stats`. */
import { parseSchema } from '../../model/schema.ts'
import type { DataType, Field } from '../../model/schema.ts'

type Node = Readonly<Record<string, unknown>>

/** The `stats` text of a `stats_parsed` struct; undefined if it has no row count. Doubtful bounds are left out. */
export function statsFromParsed(parsed: Node, schemaString: string): string | undefined {
  const rows = parsed['numRecords']
  if (typeof rows !== 'bigint' && typeof rows !== 'number') return undefined
  const fields = parseSchema(schemaString).fields
  const parts = ['minValues', 'maxValues'].map(
    (part) => `"${part}":${bounds(parsed[part], fields)}`,
  )
  const counts = JSON.stringify(parsed['nullCount'] ?? {}, (_key, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  )
  return `{"numRecords":${rows},${parts.join(',')},"nullCount":${counts}}`
}

function bounds(value: unknown, fields: readonly Field[]): string {
  if (typeof value !== 'object' || value === null) return '{}'
  const entries = fields.flatMap((f) => {
    const text = boundText((value as Node)[physicalName(f)], f.type)
    return text === undefined ? [] : [`${JSON.stringify(physicalName(f))}:${text}`]
  })
  return `{${entries.join(',')}}`
}

/** Under column mapping, statistics are keyed by physical names. */
function physicalName(column: Field): string {
  const name = column.metadata['delta.columnMapping.physicalName']
  return typeof name === 'string' ? name : column.name
}

function boundText(value: unknown, type: DataType): string | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof type !== 'string') {
    return type.type === 'struct' ? bounds(value, type.fields) : undefined
  }
  switch (type) {
    case 'string':
      return typeof value === 'string' ? JSON.stringify(value) : undefined
    case 'date':
      return value instanceof Date ? JSON.stringify(value.toISOString().slice(0, 10)) : undefined
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return integerText(value)
    case 'double':
    case 'float':
      return Number.isFinite(value) ? JSON.stringify(value) : undefined
    default:
      // Decimals came through a double, timestamps through milliseconds: no certain bounds.
      return undefined
  }
}

function integerText(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined
}
