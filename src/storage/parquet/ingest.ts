/** Rows and columns of JavaScript into a temporary DuckDB table. */
import type * as Api from '@duckdb/node-api'
import type { DuckDBAppender, DuckDBValue } from '@duckdb/node-api'
import { LakeError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { findField, schemaOf } from '../../model/schema.ts'
import { cellWriter } from './cell.ts'
import type { CellWriter } from './cell.ts'
import type { Session } from './database.ts'
import { duckdb, sqlError } from './duckdb.ts'
import { identifier } from './sql.ts'
import { duckdbType } from './types.ts'

/** A row of JavaScript values by column name; a missing name is NULL. */
export type InputRow = Readonly<Record<string, unknown>>

/** Whole columns of equal length; typed arrays are the fast way for numbers. */
export interface InputColumns {
  readonly columns: Readonly<Record<string, ArrayLike<unknown>>>
}

/** Rows a chunk may hold (DuckDB's vector size). */
const CHUNK_ROWS = 2048
/** Appending is synchronous: give timers and progress a turn after so many chunks. */
const CHUNKS_PER_TURN = 50

/** Creates a temporary table of a schema. */
export async function createTemporary(
  session: Session,
  name: string,
  schema: Schema,
): Promise<void> {
  const columns = schema.fields.map((f) => `${identifier(f.name)} ${duckdbType(f.type)}`)
  await session.run(`CREATE OR REPLACE TEMP TABLE ${identifier(name)} (${columns.join(', ')})`)
}

/** The part of a schema that rows bring, in the schema's order; a name the schema has not is an error. */
export function columnsOfRows(schema: Schema, rows: readonly InputRow[], table: string): Schema {
  const names = new Set<string>()
  for (const row of rows) for (const name of Object.keys(row)) names.add(name)
  return columnsNamed(schema, [...names], table)
}

/** The part of a schema with these names, in the schema's order; a name the schema has not is an error. */
export function columnsNamed(schema: Schema, names: readonly string[], table: string): Schema {
  const unknown = names.find((name) => !findField(schema, name))
  if (unknown !== undefined) {
    const columns = schema.fields.map((f) => f.name)
    throw new LakeError('COLUMN_NOT_FOUND', `table ${table} has no column ${unknown}`, {
      details: { table, column: unknown, columns },
      next: 'Leave the column out, or widen the table with it first.',
    })
  }
  const wanted = new Set(names.map((name) => name.toLowerCase()))
  return schemaOf(schema.fields.filter((f) => wanted.has(f.name.toLowerCase())))
}

/**
 * Makes a temporary table of rows or whole columns: of the part of `schema` that they name, which is returned. Where
 * they name nothing (no rows, or rows without a value) it is the whole schema, since no table has no column.
 */
export async function receiveInput(
  session: Session,
  name: string,
  schema: Schema,
  input: readonly InputRow[] | InputColumns,
  table: string,
): Promise<{ readonly schema: Schema; readonly rows: number }> {
  if ('columns' in input) {
    const given = orWhole(columnsNamed(schema, Object.keys(input.columns), table), schema)
    await createTemporary(session, name, given)
    await appendColumns(session, name, given, input, table)
    return { schema: given, rows: Object.values(input.columns)[0]?.length ?? 0 }
  }
  const given = orWhole(columnsOfRows(schema, input, table), schema)
  await createTemporary(session, name, given)
  await appendRows(session, name, given, input, table)
  return { schema: given, rows: input.length }
}

function orWhole(given: Schema, schema: Schema): Schema {
  return given.fields.length > 0 ? given : schema
}

/** Fills a temporary table, which has exactly the columns of `schema`, from rows. */
export async function appendRows(
  session: Session,
  name: string,
  schema: Schema,
  rows: readonly InputRow[],
  table: string,
): Promise<void> {
  await append(session, name, schema, rows.length, table, (column, writer, from, to) => {
    const cells: DuckDBValue[] = []
    for (let i = from; i < to; i++) cells.push(writer(cellOf(rows[i]!, column), i + 1))
    return cells
  })
}

/** Fills a temporary table, which has exactly the columns of `schema`, from whole columns. */
export async function appendColumns(
  session: Session,
  name: string,
  schema: Schema,
  input: InputColumns,
  table: string,
): Promise<void> {
  const lengths = new Set(Object.values(input.columns).map((column) => column.length))
  if (lengths.size > 1) throw new LakeError('INVALID_ARGUMENT', 'columns differ in length')
  const count = [...lengths][0] ?? 0
  await append(session, name, schema, count, table, (column, writer, from, to) => {
    const source = cellOf(input.columns, column) as ArrayLike<unknown>
    const direct = directSlice(source, column, from, to)
    if (direct) return direct
    const cells: DuckDBValue[] = []
    for (let i = from; i < to; i++) cells.push(writer(source[i], i + 1))
    return cells
  })
}

function cellOf(row: Readonly<Record<string, unknown>>, column: Field): unknown {
  if (Object.hasOwn(row, column.name)) return row[column.name]
  const lower = column.name.toLowerCase()
  const name = Object.keys(row).find((key) => key.toLowerCase() === lower)
  return name === undefined ? null : row[name]
}

/** Typed arrays whose elements are the column's own type need no look at each value. */
function directSlice(
  source: ArrayLike<unknown>,
  column: Field,
  from: number,
  to: number,
): DuckDBValue[] | undefined {
  const fits =
    (column.type === 'double' && source instanceof Float64Array) ||
    (column.type === 'float' && source instanceof Float32Array) ||
    (column.type === 'integer' && source instanceof Int32Array) ||
    (column.type === 'long' && source instanceof BigInt64Array)
  if (!fits) return undefined
  return (source as Float64Array).subarray(from, to) as unknown as DuckDBValue[]
}

type Cells = (column: Field, writer: CellWriter, from: number, to: number) => DuckDBValue[]

async function append(
  session: Session,
  name: string,
  schema: Schema,
  count: number,
  table: string,
  cells: Cells,
): Promise<void> {
  const api = await duckdb()
  const writers = schema.fields.map((f) => cellWriter(api, f, table))
  const appender = await session.connection.createAppender(name)
  try {
    for (let from = 0, chunks = 0; from < count; from += CHUNK_ROWS, chunks++) {
      const to = Math.min(count, from + CHUNK_ROWS)
      appendChunk(
        api,
        appender,
        schema.fields.map((f, i) => cells(f, writers[i]!, from, to)),
        to - from,
      )
      if (chunks % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await nextTurn()
    }
    inOurWords(() => appender.flushSync())
  } finally {
    inOurWords(() => appender.closeSync())
  }
}

function appendChunk(
  api: typeof Api,
  appender: DuckDBAppender,
  columns: readonly DuckDBValue[][],
  rowCount: number,
): void {
  const types = columns.map((_, i) => appender.columnType(i))
  const chunk = api.DuckDBDataChunk.create(types, rowCount)
  chunk.setColumns(columns)
  inOurWords(() => appender.appendDataChunk(chunk))
}

/** Memory or the disk may be full here too. */
function inOurWords(call: () => void): void {
  try {
    call()
  } catch (error) {
    throw sqlError(error)
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
