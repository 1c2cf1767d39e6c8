/** Whole series: all rows of some symbols at once, so that what the source no longer has goes. */
import type { InputRow } from '../parquet/ingest.ts'
import { equalOn, identifier, literal } from '../parquet/sql.ts'
import { forget, receive } from '../delta/incoming.ts'
import { prune } from '../delta/prune.ts'
import type { Range } from '../delta/prune.ts'
import { relationSql } from '../delta/relation.ts'
import { stageReplaceWhere } from '../delta/rewrite.ts'
import type { StageContext, Staged } from '../delta/stage.ts'
import { stageUpsert } from '../delta/upsert.ts'
import type { TableOperation } from './table-work.ts'

/** The operation that makes `rows` all rows of these symbols. Rows that are the same are not written. */
export function seriesOperation(
  symbols: readonly string[],
  rows: readonly InputRow[],
): TableOperation {
  const sorted = symbols.toSorted()
  const predicate =
    sorted.length === 0 ? 'false' : `symbol IN (${sorted.map((s) => literal(s)).join(', ')})`
  const ranges = [{ column: 'symbol', min: sorted[0] ?? '', max: sorted.at(-1) ?? '' }]
  return {
    mode: 'replaceWhere',
    predicate,
    stage: (context) => stageSeries(context, predicate, ranges, rows),
  }
}

/** Most series only grow; then nothing that is stored is rewritten. */
async function stageSeries(
  context: StageContext,
  predicate: string,
  ranges: readonly Range[],
  rows: readonly InputRow[],
): Promise<Staged> {
  const gone = await rowsGone(context, predicate, ranges, rows)
  return gone ? stageReplaceWhere(context, predicate, rows, ranges) : stageUpsert(context, rows)
}

/** True if a row is stored whose key does not come again. */
async function rowsGone(
  context: StageContext,
  predicate: string,
  ranges: readonly Range[],
  rows: readonly InputRow[],
): Promise<boolean> {
  const { directory, session, shape, snapshot } = context
  const files = prune(snapshot.files.values(), snapshot.schema, ranges)
  if (files.length === 0) return false
  const stored = `SELECT * FROM (${relationSql(directory, snapshot, files)}) WHERE ${predicate}`
  if (rows.length === 0) return (await session.rows(`${stored} LIMIT 1`)).length > 0
  const incoming = await receive(context, rows)
  try {
    const gone = await session.rows(
      `SELECT 1 FROM (${stored}) b ANTI JOIN ${identifier(incoming.name)} i ON ${equalOn(shape.key, 'b', 'i')} LIMIT 1`,
    )
    return gone.length > 0
  } finally {
    forget(session, incoming)
  }
}
