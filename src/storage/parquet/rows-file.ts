/** Rows of a small Parquet file held in memory, read without DuckDB: checkpoints of logs. */
import { LakeError } from '../../model/errors.ts'
import type { ColumnPart } from './column-part.ts'

export type { ColumnPart, PartField } from './column-part.ts'

/** A row as nested objects without its NULLs: 64-bit integers are bigint, maps objects, dates and timestamps Date. */
export type ParquetRow = Readonly<Record<string, unknown>>

/**
 * Decodes a whole Parquet file. Loading DuckDB would cost a quarter of a second, and its reader takes paths, not
 * content that came through the I/O seam.
 */
export async function parquetRows(content: Uint8Array, where: string): Promise<ParquetRow[]> {
  const { decodeRows } = await import('./decode-rows.ts')
  return decodeRows(content).catch((cause: unknown) => {
    throw unreadable(where, cause)
  })
}

/** As `parquetRows`, by column and not yet put together; undefined if a column has an unusual shape. */
export async function parquetParts(
  content: Uint8Array,
  where: string,
): Promise<ColumnPart[] | undefined> {
  const { decodeParts } = await import('./decode-rows.ts')
  return decodeParts(content).catch((cause: unknown) => {
    throw unreadable(where, cause)
  })
}

function unreadable(where: string, cause: unknown): LakeError {
  const message = `not a readable Parquet file: ${where}`
  return new LakeError('CORRUPT_FILE', message, { details: { path: where }, cause })
}
