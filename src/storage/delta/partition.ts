/** Partition values: their text in the log, and the directories they name. */
import { LakeError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { fieldOf, typeText } from '../../model/schema.ts'
import { identifier, literal } from '../parquet/sql.ts'
import { duckdbType } from '../parquet/types.ts'
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

/** Values of some partition columns, as texts of the log; null for NULL. */
export type PartitionKey = Readonly<Record<string, string | number | bigint | boolean | null>>

/** A condition that selects the rows of one partition, or of all that share some values. */
export function partitionPredicate(snapshot: Snapshot, values: PartitionKey): string {
  const { partitionColumns } = snapshot.metadata
  const conditions = Object.entries(values).map(([name, value]) => {
    if (!partitionColumns.includes(name)) throw noPartition(name, partitionColumns)
    const { type } = fieldOf(snapshot.schema, name, snapshot.metadata.name ?? 'table')
    return value === null
      ? `${identifier(name)} IS NULL`
      : `${identifier(name)} = CAST(${literal(String(value))} AS ${duckdbType(type)})`
  })
  if (conditions.length === 0) throw noPartition('', partitionColumns)
  return conditions.join(' AND ')
}

function noPartition(name: string, columns: readonly string[]): LakeError {
  return new LakeError('INVALID_ARGUMENT', `no partition column: ${JSON.stringify(name)}`, {
    details: { column: name, partitionColumns: columns },
    next: `The table is partitioned by: ${columns.join(', ') || 'nothing'}.`,
  })
}

/** The directory of a partition below the table. */
export function partitionDirectory(columns: readonly string[], values: PartitionValues): string {
  return columns.map((name) => hiveDirectory(name, values[name] ?? null)).join('/')
}

/** File systems refuse longer names. */
const NAME_BYTES_MAX = 255

/** Throws for values that other readers would take for something else, or that no directory can be named by. */
export function checkPartitionValues(
  fields: readonly Field[],
  values: PartitionValues,
  table: string,
): void {
  for (const field of fields) {
    const reason = badValue(field, values[field.name] ?? null)
    if (reason === undefined) continue
    throw new LakeError('INVALID_ARGUMENT', `${reason} cannot be a partition of ${table}`, {
      details: { table, column: field.name },
      next: 'Write NULL or another value, or do not partition by this column.',
    })
  }
}

function badValue(field: Field, value: string | null): string | undefined {
  if (value === null) return undefined
  if (value === '') return 'an empty text, which cannot be told from NULL,'
  const dated = ['date', 'timestamp', 'timestamp_ntz'].includes(typeText(field.type))
  if (dated && !/^\d{4}-/.test(value)) return `the year of ${value}`
  const bytes = Buffer.byteLength(hiveDirectory(field.name, value))
  return bytes > NAME_BYTES_MAX ? `a text that names a directory of ${bytes} bytes` : undefined
}
