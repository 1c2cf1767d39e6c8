/** Upsert by key: only what is new or changed is written, and only files that hold a changed row are rewritten. */
import { findField } from '../../model/schema.ts'
import { equalOn, identifier, identifiers } from '../parquet/sql.ts'
import type { AddFile, RemoveFile } from './actions.ts'
import type { Incoming, Input, OnDuplicate } from './incoming.ts'
import { checkKeys, forget, receive } from './incoming.ts'
import { insertRows, writePartition } from './insert.ts'
import { spansOfRows } from './key-facts.ts'
import { filePath } from './paths.ts'
import { prune } from './prune.ts'
import { relationSql } from './relation.ts'
import { fileKey } from './replay.ts'
import type { StageContext, Staged } from './stage.ts'
import { noRows, removeOf, temporaryName, writeAll } from './stage.ts'
import { judge } from './verdict.ts'
import type { Hits, Verdict } from './verdict.ts'

/** Stages an upsert. Columns that do not come keep their stored value. Nothing changed: no actions. */
export async function stageUpsert(
  context: StageContext,
  input: Input,
  onDuplicate: OnDuplicate = 'error',
): Promise<Staged> {
  const received = await receive(context, input)
  if (received.rows === 0) return { adds: [], removes: [], counts: noRows }
  const incoming = await checkKeys(context, received, context.shape.key, onDuplicate)
  try {
    return await upsertIncoming(context, incoming)
  } finally {
    forget(context.session, incoming)
  }
}

/** Stages an upsert of a temporary table whose keys are distinct and not NULL. */
export async function upsertIncoming(context: StageContext, incoming: Incoming): Promise<Staged> {
  const candidates = await candidateFiles(context, incoming)
  if (candidates.length === 0) {
    const inserted = await insertRows(context, incoming)
    return { ...inserted, counts: { ...noRows, inserted: incoming.rows } }
  }
  const verdict = await judge(context, incoming, candidates)
  try {
    return await upsertJudged(context, incoming, candidates, verdict)
  } finally {
    if (verdict.table !== undefined) forget(context.session, { name: verdict.table })
  }
}

async function upsertJudged(
  context: StageContext,
  incoming: Incoming,
  candidates: readonly AddFile[],
  verdict: Verdict,
): Promise<Staged> {
  const { hits } = verdict
  const [matched, changed] = [sum(hits, 'matched'), sum(hits, 'changed')]
  const rewritten = await rewriteChanged(context, incoming, candidates, verdict)
  const staged = withReplaced(context, rewritten)
  const fresh = await freshRows(context, incoming, verdict, matched)
  try {
    const inserted = await insertRows(staged, fresh)
    return {
      ...combine(rewritten, inserted),
      counts: {
        inserted: incoming.rows - matched,
        updated: changed,
        deleted: 0,
        unchanged: matched - changed,
      },
    }
  } finally {
    if (fresh.rows > 0 && fresh.name !== incoming.name) forget(context.session, fresh)
  }
}

function sum(hits: readonly Hits[], what: 'matched' | 'changed'): number {
  return hits.reduce((total, hit) => total + hit[what], 0)
}

/** Files whose bounds leave room for one of the keys. */
async function candidateFiles(context: StageContext, incoming: Incoming): Promise<AddFile[]> {
  const { session, snapshot, shape } = context
  if (snapshot.files.size === 0) return []
  const ranges = incoming.spans ?? (await spansOfRows(session, incoming, shape.key))
  return prune(snapshot.files.values(), snapshot.schema, ranges)
}

interface Actions {
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
}

async function rewriteChanged(
  context: StageContext,
  incoming: Incoming,
  candidates: readonly AddFile[],
  verdict: Verdict,
): Promise<Actions> {
  const touched = verdict.hits.filter((hit) => hit.changed > 0)
  const byPath = new Map(candidates.map((file) => [filePath(context.directory, file.path), file]))
  const files = touched.map((hit) => byPath.get(hit.file)!)
  const adds = await writeAll([context.session], files, (file, i) => {
    const sql = mergedSql(context, incoming, file, verdict.changedIn(touched[i]!.file))
    // Sorted again: a join gives the rows that it matched before the others.
    return writePartition(context, file.partitionValues, sql, { typed: true })
  })
  return { adds, removes: files.map((file) => removeOf(file, context.effects.now())) }
}

/** The rows of a file with the changed ones replaced; columns that did not come keep the stored value. */
function mergedSql(
  context: StageContext,
  incoming: Incoming,
  file: AddFile,
  changed: string,
): string {
  const { directory, snapshot, shape } = context
  const stored = relationSql(directory, snapshot, [file])
  const names = snapshot.schema.fields.map((f) => f.name)
  if (names.every((name) => findField(incoming.schema, name))) {
    // Whole rows take the place of others, which costs a third less than to choose for each cell.
    return `SELECT ${identifiers(names, 'b')} FROM (${stored}) b ANTI JOIN (${changed}) c ON ${equalOn(shape.key, 'b', 'c')}
      UNION ALL SELECT ${identifiers(names, 'c')} FROM (${changed}) c`
  }
  const hit = `c.${identifier(shape.key[0]!)} IS NOT NULL`
  const columns = snapshot.schema.fields.map((f) => {
    const name = identifier(f.name)
    const comes = findField(incoming.schema, f.name) && !shape.key.includes(f.name)
    return comes ? `CASE WHEN ${hit} THEN c.${name} ELSE b.${name} END AS ${name}` : `b.${name}`
  })
  return `SELECT ${columns.join(', ')} FROM (${stored}) b LEFT JOIN (${changed}) c ON ${equalOn(shape.key, 'b', 'c')}`
}

/** The context after some files were replaced; later steps of the operation build on it. */
export function withReplaced(context: StageContext, actions: Actions): StageContext {
  const files = new Map(context.snapshot.files)
  for (const remove of actions.removes) files.delete(fileKey(remove))
  for (const add of actions.adds) files.set(fileKey(add), add)
  return { ...context, snapshot: { ...context.snapshot, files } }
}

/** The actions of two steps as one: a file that the first added and the second removed never was. */
export function combine(first: Actions, second: Actions): Actions {
  const added = new Set(first.adds.map(fileKey))
  const gone = new Set(second.removes.map(fileKey))
  return {
    adds: [...first.adds.filter((add) => !gone.has(fileKey(add))), ...second.adds],
    removes: [...first.removes, ...second.removes.filter((remove) => !added.has(fileKey(remove)))],
  }
}

/** Incoming rows whose keys are not stored, as a temporary table. */
async function freshRows(
  context: StageContext,
  incoming: Incoming,
  verdict: Verdict,
  matched: number,
): Promise<Incoming> {
  if (matched === 0) return incoming
  const rows = incoming.rows - matched
  const name = temporaryName('fresh')
  if (rows > 0) {
    await context.session.run(
      `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS ${verdict.fresh}`,
    )
  }
  return { name, schema: incoming.schema, rows }
}
