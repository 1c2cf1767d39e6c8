/** Rows of a small Parquet file held in memory, read without DuckDB: checkpoints of logs. */
import { LakeError } from '../../model/errors.ts'

/** A row as nested objects without its NULLs: 64-bit integers are bigint, maps objects, dates and timestamps Date. */
export type ParquetRow = Readonly<Record<string, unknown>>

/**
 * Decodes a whole Parquet file. Loading DuckDB would cost a quarter of a second, and its reader takes paths, not
 * content that came through the I/O seam.
 */
export async function parquetRows(content: Uint8Array, where: string): Promise<ParquetRow[]> {
  const { decodeRows } = await import('./decode-rows.ts')
  try {
    return await decodeRows(content)
  } catch (cause) {
    throw new LakeError('CORRUPT_FILE', `not a readable Parquet file: ${where}`, {
      details: { path: where },
      cause,
    })
  }
}
