/** What a comparison of incoming rows with the stored ones found: which are stored, in which file, and which differ. */
import { equalOn, identifier, literal } from '../parquet/sql.ts'
import type { AddFile } from './actions.ts'
import type { Incoming } from './incoming.ts'
import { relationSql } from './relation.ts'
import type { StageContext } from './stage.ts'
import { temporaryName } from './stage.ts'

/** What was found in one file. */
export interface Hits {
  /** The absolute path. */
  readonly file: string
  readonly matched: number
  readonly changed: number
}

/** Incoming rows, judged. */
export interface Verdict {
  readonly hits: readonly Hits[]
  /** A SELECT of the incoming rows that change a row of a file. */
  readonly changedIn: (file: string) => string
  /** A SELECT of the incoming rows whose keys are not stored. */
  readonly fresh: string
  /** The temporary table that the SELECTs read, if they need one. */
  readonly table?: string
}

/** Up to a vector of rows is judged in one statement and named by number; more stay in the engine. */
const ROWS_BY_NUMBER_MAX = 2048

/** Compares incoming rows with those of some files. */
export function judge(
  context: StageContext,
  incoming: Incoming,
  candidates: readonly AddFile[],
): Promise<Verdict> {
  const sql = comparisonSql(context, incoming, candidates)
  return incoming.rows <= ROWS_BY_NUMBER_MAX
    ? judgeFew(context, incoming, sql)
    : judgeMany(context, incoming, sql)
}

const FILE = 'marketlake_file'

/** For each incoming row whose key is stored: its number, the file, and whether a value differs. */
function comparisonSql(
  context: StageContext,
  incoming: Incoming,
  candidates: readonly AddFile[],
): string {
  const { directory, snapshot, shape } = context
  const stored = relationSql(directory, snapshot, candidates, { fileColumn: FILE })
  const values = incoming.schema.fields.filter((f) => !shape.key.includes(f.name))
  const differs = values.map(
    (f) => `i.${identifier(f.name)} IS DISTINCT FROM b.${identifier(f.name)}`,
  )
  return `SELECT i.rowid AS rid, b.${FILE} AS file, ${differs.length > 0 ? differs.join(' OR ') : 'false'} AS changed
     FROM ${identifier(incoming.name)} i JOIN (${stored}) b ON ${equalOn(shape.key, 'i', 'b')}`
}

type Pair = { readonly rid: bigint; readonly file: string; readonly changed: boolean }

/** A table less to fill, to count and to drop: half of the time that a small comparison takes. */
async function judgeFew(context: StageContext, incoming: Incoming, sql: string): Promise<Verdict> {
  const pairs = await context.session.rows<Pair>(sql)
  const files = [...new Set(pairs.map((pair) => pair.file))].toSorted()
  const hits = files.map((file) => {
    const matched = pairs.filter((pair) => pair.file === file)
    return { file, matched: matched.length, changed: matched.filter((pair) => pair.changed).length }
  })
  const name = identifier(incoming.name)
  const changedIn = (file: string): string => {
    const rids = pairs.flatMap((pair) => (pair.changed && pair.file === file ? [pair.rid] : []))
    if (new Set(rids).size === incoming.rows) return `SELECT * FROM ${name}`
    return `SELECT * FROM ${name} WHERE rowid IN (${rids.join(', ')})`
  }
  const stored =
    pairs.length > 0 ? ` WHERE rowid NOT IN (${pairs.map((p) => p.rid).join(', ')})` : ''
  return { hits, changedIn, fresh: `SELECT * FROM ${name}${stored}` }
}

async function judgeMany(context: StageContext, incoming: Incoming, sql: string): Promise<Verdict> {
  const { session } = context
  const table = temporaryName('verdict')
  await session.run(`CREATE OR REPLACE TEMP TABLE ${identifier(table)} AS ${sql}`)
  const found = await session.rows<{ file: string; matched: bigint; changed: bigint }>(
    `SELECT file, count(*) AS matched, count(*) FILTER (changed) AS changed FROM ${identifier(table)}
     GROUP BY file ORDER BY file`,
  )
  const hits = found.map(({ file, matched, changed }) => ({
    file,
    matched: Number(matched),
    changed: Number(changed),
  }))
  const rows = `SELECT i.* FROM ${identifier(incoming.name)} i`
  return {
    hits,
    changedIn: (file) =>
      `${rows} JOIN ${identifier(table)} v ON i.rowid = v.rid WHERE v.changed AND v.file = ${literal(file)}`,
    fresh: `${rows} WHERE i.rowid NOT IN (SELECT rid FROM ${identifier(table)})`,
    table,
  }
}
