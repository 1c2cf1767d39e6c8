/** The metadata of a table: made new, widened, and merged when two commits widened it. */
import type { Effects } from '../../model/effects.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { findField, parseSchema, schemaText, typeText, widened } from '../../model/schema.ts'
import type { Metadata } from './actions.ts'
import type { Snapshot } from './replay.ts'

/** The metadata of a new table. */
export function newMetadata(
  options: {
    readonly name?: string
    readonly schema: Schema
    readonly partitionColumns: readonly string[]
    readonly configuration: Readonly<Record<string, string>>
  },
  effects: Effects,
): Metadata {
  return {
    id: effects.uuid(),
    ...(options.name !== undefined && { name: options.name }),
    format: { provider: 'parquet', options: {} },
    schemaString: schemaText(options.schema),
    partitionColumns: options.partitionColumns,
    configuration: options.configuration,
    createdTime: Math.floor(effects.now()),
  }
}

/** The metadata with nullable columns added at the end. */
export function widenedMetadata(
  metadata: Metadata,
  schema: Schema,
  added: readonly Field[],
): Metadata {
  return { ...metadata, schemaString: schemaText(widened(schema, added)) }
}

/** Our new metadata on top of what others added since the base. */
export function mergedMetadata(ours: Metadata, base: Snapshot, now: Snapshot): Metadata {
  if (base.version < 0 || now.metadata === base.metadata) return ours
  const theirs = now.schema.fields.filter((f) => !findField(base.schema, f.name))
  const own = parseSchema(ours.schemaString)
  const missing = theirs.filter((f) => !findField(own, f.name))
  const merged = missing.length === 0 ? ours : widenedMetadata(ours, own, missing)
  return withColumnTypes(merged, columnTypes(now.metadata))
}

/** The property that remembers which types column names ever had. */
export const COLUMN_TYPES = 'marketlake.columnTypes'

/** Types of all columns the table ever had, as text by name: a name keeps its type for the life of a table. */
export function columnTypes(metadata: Metadata): Readonly<Record<string, string>> {
  try {
    return JSON.parse(metadata.configuration[COLUMN_TYPES] ?? '{}') as Record<string, string>
  } catch {
    return {}
  }
}

/** The metadata with its own column types noted, besides those already known. */
export function withColumnTypes(
  metadata: Metadata,
  known: Readonly<Record<string, string>> = columnTypes(metadata),
): Metadata {
  const fields = parseSchema(metadata.schemaString).fields
  const own = Object.fromEntries(fields.map((f) => [f.name, typeText(f.type)]))
  const types = JSON.stringify({ ...known, ...columnTypes(metadata), ...own })
  return { ...metadata, configuration: { ...metadata.configuration, [COLUMN_TYPES]: types } }
}
