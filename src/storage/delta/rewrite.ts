/** Append, replace, replace by condition, delete by condition: operations that need no comparison by key. */
import { LakeError } from '../../model/errors.ts'
import { equalOn, identifier, identifiers } from '../parquet/sql.ts'
import type { AddFile, RemoveFile } from './actions.ts'
import type { Incoming, Input, OnDuplicate } from './incoming.ts'
import { checkKeys, completeSql, forget, receive } from './incoming.ts'
import { insertRows, writePartition } from './insert.ts'
import { filePath } from './paths.ts'
import type { Range } from './prune.ts'
import { prune } from './prune.ts'
import { relationSql, snapshotSql } from './relation.ts'
import type { StageContext, Staged } from './stage.ts'
import { noRows, removeOf } from './stage.ts'
import { combine, withReplaced } from './upsert.ts'

/** Stages new rows. On a table with a key, keys that are already stored are refused. */
export async function stageAppend(
  context: StageContext,
  input: Input,
  onDuplicate: OnDuplicate = 'error',
): Promise<Staged> {
  return withIncoming(context, input, onDuplicate, async (incoming) => {
    await refuseStored(context, incoming)
    const inserted = await insertRows(context, incoming)
    return { ...inserted, counts: { ...noRows, inserted: incoming.rows } }
  })
}

/** Stages new content of the whole table. */
export async function stageReplace(
  context: StageContext,
  input: Input,
  onDuplicate: OnDuplicate = 'error',
): Promise<Staged> {
  const removes = [...context.snapshot.files.values()].map((f) =>
    removeOf(f, context.effects.now()),
  )
  return withIncoming(
    context,
    input,
    onDuplicate,
    async (incoming) => {
      if (await sameRows(context, incoming, 'true')) return unchanged(incoming.rows)
      const empty = withReplaced(context, { adds: [], removes })
      const inserted = await insertRows(empty, incoming)
      const deleted = await countRows(context, 'true')
      return {
        ...combine({ adds: [], removes }, inserted),
        counts: { ...noRows, inserted: incoming.rows, deleted },
      }
    },
    true,
  )
}

/** Stages the deletion of all rows that satisfy a SQL condition. `ranges` may narrow the files to look at. */
export async function stageDelete(
  context: StageContext,
  predicate: string,
  ranges: readonly Range[] = [],
): Promise<Staged> {
  const matching = await matchingFiles(context, predicate, ranges)
  const adds: AddFile[] = []
  const removes: RemoveFile[] = []
  let deleted = 0
  for (const { file, rows, hits } of matching) {
    deleted += hits
    removes.push(removeOf(file, context.effects.now()))
    if (hits === rows) continue
    const stored = relationSql(context.directory, context.snapshot, [file])
    const add = await writePartition(
      context,
      file.partitionValues,
      `SELECT * FROM (${stored}) WHERE (${predicate}) IS NOT TRUE`,
    )
    if (add) adds.push(add)
  }
  return { adds, removes, counts: { ...noRows, deleted } }
}

/** Stages the replacement of the rows that satisfy a condition; every new row must satisfy it. */
export async function stageReplaceWhere(
  context: StageContext,
  predicate: string,
  input: Input,
  ranges: readonly Range[] = [],
  onDuplicate: OnDuplicate = 'error',
): Promise<Staged> {
  return withIncoming(
    context,
    input,
    onDuplicate,
    async (incoming) => {
      await checkWithin(context, incoming, predicate)
      if (await sameRows(context, incoming, predicate)) return unchanged(incoming.rows)
      const removed = await stageDelete(context, predicate, ranges)
      const rest = withReplaced(context, removed)
      await refuseStored(rest, incoming)
      const inserted = await insertRows(rest, incoming)
      const counts = { ...noRows, inserted: incoming.rows, deleted: removed.counts.deleted }
      return { ...combine(removed, inserted), counts }
    },
    true,
  )
}

function unchanged(rows: number): Staged {
  return { adds: [], removes: [], counts: { ...noRows, unchanged: rows } }
}

