/** The rows of a snapshot, or of some of its files, as SQL. */
import { createHash } from 'node:crypto'
import type { Schema } from '../../model/schema.ts'
import { typeText } from '../../model/schema.ts'
import type { ScanFile } from '../parquet/scan.ts'
import { scanSql } from '../parquet/scan.ts'
import type { AddFile } from './actions.ts'
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

/** Names for two more columns: the file of a row, and its number in the file. */
export interface RelationOptions {
  readonly fileColumn?: string
  readonly rowColumn?: string
}

/** A SELECT over files of a table, with exactly the columns of its schema. */
export function relationSql(
  directory: string,
  snapshot: Pick<Snapshot, 'schema' | 'metadata'>,
  files: Iterable<AddFile>,
  options: RelationOptions = {},
): string {
  const current = schemaFingerprint(snapshot.schema)
  const scanFiles = [...files].map((file) => scanFile(directory, snapshot, file, current))
  return scanSql({ schema: snapshot.schema, files: scanFiles, ...options })
}

/** Files of ours hold their partition columns too; files of others leave them out. */
function scanFile(
  directory: string,
  snapshot: Pick<Snapshot, 'metadata'>,
  file: AddFile,
  current: string,
): ScanFile {
  const tag = file.tags?.[SCHEMA_TAG]
  const columns = tag === undefined ? snapshot.metadata.partitionColumns : []
  const path = filePath(directory, file.path)
  if (columns.length === 0) return { path, complete: tag === current }
  const partition = Object.fromEntries(columns.map((c) => [c, file.partitionValues[c] ?? null]))
  return { path, complete: false, partition }
}

/** A SELECT over all live files of a snapshot. */
export function snapshotSql(
  directory: string,
  snapshot: Snapshot,
  options: RelationOptions = {},
): string {
  return relationSql(directory, snapshot, snapshot.files.values(), options)
}
