/** DuckDB itself: loaded at first use, because loading it costs a quarter of a second, and its errors in our words. */
import type * as Api from '@duckdb/node-api'
import { LakeError, messageOf } from '../../model/errors.ts'
import { adviceOn, errnoName } from '../files/io-error.ts'
import type { ErrorCode } from '../../model/errors.ts'

let loaded: Promise<typeof Api> | undefined

/** The bindings. `--help` and everything that reads only logs must never call this. */
export function duckdb(): Promise<typeof Api> {
  loaded ??= import('@duckdb/node-api')
  return loaded
}

interface RawError {
  readonly exception_type?: string
  readonly exception_message?: string
  readonly position?: string
  readonly candidates?: string
  readonly errno?: string
}

/** `errors_as_json` text, bare or behind a prefix such as `Parser Error: `. */
function parseRaw(message: string): RawError {
  const start = message.indexOf('{"exception_type"')
  if (start < 0) return { exception_message: message }
  try {
    return JSON.parse(message.slice(start)) as RawError
  } catch {
    return { exception_message: message }
  }
}

/** Some failed writes carry only the text of the system. */
function errnoOfRaw(raw: RawError, message: string): string | undefined {
  if (raw.errno !== undefined) return errnoName(Number(raw.errno))
  return /No space left on device/.test(message) ? 'ENOSPC' : undefined
}

/** Messages DuckDB gives for a Parquet file that is cut, overwritten or no Parquet file at all. */
const BROKEN_PARQUET =
  /No magic bytes|TProtocolException|don't know what type|invalid TType|Prefetch registered|too small to be a Parquet|Footer length|Parquet file|corrupt/i

/** Messages for a Parquet file that may be right and cannot be read. */
const UNREADABLE_PARQUET = /is encrypted, but|Unsupported compression codec/

/** Turns an error of DuckDB into ours; the position is a 0-based index into the statement's string. */
export function sqlError(cause: unknown, sql?: string): LakeError {
  if (cause instanceof LakeError) return cause
  const raw = parseRaw(messageOf(cause))
  const message = raw.exception_message ?? messageOf(cause)
  const errno = errnoOfRaw(raw, message)
  const position = sql === undefined ? undefined : positionIn(sql, raw)
  const code = codeOf(raw, message)
  const next = advice(raw, code) ?? adviceOn(errno)
  return new LakeError(code, message, {
    cause,
    details: {
      type: raw.exception_type ?? 'Unknown',
      ...(sql !== undefined && { sql: sql.slice(0, 2000) }),
      ...(position !== undefined && { position }),
      ...(raw.candidates !== undefined && { candidates: raw.candidates.split(',') }),
      ...(errno !== undefined && { errno }),
    },
    ...(next !== undefined && { next }),
  })
}

/** The parser counts characters, everything after it bytes of UTF-8 (measured with 1.5.6). */
function positionIn(sql: string, { position, exception_type: type }: RawError): number | undefined {
  if (position === undefined) return undefined
  return type === 'Parser'
    ? [...sql].slice(0, Number(position)).join('').length
    : Buffer.from(sql).subarray(0, Number(position)).toString().length
}

function codeOf(raw: RawError, message: string): ErrorCode {
  const type = raw.exception_type ?? ''
  if (/interrupt/i.test(type) || /^INTERRUPT/i.test(message)) return 'CANCELLED'
  if (/out of memory/i.test(type)) return 'OUT_OF_MEMORY'
  if (UNREADABLE_PARQUET.test(message)) return 'UNSUPPORTED_FEATURE'
  if (BROKEN_PARQUET.test(message)) return 'CORRUPT_FILE'
  if (/^IO$/i.test(type)) return 'IO_ERROR'
  return 'SQL_ERROR'
}

function advice(raw: RawError, code: ErrorCode): string | undefined {
  if (code === 'CORRUPT_FILE')
    return 'The file is cut or no Parquet file: fetch or export it again.'
  if (code === 'UNSUPPORTED_FEATURE')
    return 'Write the file again without encryption, compressed with zstd or snappy.'
  if (raw.candidates) return `Did you mean ${raw.candidates.split(',').join(' or ')}?`
  if (/out of memory/i.test(raw.exception_type ?? '')) {
    return 'Raise limits.memory in lake.toml, or ask for less at a time.'
  }
  return undefined
}
