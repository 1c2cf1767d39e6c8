/** Partition values: their text in the log, and the directories they name. */
import { LakeError } from '../../model/errors.ts'
import type { DataType, Field } from '../../model/schema.ts'
import { fieldOf } from '../../model/schema.ts'
import { identifier, literal } from '../parquet/sql.ts'
import type { PartitionValues } from './actions.ts'
import { hiveDirectory } from './paths.ts'
import type { Snapshot } from './replay.ts'

/** The columns by which a table is partitioned. */
export function partitionFields(snapshot: Snapshot, table: string): Field[] {
  return snapshot.metadata.partitionColumns.map((name) => fieldOf(snapshot.schema, name, table))
}

/** The text of a partition value, as SQL (PROTOCOL.md, "Partition Value Serialization"). */
export function partitionText(column: Field): string {
  const name = identifier(column.name)
  switch (column.type) {
    case 'timestamp':
      return `strftime(timezone('UTC', ${name}), '%Y-%m-%dT%H:%M:%S.%fZ')`
    case 'timestamp_ntz':
      return `strftime(${name}, '%Y-%m-%d %H:%M:%S.%f')`
    default:
      return `CAST(${name} AS VARCHAR)`
  }
}

/** Types whose values come back from their text exactly. */
export function checkPartitionType(column: Field): void {
  if (typeof column.type === 'string' && !['binary', 'float', 'double'].includes(column.type))
    return
  throw new LakeError('UNSUPPORTED_TYPE', `column ${column.name} cannot partition a table`, {
    details: { column: column.name, type: column.type },
    next: 'Partition by texts, integers, dates, timestamps, decimals or booleans.',
  })
}

/** A condition that selects the rows of one partition. */
export function partitionCondition(fields: readonly Field[], values: PartitionValues): string {
  const conditions = fields.map((f) => {
    const value = values[f.name] ?? null
    return value === null
      ? `${identifier(f.name)} IS NULL`
      : `${partitionText(f)} = ${literal(value)}`
  })
  return conditions.length === 0 ? 'true' : conditions.join(' AND ')
}

/** The directory of a partition below the table. */
export function partitionDirectory(columns: readonly string[], values: PartitionValues): string {
  return columns.map((name) => hiveDirectory(name, values[name] ?? null)).join('/')
}

/** The value of a partition as SQL of the column's type; `expression` is its text. */
export function partitionValueSql(type: DataType, expression: string): string {
  return type === 'binary' ? `encode(${expression})` : expression
}

/** The empty text cannot be told from NULL once it is a partition value. */
export function checkPartitionValues(values: PartitionValues, table: string): void {
  const empty = Object.entries(values).find(([, value]) => value === '')
  if (!empty) return
  throw new LakeError('INVALID_ARGUMENT', `an empty text cannot be a partition of ${table}`, {
    details: { table, column: empty[0] },
    next: 'Write NULL, or another text.',
  })
}
