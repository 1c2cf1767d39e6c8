/** The first bytes of an old file: what is no DuckDB file, or one that this DuckDB cannot read, is told before it is opened. */
import { LakeError } from '../model/errors.ts'
import type { Files } from '../storage/files/files.ts'
import { readHead } from '../storage/files/read-head.ts'

/** The newest storage version that the engine reads: that of DuckDB 1.5. */
const STORAGE_VERSION_MAX = 68
const MAGIC_AT = 8
const MAGIC = 'DUCK'
const VERSION_AT = 12
const FLAGS_AT = 20
const HEAD_BYTES = 64
/** A flag of the main header since DuckDB 1.4. */
const ENCRYPTED = 1n

/** Checks that a path is a DuckDB file that can be read. */
export async function checkOldFile(files: Files, path: string): Promise<void> {
  const stat = await files.stat(path)
  if (!stat) throw refused('IO_ERROR', path, 'there is no such file', 'Check the path.')
  if (stat.kind !== 'file')
    throw refused('INVALID_ARGUMENT', path, 'it is no file', 'Name the `.duckdb` file itself.')
  const head = await readHead(path, HEAD_BYTES)
  const text = new TextDecoder('latin1').decode(head.subarray(MAGIC_AT, MAGIC_AT + MAGIC.length))
  if (text !== MAGIC)
    throw refused(
      'INVALID_ARGUMENT',
      path,
      'it is no DuckDB file',
      'Load Parquet, CSV and JSON lines with `marketlake load`.',
    )
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const version = Number(view.getBigUint64(VERSION_AT, true))
  if (version > STORAGE_VERSION_MAX)
    throw refused(
      'UNSUPPORTED_FEATURE',
      path,
      `its storage version is ${String(version)} (DuckDB 2.0 or newer), and versions up to ${String(STORAGE_VERSION_MAX)} can be read`,
      "In the program that wrote it run: EXPORT DATABASE 'folder' (FORMAT parquet); then: marketlake migrate import folder. Or attach a new file with STORAGE_VERSION 'v1.0.0' there and COPY FROM DATABASE into it.",
      { storageVersion: version },
    )
  if ((view.getBigUint64(FLAGS_AT, true) & ENCRYPTED) === ENCRYPTED)
    throw refused(
      'UNSUPPORTED_FEATURE',
      path,
      'it is encrypted',
      'Attach it with its key beside a new file and COPY FROM DATABASE into that.',
    )
}

function refused(
  code: 'IO_ERROR' | 'INVALID_ARGUMENT' | 'UNSUPPORTED_FEATURE',
  path: string,
  reason: string,
  next: string,
  more: Readonly<Record<string, unknown>> = {},
): LakeError {
  return new LakeError(code, `${path} cannot be imported: ${reason}`, {
    details: { path, ...more },
    next,
  })
}
