/** One relation into one Parquet file: a fresh name, written once, checked, hashed and synced. */
import { join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { realEffects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { Files, SealedFile } from '../files/files.ts'
import { errnoOf } from '../files/io-error.ts'
import type { Session } from './database.ts'
import { identifier, identifiers, literal } from './sql.ts'
import { statisticsText } from './statistics.ts'
import type { ColumnStatistics, FileStatistics } from './statistics.ts'
import { castColumn } from './types.ts'
import type { Value } from './values.ts'

/** A Parquet file that is complete and durable in content; its name is durable after a sync of its directory. */
export interface WrittenFile {
  /** Name below `directory`. */
  readonly name: string
  readonly sizeBytes: number
  readonly rows: number
  /** The `stats` text for Delta. */
  readonly stats: string
  readonly sha256: string
  readonly modifiedMs: number
}

/** What to write and where. */
export interface WriteOptions {
  /** A SELECT, or the name of a table in parentheses; it has the columns of `schema` by name. */
  readonly sql: string
  readonly schema: Schema
  /** True if the SELECT has them in this order and in exactly these types: to bind a cast costs as much as the column. */
  readonly typed?: boolean
  /** Columns by which the rows are sorted. */
  readonly orderBy?: readonly string[]
  /** Columns that get statistics wherever they stand. */
  readonly statisticsColumns?: readonly string[]
  /** An absolute path of a directory that exists. */
  readonly directory: string
}

const MAGIC = 'PAR1'
const decoder = new TextDecoder('latin1')

/** Writes the rows of a SELECT; undefined, and no file, if there are none. */
export async function writeParquet(
  session: Session,
  files: Files,
  options: WriteOptions,
  effects: Pick<Effects, 'uuid' | 'now'> = realEffects,
): Promise<WrittenFile | undefined> {
  const name = `${effects.uuid()}.parquet`
  const written = await writeParquetAs(session, files, join(options.directory, name), options)
  if (!written) return undefined
  return {
    name,
    sizeBytes: written.sealed.sizeBytes,
    rows: written.rows,
    stats: statisticsText(
      written.rows,
      options.schema,
      written.statistics,
      options.statisticsColumns ?? [],
    ),
    sha256: written.sealed.sha256,
    modifiedMs: Math.floor(effects.now()),
  }
}

/** A Parquet file under a name of the caller's, which nobody may have used. */
export interface WrittenParquet {
  readonly sealed: SealedFile
  readonly rows: number
  readonly statistics: FileStatistics
}

/** Writes the rows of a SELECT to a path; undefined, and no file, if there are none. */
export async function writeParquetAs(
  session: Session,
  files: Files,
  path: string,
  options: Pick<WriteOptions, 'sql' | 'schema' | 'typed' | 'orderBy'>,
): Promise<WrittenParquet | undefined> {
  try {
    const [report] = await copyTo(session, path, options)
    if (report && report.count > 0n) {
      const sealed = await files.seal(path).catch((error: unknown) => {
        throw errnoOf(error) === 'ENOENT' ? takenAway(path, error) : error
      })
      checkSealed(path, sealed, report)
      return {
        sealed,
        rows: Number(report.count),
        statistics: statisticsOf(report.column_statistics),
      }
    }
  } catch (error) {
    await files.remove(path).catch(() => undefined)
    throw error
  }
  await files.remove(path)
  return undefined
}

/** Who sleeps for a day between writing and sealing, as a laptop does, finds that a vacuum took the file for left over. */
function takenAway(path: string, cause: unknown): LakeError {
  return new LakeError('WRITE_CONFLICT', `the file just written was taken away: ${path}`, {
    details: { path, staged: true },
    cause,
    next: 'Write again. A vacuum removes files that no commit names after retention.staged (24 hours by default).',
  })
}

type CopyReport = Readonly<{
  count: bigint
  file_size_bytes: bigint
  footer_size_bytes: bigint
  column_statistics: Value
}>

function copyTo(
  session: Session,
  path: string,
  options: Pick<WriteOptions, 'sql' | 'schema' | 'typed' | 'orderBy'>,
): Promise<CopyReport[]> {
  const { schema, typed, orderBy } = options
  const columns = schema.fields.map((f) => (typed ? spelled(f.name) : castColumn(f))).join(', ')
  const order = orderBy && orderBy.length > 0 ? ` ORDER BY ${identifiers(orderBy)}` : ''
  const target = `FORMAT parquet, COMPRESSION ${codecOf(schema)}, ROW_GROUP_SIZE ${rowGroupRows(schema)}, RETURN_STATS`
  const sql = `COPY (SELECT ${columns} FROM (${options.sql})${order}) TO ${literal(path)} (${target})`
  return session.rows<CopyReport>(sql)
}

/** A column under the name that the log has: the engine would write it as whoever gave the rows spells it. */
function spelled(name: string): string {
  return `${identifier(name)} AS ${identifier(name)}`
}

/**
 * Wide tables stay uncompressed: a question for one stock reads a page of every column, and to decompress them all
 * costs more than the rest of the question (12 instead of 26 ms for 84 columns; 1.4 times the bytes on disk).
 */
const WIDE_COLUMNS = 32

function codecOf({ fields }: Schema): 'snappy' | 'uncompressed' {
  return fields.length >= WIDE_COLUMNS ? 'uncompressed' : 'snappy'
}

/** Bytes that a row takes in a file of a table nobody has written yet: a guess from the types. */
export function guessedRowBytes(schema: Schema): number {
  const [narrow, wide] = codecOf(schema) === 'snappy' ? [2, 6] : [4, 8]
  return schema.fields.reduce(
    (sum, f) => sum + (f.type === 'date' || f.type === 'string' ? narrow : wide),
    0,
  )
}

const ROW_GROUP_BYTES = 6 << 20
const CELL_BYTES = 8
/** DuckDB's vector size; a row group is a multiple of it. */
const VECTOR_ROWS = 2048

/** Rows of a row group of about 6 MB: small enough to skip, large enough to scan (measured in `bench/`). */
export function rowGroupRows(schema: Schema): number {
  const rows = ROW_GROUP_BYTES / (CELL_BYTES * schema.fields.length)
  const vectors = Math.round(Math.min(Math.max(rows, 8192), 122_880) / VECTOR_ROWS)
  return vectors * VECTOR_ROWS
}

/** COPY can report success on a full disk: the file itself must answer. */
function checkSealed(path: string, sealed: SealedFile, report: CopyReport): void {
  const footerBytes = new DataView(sealed.tail.buffer, sealed.tail.byteOffset).getUint32(0, true)
  const sound =
    sealed.sizeBytes === Number(report.file_size_bytes) &&
    decoder.decode(sealed.head) === MAGIC &&
    decoder.decode(sealed.tail.subarray(4)) === MAGIC &&
    footerBytes > 0 &&
    footerBytes + 12 <= sealed.sizeBytes
  if (sound) return
  throw new LakeError(
    'CORRUPT_FILE',
    `the file just written is not a whole Parquet file: ${path}`,
    {
      details: { path, sizeBytes: sealed.sizeBytes, expectedBytes: Number(report.file_size_bytes) },
      next: 'Check the disk and its free space, then run the command again.',
    },
  )
}

type Entry<T> = { readonly key: string; readonly value: T }

function statisticsOf(map: Value): FileStatistics {
  const columns = map as unknown as readonly Entry<readonly Entry<string>[]>[]
  const flat = (entries: readonly Entry<string>[]): ColumnStatistics =>
    Object.fromEntries(entries.map((e) => [e.key, e.value]))
  return new Map(columns.map((column) => [column.key, flat(column.value)]))
}
