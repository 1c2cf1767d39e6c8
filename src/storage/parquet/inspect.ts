/** What a Parquet file really holds: its columns and types, before anyone relies on them. */
import type { Schema } from '../../model/schema.ts'
import { field, findField, schemaOf, typeText } from '../../model/schema.ts'
import { LakeError } from '../../model/errors.ts'
import type { Session } from './database.ts'
import { pathLiteral } from './sql.ts'
import { deltaType, losslessCast } from './types.ts'

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
      return `column ${column.name} is ${typeText(column.type)}, the table has ${typeText(want.type)}`
    }
  }
  return undefined
}

/** Throws `TYPE_MISMATCH` if a file does not fit a table. */
export function checkFits(file: Schema, table: Schema, path: string): void {
  const reason = misfit(file, table)
  if (reason === undefined) return
  throw new LakeError('TYPE_MISMATCH', `${path}: ${reason}`, {
    details: { path },
    next: 'Write the file again with the types of the table.',
  })
}