async function withIncoming(
  context: StageContext,
  input: Input,
  onDuplicate: OnDuplicate,
  use: (incoming: Incoming) => Promise<Staged>,
  evenEmpty = false,
): Promise<Staged> {
  const received = await receive(context, input)
  if (received.rows === 0) {
    return evenEmpty ? use(await emptyIncoming(context, received)) : unchanged(0)
  }
  const { key } = context.shape
  const incoming = key.length > 0 ? await checkKeys(context, received, key, onDuplicate) : received
  try {
    return await use(incoming)
  } finally {
    forget(context.session, incoming)
  }
}

/** Rows without a single one still need a table to select from. */
async function emptyIncoming(context: StageContext, received: Incoming): Promise<Incoming> {
  const { schema } = context.snapshot
  const columns = snapshotSql(context.directory, { ...context.snapshot, files: new Map() })
  await context.session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(received.name)} AS ${columns}`,
  )
  return { ...received, schema }
}

async function refuseStored(context: StageContext, incoming: Incoming): Promise<void> {
  const { key } = context.shape
  if (key.length === 0 || context.snapshot.files.size === 0 || incoming.rows === 0) return
  const stored = snapshotSql(context.directory, context.snapshot)
  const hits = await context.session.rows(
    `SELECT ${identifiers(key, 'i')} FROM ${identifier(incoming.name)} i
     JOIN (${stored}) b ON ${equalOn(key, 'i', 'b')} LIMIT 3`,
  )
  if (hits.length === 0) return
  const examples = hits.map((row) => Object.values(row).map(String).join(' '))
  throw new LakeError(
    'DUPLICATE_KEY',
    `keys are already in ${context.table}, for example: ${examples.join('; ')}`,
    {
      details: { table: context.table, key, examples },
      next: 'Use upsert to change rows that are there.',
    },
  )
}

async function checkWithin(
  context: StageContext,
  incoming: Incoming,
  predicate: string,
): Promise<void> {
  const sql = completeSql(context.snapshot.schema, incoming)
  const outside = await context.session.rows(
    `SELECT 1 FROM (${sql}) WHERE (${predicate}) IS NOT TRUE LIMIT 1`,
  )
  if (outside.length === 0) return
  throw new LakeError(
    'INVALID_ARGUMENT',
    `rows for ${context.table} lie outside what they replace: ${predicate}`,
    {
      details: { table: context.table, predicate },
      next: 'Leave these rows out, or write them apart.',
    },
  )
}

/** True if the stored rows that satisfy a condition are exactly the incoming ones. */
async function sameRows(
  context: StageContext,
  incoming: Incoming,
  predicate: string,
): Promise<boolean> {
  const stored = `SELECT * FROM (${snapshotSql(context.directory, context.snapshot)}) WHERE ${predicate}`
  if ((await countRows(context, predicate)) !== incoming.rows) return false
  const fresh = completeSql(context.snapshot.schema, incoming)
  const differing = await context.session.rows(
    `SELECT 1 FROM ((${fresh}) EXCEPT ALL (${stored})) LIMIT 1`,
  )
  return differing.length === 0
}

async function countRows(context: StageContext, predicate: string): Promise<number> {
  const sql = snapshotSql(context.directory, context.snapshot)
  const { n } = await context.session.row<{ n: bigint }>(
    `SELECT count(*) AS n FROM (${sql}) WHERE ${predicate}`,
  )
  return Number(n)
}

const FILE = 'marketlake_file'

async function matchingFiles(
  context: StageContext,
  predicate: string,
  ranges: readonly Range[],
): Promise<{ file: AddFile; rows: number; hits: number }[]> {
  const files = prune(context.snapshot.files.values(), context.snapshot.schema, ranges)
  if (files.length === 0) return []
  const sql = relationSql(context.directory, context.snapshot, files, { fileColumn: FILE })
  const counts = await context.session.rows<{
    file: string
    n: bigint
    marketlake_hits: bigint
  }>(
    `SELECT ${FILE} AS file, count(*) AS n, count(*) FILTER (${predicate}) AS marketlake_hits FROM (${sql})
     GROUP BY 1 HAVING marketlake_hits > 0 ORDER BY 1`,
  )
  const byPath = new Map(files.map((file) => [filePath(context.directory, file.path), file]))
  return counts.map((c) => ({
    file: byPath.get(c.file)!,
    rows: Number(c.n),
    hits: Number(c.marketlake_hits),
  }))
}
