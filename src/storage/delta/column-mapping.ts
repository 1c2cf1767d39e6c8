/** Column mapping: tables whose files hold columns under other names (PROTOCOL.md, "Column Mapping"). Read only. */
import type { Field, Schema } from '../../model/schema.ts'
import { schemaOf } from '../../model/schema.ts'
import type { Metadata } from './actions.ts'

/** How columns of files are found. */
export type MappingMode = 'none' | 'name' | 'id'

/** The mode of a table. */
export function mappingMode(metadata: Metadata): MappingMode {
  const mode = metadata.configuration['delta.columnMapping.mode']
  return mode === 'name' || mode === 'id' ? mode : 'none'
}

/** The name of a column in files, statistics and partition values. */
export function physicalName(field: Field): string {
  const name = field.metadata['delta.columnMapping.physicalName']
  return typeof name === 'string' ? name : field.name
}

/** The schema of a table under the names that its files use, nested fields included. */
export function physicalSchema(schema: Schema): Schema {
  return schemaOf(schema.fields.map(physicalField))
}

function physicalField(field: Field): Field {
  return { ...field, name: physicalName(field), type: physicalType(field.type) }
}

function physicalType(type: Field['type']): Field['type'] {
  if (typeof type === 'string') return type
  switch (type.type) {
    case 'struct':
      return { ...type, fields: type.fields.map(physicalField) }
    case 'array':
      return { ...type, elementType: physicalType(type.elementType) }
    case 'map':
      return {
        ...type,
        keyType: physicalType(type.keyType),
        valueType: physicalType(type.valueType),
      }
  }
}
