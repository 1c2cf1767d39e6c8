/** A result as one JSON document, written as it comes, so that a large one never stands in memory. */
import type { AnalysisEngine } from '../analysis/engine.ts'
import type { StatementOptions } from '../analysis/limits.ts'
import { jsonOf } from '../storage/parquet/values.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import { errorDocument } from './context.ts'

/** Characters that wait for the end: what fails before is an error and nothing else. */
const WAITING_MAX = 1 << 20

type Answering = Pick<AnalysisEngine, 'stream' | 'table'> &
  Partial<Pick<AnalysisEngine, 'version' | 'txnId'>>

/** Columns, rows, their number and the version. A failure behind the first megabyte closes the document and stands in it. */
export async function* resultDocument(
  engine: Answering,
  sql: string,
  options: StatementOptions,
  onFailure: (error: unknown) => void,
): AsyncGenerator<string, void, undefined> {
  let [waiting, rowCount, begun] = ['', 0, false]
  const end: Record<string, unknown> = {}
  try {
    for await (const part of engine.stream(sql, undefined, options)) {
      waiting += rowCount === 0 ? headText(part) : ','
      waiting += rowsText(part)
      rowCount += part.rows.length
      if (waiting.length < WAITING_MAX) continue
      yield waiting
      ;[waiting, begun] = ['', true]
    }
    if (rowCount === 0) waiting = headText(await engine.table(sql, undefined, options))
  } catch (error) {
    if (!begun) throw error
    end['error'] = errorDocument(error)
    onFailure(error)
  }
  const { version: lakeVersion = null, txnId = null } = engine
  yield `${waiting}],${JSON.stringify({ rowCount, lakeVersion, txnId, ...end }).slice(1)}\n`
}

function headText({ columns }: ResultTable): string {
  return `{"columns":${JSON.stringify(columns)},"rows":[`
}

function rowsText({ rows }: ResultTable): string {
  return rows.map((row) => JSON.stringify(row.map(jsonOf))).join(',')
}
