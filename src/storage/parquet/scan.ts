/** SQL that reads explicit lists of Parquet files as one typed relation. */
import { groupBy } from '../../model/group.ts'
import { LakeError } from '../../model/errors.ts'
import type { DataType, Field, Schema } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
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
  /** Row numbers (from 0) that are deleted. */
  readonly deleted?: readonly number[]
}

/** What to read. */
export interface Scan {
  readonly schema: Schema
  /** The same columns under the names and nested names that the files use; by default the same. */
  readonly physical?: Schema
  readonly files: readonly ScanFile[]
  /** Names for two more columns: the file of a row, and its number in the file. */
  readonly fileColumn?: string
  readonly rowColumn?: string
  /** SQL for the list of one branch's files, where it shall not stand in the text itself. */
  readonly fileList?: (files: readonly ScanFile[], branch: number) => string
}

/** A SELECT with exactly the columns of the schema, typed; a typed empty relation where there is no file. */
export function scanSql(scan: Scan): string {
  const branches = [...groupFiles(scan).values()].map((files, i) => branchSql(scan, files, i))
  return branches.length === 0 ? emptySql(scan) : branches.join(' UNION ALL ')
}

/** Files of one kind are read in one list: complete ones fast, others by name with the declared schema. */
function groupFiles(scan: Scan): Map<string, ScanFile[]> {
  const partitions = (file: ScanFile): string => Object.keys(file.partition ?? {}).join()
  const thinned = (file: ScanFile): boolean => (file.deleted?.length ?? 0) > 0
  return groupBy(scan.files, (file) => `${file.complete}:${partitions(file)}:${thinned(file)}`)
}

/** Our name for the file of a row; a table may well have a column called `filename`. */
const FILE = '__marketlake_file'
/** DuckDB's own name for the number of a row in its file. */
const VIRTUAL_ROW = 'file_row_number'

function branchSql(scan: Scan, files: readonly ScanFile[], branch: number): string {
  const outside = Object.keys(files[0]!.partition ?? {})
  const physical = (scan.physical ?? scan.schema).fields
  const inside = physical.filter((_, i) => !outside.includes(scan.schema.fields[i]!.name))
  const columns = scan.schema.fields.map((f, i) =>
    outside.includes(f.name)
      ? castColumn(f, partitionValue(f))
      : storedColumn(f, physical[i]!, files[0]!.complete),
  )
  if (scan.fileColumn) columns.push(`f.${FILE} AS ${identifier(scan.fileColumn)}`)
  if (scan.rowColumn) columns.push(`f.${VIRTUAL_ROW} AS ${identifier(scan.rowColumn)}`)
  checkVirtual(scan, files)
  const partition =
    outside.length > 0 ? ` JOIN ${partitionValues(files, outside)} ON f.${FILE} = p.${FILE}` : ''
  const list = scan.fileList?.(files, branch) ?? pathList(files.map((f) => f.path))
  const source = readParquet(scan, files, inside, list)
  return `SELECT ${columns.join(', ')} FROM ${source} f${partition}${thinning(files)}`
}

/** Binding a cast costs as much as the column, for every column of a view and in every statement. */
function storedColumn(column: Field, physical: Field, complete: boolean): string {
  const stored = `f.${identifier(physical.name)}`
  if (!complete || duckdbType(physical.type) !== duckdbType(column.type))
    return castColumn(column, renamed(stored, physical.type, column.type))
  return physical.name === column.name ? stored : `${stored} AS ${identifier(column.name)}`
}

/** Takes out the deleted rows; files with and without them are never in one branch. */
function thinning(files: readonly ScanFile[]): string {
  if (!files[0]!.deleted?.length) return ''
  const lists = files.map(
    (file) => `(${literal(file.path)}, [${file.deleted!.join(', ')}]::BIGINT[])`,
  )
  return ` ANTI JOIN (SELECT file, unnest(gone) AS gone FROM (VALUES ${lists.join(', ')}) v(file, gone)) d
    ON f.${FILE} = d.file AND f.${VIRTUAL_ROW} = d.gone`
}

function partitionValue(column: Field): string {
  const text = `p.${identifier(column.name)}`
  return column.type === 'binary' ? `encode(${text})` : text
}

/** A real column of the name would be read in place of DuckDB's own. */
function checkVirtual(scan: Scan, files: readonly ScanFile[]): void {
  if (!scan.rowColumn && !files[0]!.deleted?.length) return
  if (!findField(scan.physical ?? scan.schema, VIRTUAL_ROW)) return
  throw new LakeError(
    'UNSUPPORTED_FEATURE',
    `a column called ${VIRTUAL_ROW} cannot be in a table whose rows are deleted one by one`,
    { details: { column: VIRTUAL_ROW }, next: 'Rename the column.' },
  )
}

function readParquet(
  scan: Scan,
  files: readonly ScanFile[],
  inside: readonly Field[],
  list: string,
): string {
  const { complete, partition, deleted } = files[0]!
  const options = ['hive_partitioning=false']
  if (scan.fileColumn || partition || deleted?.length) options.push(`filename=${literal(FILE)}`)
  if (!complete && inside.length > 0) options.push(`schema=${declaredSchema(inside)}`)
  return `read_parquet(${list}, ${options.join(', ')})`
}

/** By name only: with field ids DuckDB returns NULL silently for files that have none. */
function declaredSchema(fields: readonly Field[]): string {
  const entries = fields.map(
    (f) =>
      `${literal(f.name)}: {name: ${literal(f.name)}, type: ${literal(duckdbType(f.type))}, default_value: NULL}`,
  )
  return `MAP {${entries.join(', ')}}`
}

/** Fields of structs under the names of the table, where the files use others. */
function renamed(expression: string, from: DataType, to: DataType): string {
  if (duckdbType(from) === duckdbType(to)) return expression
  if (typeof from === 'string' || typeof to === 'string') return expression
  if (from.type === 'struct' && to.type === 'struct') {
    const parts = to.fields.map((f, i) => {
      const child = from.fields[i]!
      return `${identifier(f.name)} := ${renamed(`${expression}.${identifier(child.name)}`, child.type, f.type)}`
    })
    return `CASE WHEN ${expression} IS NOT NULL THEN struct_pack(${parts.join(', ')}) END`
  }
  if (from.type === 'array' && to.type === 'array') {
    return `list_transform(${expression}, lambda x: ${renamed('x', from.elementType, to.elementType)})`
  }
  if (from.type === 'map' && to.type === 'map') {
    const key = renamed('e.key', from.keyType, to.keyType)
    const value = renamed('e.value', from.valueType, to.valueType)
    return `CASE WHEN ${expression} IS NOT NULL THEN map_from_entries(list_transform(map_entries(${expression}),
      lambda e: struct_pack(key := ${key}, value := ${value}))) END`
  }
  return expression
}

function partitionValues(files: readonly ScanFile[], names: readonly string[]): string {
  const rows = files.map((file) => {
    const values = names.map((name) => {
      const value = file.partition?.[name]
      return value === null || value === undefined ? 'CAST(NULL AS VARCHAR)' : literal(value)
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
