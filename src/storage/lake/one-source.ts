/** Factors of one stock are comparable only if they all come from one source; this refuses to mix them. */
import { LakeError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
import { SINGLE_SOURCE_TABLES } from '../../model/standard-tables.ts'
import type { AddFile } from '../delta/actions.ts'
import { physicalName } from '../delta/column-mapping.ts'
import { prune } from '../delta/prune.ts'
import { relationSql } from '../delta/relation.ts'
import type { StageContext, Staged } from '../delta/stage.ts'
import { boundsOf, nullsOf } from '../delta/stats.ts'
import { withReplaced } from '../delta/upsert.ts'
import type { TableOperation } from './table-work.ts'

/** True for a table in which all rows of a symbol come from one source. */
export function hasSingleSource(table: string, schema: Schema): boolean {
  if (!SINGLE_SOURCE_TABLES.includes(table)) return false
  return ['symbol', 'source'].every((name) => findField(schema, name)?.type === 'string')
}

/** An operation that is refused if some symbol would have rows of two sources after it. */
export function keepingOneSource(operation: TableOperation): TableOperation {
  return {
    ...operation,
    stage: async (context) => {
      const staged = await operation.stage(context)
      if (hasSingleSource(context.table, context.snapshot.schema)) await check(context, staged)
      return staged
    },
  }
}

async function check(context: StageContext, staged: Staged): Promise<void> {
  if (staged.adds.length === 0) return
  const { snapshot } = withReplaced(context, staged)
  const files = [...snapshot.files.values()]
  if (ofOneSource(files, snapshot.schema)) return
  const fresh = relationSql(context.directory, snapshot, staged.adds)
  const bounds = await context.session.row<{ min: string; max: string }>(
    `SELECT min(symbol) AS min, max(symbol) AS max FROM (${fresh})`,
  )
  const near = prune(files, snapshot.schema, [{ column: 'symbol', ...bounds }])
  const mixed = await context.session.rows<{ symbol: string; sources: string }>(
    `SELECT symbol, string_agg(DISTINCT coalesce(source, 'unknown'), ', ' ORDER BY coalesce(source, 'unknown')) AS sources
     FROM (${relationSql(context.directory, snapshot, near)})
     WHERE symbol IN (SELECT symbol FROM (${fresh}))
     GROUP BY symbol HAVING count(DISTINCT coalesce(source, '')) > 1 ORDER BY symbol LIMIT 3`,
  )
  if (mixed.length > 0) throw mixedSources(context.table, mixed)
}

/** True if the statistics of the files alone say that they hold one source. */
function ofOneSource(files: readonly AddFile[], schema: Schema): boolean {
  const name = physicalName(findField(schema, 'source')!)
  const sources = files.map((file) => {
    const bounds = boundsOf(file, name, 'string')
    return bounds && bounds.min === bounds.max && nullsOf(file, name) === 0 ? bounds.min : undefined
  })
  return sources[0] !== undefined && sources.every((source) => source === sources[0])
}

function mixedSources(
  table: string,
  mixed: readonly { readonly symbol: string; readonly sources: string }[],
): LakeError {
  const examples = mixed.map(({ symbol, sources }) => `${symbol} (${sources})`)
  return new LakeError(
    'SOURCE_MIXED',
    `${table} would hold rows of two sources for one stock: ${examples.join('; ')}`,
    {
      details: { table, examples },
      next: 'Factors of two sources do not fit together. Bring the whole series of these stocks from one source: sync adj_factor with --symbols, or delete the rows of the other source first.',
    },
  )
}
