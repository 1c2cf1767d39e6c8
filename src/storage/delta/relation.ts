/** The rows of a snapshot, or of some of its files, as SQL. */
import { createHash } from 'node:crypto'
import type { Schema } from '../../model/schema.ts'
import { typeText } from '../../model/schema.ts'
import type { Scan, ScanFile } from '../parquet/scan.ts'
import { scanSql } from '../parquet/scan.ts'
import type { AddFile } from './actions.ts'
import { mappingMode, physicalName, physicalSchema } from './column-mapping.ts'
import { deletedRows } from './deletion-vector.ts'
import { filePath } from './paths.ts'
import type { Snapshot } from './replay.ts'

/** Tag of an `add`: the SHA-256 of the whole file. */
export const HASH_TAG = 'marketlake.sha256'
/** Tag of an `add`: which columns, in which types, the file has. Files of others have none. */
export const SCHEMA_TAG = 'marketlake.schema'

const fingerprints = new WeakMap<Schema, string>()

/** A short fingerprint of the columns of a schema. */
export function schemaFingerprint(schema: Schema): string {
  const known = fingerprints.get(schema)
  if (known !== undefined) return known
  const text = schema.fields.map((f) => `${f.name}:${typeText(f.type)}`).join('\n')
  const fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 16)
  fingerprints.set(schema, fingerprint)
  return fingerprint
}

/** Names for two more columns (the file of a row, and its number in the file), and SQL for lists of files. */
export type RelationOptions = Pick<Scan, 'fileColumn' | 'rowColumn' | 'fileList'>

/** A SELECT over files of a table, with exactly the columns of its schema. */
export function relationSql(
  directory: string,
  snapshot: Pick<Snapshot, 'schema' | 'metadata'>,
  files: Iterable<AddFile>,
  options: RelationOptions = {},
): string {
  const { schema, metadata } = snapshot
  const mapped = mappingMode(metadata) !== 'none'
  const scanFiles = [...files].map((file) => scanFile(directory, snapshot, file))
  return scanSql({
    schema,
    files: scanFiles,
    ...(mapped && { physical: physicalSchema(schema) }),
    ...options,
  })
}

/** Files of ours hold their partition columns too; files of others leave them out. */
function scanFile(
  directory: string,
  snapshot: Pick<Snapshot, 'schema' | 'metadata'>,
  file: AddFile,
): ScanFile {
  const { schema, metadata } = snapshot
  const tag = file.tags?.[SCHEMA_TAG]
  const columns = tag === undefined ? metadata.partitionColumns : []
  const deleted = deletedRows(file)
  const base = {
    path: filePath(directory, file.path),
    ...(deleted.length > 0 && { deleted }),
  }
  if (columns.length === 0) return { ...base, complete: tag === schemaFingerprint(schema) }
  const partition = Object.fromEntries(
    columns.map((column) => [column, partitionValue(file, schema, column)]),
  )
  return { ...base, complete: false, partition }
}

/** Values are keyed by physical names; an empty text is NULL (PROTOCOL.md). */
function partitionValue(file: AddFile, schema: Schema, column: string): string | null {
  const field = schema.fields.find((f) => f.name === column)
  const value = file.partitionValues[field ? physicalName(field) : column]
  return value === undefined || value === '' ? null : value
}

/** A SELECT over all live files of a snapshot. */
export function snapshotSql(
  directory: string,
  snapshot: Snapshot,
  options: RelationOptions = {},
): string {
  return relationSql(directory, snapshot, snapshot.files.values(), options)
}
