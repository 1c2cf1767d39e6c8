/** What a Parquet file really holds: its columns and types, before anyone relies on them. */
import { LakeError, hasCode } from '../../model/errors.ts'
import type { DataType, Schema } from '../../model/schema.ts'
import { field, findField, schemaOf, typeText } from '../../model/schema.ts'
import type { Session } from './database.ts'
import { pathList, pathLiteral } from './sql.ts'
import { deltaType, losslessCast, readableAs } from './types.ts'

/** A column of a relation: its Delta type, and DuckDB's own name for the type it has now. */
export interface SourceColumn {
  readonly name: string
  readonly duckdbType: string
}

/** The schema of a SELECT, in Delta's types, and the DuckDB types behind it. */
export async function relationSchema(
  session: Session,
  sql: string,
): Promise<{ schema: Schema; columns: SourceColumn[] }> {
  const result = await session.materialize(`SELECT * FROM (${sql}) LIMIT 0`)
  const names = result.columnNames()
  const types = names.map((_, i) => result.columnType(i))
  return {
    schema: schemaOf(names.map((name, i) => field(name, deltaType(types[i]!, name)))),
    columns: names.map((name, i) => ({ name, duckdbType: types[i]!.toString() })),
  }
}

/** The schema of one Parquet file. */
export async function fileSchema(session: Session, path: string): Promise<Schema> {
  const sql = `SELECT * FROM read_parquet(${pathLiteral(path)}, hive_partitioning=false)`
  return (await relationSchema(session, sql)).schema
}

/**
 * The first column of a file whose type is not the table's or losslessly narrower, in words; undefined if the
 * file fits. Reading such a file by a declared schema would round its values silently.
 */
export function misfit(file: Schema, table: Schema): string | undefined {
  for (const column of file.fields) {
    const want = findField(table, column.name)
    if (want && !losslessCast(column.type, want.type)) {
      return `column ${column.name} is ${shortType(column.type)}, the table has ${shortType(want.type)}`
    }
  }
  return undefined
}

/** A type in words; one that nests has no end otherwise. */
function shortType(type: DataType): string {
  const text = typeText(type)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

/** What is asked of files that others wrote. */
export interface Expectation {
  /** The columns that files should have, under the names that files use. */
  readonly schema: Schema
  /** Field ids by column, where files must carry them. */
  readonly ids?: ReadonlyMap<string, number>
}

/** A file that cannot be read right, and why. */
export interface BadFile {
  readonly path: string
  readonly reason: string
}

type Shape = readonly { readonly name: string; readonly id: bigint | number | null }[]

/**
 * The first of some Parquet files that cannot be read as expected without a wrong value; undefined if all can.
 * Footers are read once, and only one file of each shape is looked at closely.
 */
export async function findBadFile(
  session: Session,
  paths: readonly string[],
  expected: Expectation,
): Promise<BadFile | undefined> {
  for (const { path, shape } of await distinctShapes(session, paths)) {
    if (shape.length > NODES_MAX) return { path, reason: tooWide(shape.length) }
    const found = await fileSchema(session, path)
    const reason = badShape(found, expected) ?? badIds(shape, expected.ids)
    if (reason !== undefined) return { path, reason }
  }
  return undefined
}

/** DuckDB compares every column with every other: a minute for this many, hours for a million. */
const NODES_MAX = 25_000

const tooWide = (count: number): string => `it has ${count} columns, and ${NODES_MAX} is the most`

/** Refuses Parquet files with more columns than can be read in an acceptable time; reads their footers only. */
export async function checkWidth(session: Session, paths: readonly string[]): Promise<void> {
  const [wide] = await session.rows<{ path: string; n: bigint }>(
    `SELECT file_name AS path, count(*) AS n FROM parquet_schema(${pathList(paths)})
     GROUP BY file_name HAVING n > ${NODES_MAX} LIMIT 1`,
  )
  if (!wide) return
  throw new LakeError('UNSUPPORTED_FEATURE', `${wide.path}: ${tooWide(Number(wide.n))}`, {
    details: { path: wide.path, columns: Number(wide.n) },
    next: 'Write it with columns for what varies and rows for the rest.',
  })
}

/** The same of one file. DuckDB leaves the name of the file out of some errors. */
export async function checkFooter(session: Session, path: string): Promise<void> {
  try {
    await checkWidth(session, [path])
  } catch (error) {
    if (!hasCode(error, 'CORRUPT_FILE') || error.message.includes(path)) throw error
    throw new LakeError(error.code, `${path}: ${error.message}`, {
      cause: error,
      details: { ...error.details, path },
      ...(error.next !== undefined && { next: error.next }),
    })
  }
}

async function distinctShapes(
  session: Session,
  paths: readonly string[],
): Promise<{ path: string; shape: Shape }[]> {
  if (paths.length === 0) return []
  return session.rows(
    `SELECT shape, min(file_name) AS path FROM (
       SELECT file_name, list({name: name, type: duckdb_type, children: num_children, id: field_id} ORDER BY column_id) AS shape
       FROM parquet_schema(${pathList(paths)}) GROUP BY file_name) GROUP BY shape`,
  ) as unknown as Promise<{ path: string; shape: Shape }[]>
}

function badShape(file: Schema, { schema }: Expectation): string | undefined {
  for (const want of schema.fields) {
    const have = findField(file, want.name)
    if (!have) {
      if (!want.nullable) return `it has no column ${want.name}, which may not be NULL`
    } else if (!readableAs(have.type, want.type)) {
      return `column ${have.name} is ${shortType(have.type)}, the table has ${shortType(want.type)}`
    }
  }
  return undefined
}

/** Columns are read by name, so a file whose ids say something else than its names cannot be read. */
function badIds(shape: Shape, ids: Expectation['ids']): string | undefined {
  for (const [name, id] of ids ?? []) {
    const numbered = shape.find((column) => Number(column.id ?? Number.NaN) === id)
    const fits = numbered ? numbered.name === name : !shape.some((column) => column.name === name)
    if (!fits) return `columnMapping: column ${name} does not have the field id ${id}`
  }
  return undefined
}
