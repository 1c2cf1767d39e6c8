/** Rows of a small Parquet file held in memory, read without DuckDB: checkpoints of logs. */
import { LakeError } from '../../model/errors.ts'

/** A row as nested objects: 64-bit integers are bigint, maps objects, dates and timestamps Date. */
export type ParquetRow = Readonly<Record<string, unknown>>

/**
 * Decodes a whole Parquet file. Loading DuckDB would cost a quarter of a second, and its reader takes paths, not
 * content that came through the I/O seam.
 */
export async function parquetRows(content: Uint8Array, where: string): Promise<ParquetRow[]> {
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ])
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength)
  try {
    return (await parquetReadObjects({ file: file as ArrayBuffer, compressors })) as ParquetRow[]
  } catch (cause) {
    throw new LakeError('CORRUPT_FILE', `not a readable Parquet file: ${where}`, {
      details: { path: where },
      cause,
    })
  }
}
