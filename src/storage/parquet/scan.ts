/** SQL that reads explicit lists of Parquet files as one typed relation. */
import { groupBy } from '../../model/group.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { identifier, literal, pathList } from './sql.ts'
import { castColumn, duckdbType } from './types.ts'

/** A file to read. */
export interface ScanFile {
  /** An absolute path. */
  readonly path: string
  /** True if the file has every column of the schema in exactly the table's types (files of ours do). */
  readonly complete: boolean
  /** Values of columns that are not in the file, as Delta partition values; NULL is null. */
  readonly partition?: Readonly<Record<string, string | null>>
}

/** What to read. */
export interface Scan {
  readonly schema: Schema
  readonly files: readonly ScanFile[]
  /** Names for two more columns: the file of a row, and its number in the file. */
  readonly fileColumn?: string
  readonly rowColumn?: string
}

/** A SELECT with exactly the columns of the schema, typed; a typed empty relation where there is no file. */
export function scanSql(scan: Scan): string {
  const branches = [...groupFiles(scan).values()].map((files) => branchSql(scan, files))
  return branches.length === 0 ? emptySql(scan) : branches.join(' UNION ALL ')
}

/** Files of one kind are read in one list: complete ones fast, others by name with the declared schema. */
function groupFiles(scan: Scan): Map<string, ScanFile[]> {
  const partitions = (file: ScanFile): string => Object.keys(file.partition ?? {}).join()
  return groupBy(scan.files, (file) => `${file.complete}:${partitions(file)}`)
}

const FILE = '__marketlake_file'

function branchSql(scan: Scan, files: readonly ScanFile[]): string {
  const outside = Object.keys(files[0]!.partition ?? {})
  const inside = scan.schema.fields.filter((f) => !outside.includes(f.name))
  const columns = scan.schema.fields.map((f) =>
    castColumn(f, outside.includes(f.name) ? `p.${identifier(f.name)}` : `f.${identifier(f.name)}`),
  )
  if (scan.fileColumn) columns.push(`f.${FILE} AS ${identifier(scan.fileColumn)}`)
  if (scan.rowColumn) columns.push(`f.file_row_number AS ${identifier(scan.rowColumn)}`)
  const source = readParquet(scan, files, inside, outside.length > 0)
  const join =
    outside.length > 0 ? ` JOIN ${partitionValues(files, outside)} ON f.${FILE} = p.${FILE}` : ''
  return `SELECT ${columns.join(', ')} FROM ${source} f${join}`
}

function readParquet(
  scan: Scan,
  files: readonly ScanFile[],
  inside: readonly Field[],
  needsFile: boolean,
): string {
  const options = ['hive_partitioning=false']
  if (needsFile || scan.fileColumn) options.push(`filename=${literal(FILE)}`)
  if (scan.rowColumn) options.push('file_row_number=true')
  if (!files[0]!.complete) options.push(`schema=${declaredSchema(inside)}`)
  return `read_parquet(${pathList(files.map((f) => f.path))}, ${options.join(', ')})`
}

/** By name only: with field ids DuckDB returns NULL silently for files that have none. */
function declaredSchema(fields: readonly Field[]): string {
  const entries = fields.map(
    (f) =>
      `${literal(f.name)}: {name: ${literal(f.name)}, type: ${literal(duckdbType(f.type))}, default_value: NULL}`,
  )
  return `MAP {${entries.join(', ')}}`
}

function partitionValues(files: readonly ScanFile[], names: readonly string[]): string {
  const rows = files.map((file) => {
    const values = names.map((name) => {
      const value = file.partition?.[name]
      return value === null || value === undefined ? 'NULL' : literal(value)
    })
    return `(${[literal(file.path), ...values].join(', ')})`
  })
  return `(VALUES ${rows.join(', ')}) p(${[FILE, ...names.map(identifier)].join(', ')})`
}

function emptySql(scan: Scan): string {
  const columns = scan.schema.fields.map((f) => castColumn(f, 'NULL'))
  if (scan.fileColumn) columns.push(`CAST(NULL AS VARCHAR) AS ${identifier(scan.fileColumn)}`)
  if (scan.rowColumn) columns.push(`CAST(NULL AS BIGINT) AS ${identifier(scan.rowColumn)}`)
  return `SELECT ${columns.join(', ')} WHERE false`
}
