/** Results as rows: columns by name and type, and values in place of DuckDB's own. */
import type { DuckDBResult } from '@duckdb/node-api'
import { LakeError } from '../../model/errors.ts'
import { valueReader } from './values.ts'
import type { Value } from './values.ts'

/** A column of a result: its name and DuckDB type text. */
export interface ResultColumn {
  readonly name: string
  readonly type: string
}

/** A whole result. */
export interface ResultTable {
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly (readonly Value[])[]
}

type Chunk = Awaited<ReturnType<DuckDBResult['fetchAllChunks']>>[number]

/** Its columns. */
export function columnsOf(result: DuckDBResult): ResultColumn[] {
  return result.columnNames().map((name, i) => ({ name, type: result.columnType(i).toString() }))
}

/** Adds the rows of a chunk. */
export function appendRows(rows: Value[][], result: DuckDBResult, chunk: Chunk): void {
  const base = rows.length
  for (let row = 0; row < chunk.rowCount; row++) rows.push([])
  for (let column = 0; column < chunk.columnCount; column++) {
    const read = valueReader(result.columnType(column))
    const values = columnValues(result, chunk, column)
    for (let row = 0; row < values.length; row++) rows[base + row]!.push(read(values[row]!))
  }
}

/** No text of JavaScript is longer than 512 MB. */
function columnValues(
  result: DuckDBResult,
  chunk: Chunk,
  column: number,
): ReturnType<Chunk['getColumnValues']> {
  try {
    return chunk.getColumnValues(column)
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_STRING_TOO_LONG') throw cause
    const name = result.columnName(column)
    throw new LakeError('OUT_OF_MEMORY', `column ${name} holds a text of more than 512 MB`, {
      cause,
      details: { column: name },
      next: 'Ask for a part of it, for example with substr.',
    })
  }
}
