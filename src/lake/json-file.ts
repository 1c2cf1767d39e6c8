/** JSON files as SQL, after a look at what DuckDB would round, and at what would end the process. */
import { LakeError } from '../model/errors.ts'
import type { Session } from '../storage/parquet/database.ts'
import { pathLiteral } from '../storage/parquet/sql.ts'
import { lookAtJson } from './json-text.ts'

/** Bytes of one value. */
const OBJECT_BYTES_MAX = 32 << 20
/** DuckDB follows nesting by recursion and ends the process where its stack ends, at some thousands. */
const DEPTH_MAX = 100

/** A number that a column of doubles would change. */
export interface RoundedNumber {
  readonly path: string
  readonly row: number
  readonly column: string
  readonly text: string
}

/** The rows of a file. */
export function jsonRelation(path: string): string {
  return `read_json(${pathLiteral(path)}, format='auto', sample_size=-1, hive_partitioning=false, maximum_object_size=${OBJECT_BYTES_MAX})`
}

/** Refuses what nests too deep; returns the first number of each column that a double does not hold. */
export async function checkJson(session: Session, path: string): Promise<RoundedNumber[]> {
  const found = new Map<string, RoundedNumber>()
  for await (const { rows } of session.stream(suspicious(path))) {
    for (const [row, json] of rows) {
      const { depth, rounded } = lookAtJson(json as string)
      if (depth > DEPTH_MAX) throw tooDeep(path, Number(row), depth)
      for (const [column, text] of rounded)
        if (!found.has(column)) found.set(column, { path, row: Number(row), column, text })
    }
  }
  return [...found.values()]
}

/** Values with many brackets, whole numbers of sixteen digits or large exponents: the others need no closer look. */
function suspicious(path: string): string {
  const source = `read_json_objects(${pathLiteral(path)}, format='auto', hive_partitioning=false, maximum_object_size=${OBJECT_BYTES_MAX})`
  return `SELECT n, json::VARCHAR FROM (SELECT row_number() OVER () AS n, json FROM ${source})
    WHERE length(json) - length(replace(replace(json, '[', ''), '{', '')) > ${DEPTH_MAX}
      OR regexp_matches(json, '(^|[^0-9.])[0-9]{16}|[eE][+]?[0-9]{3}')`
}

/** Refuses numbers in columns that DuckDB reads as doubles; columns of whole numbers hold them. */
export function refuseRounded(
  columns: readonly { readonly name: string; readonly duckdbType: string }[],
  rounded: readonly RoundedNumber[],
): void {
  const asDoubles = columns.filter(({ duckdbType }) => duckdbType.includes('DOUBLE'))
  for (const { path, row, column, text } of rounded) {
    if (!asDoubles.some(({ name }) => name.toLowerCase() === column.toLowerCase())) continue
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
    throw new LakeError(
      'TYPE_MISMATCH',
      `${path}, row ${row}: ${column} is ${shown}, which no DOUBLE holds`,
      {
        details: { path, row, column, text: shown },
        next: 'Write it as a text ("…") to keep it as it is.',
      },
    )
  }
}

function tooDeep(path: string, row: number, depth: number): LakeError {
  return new LakeError(
    'UNSUPPORTED_TYPE',
    `${path}, row ${row}: values stand ${depth} deep in each other, and ${DEPTH_MAX} is the most`,
    { details: { path, row, depth }, next: 'Write the deep part as a text.' },
  )
}
