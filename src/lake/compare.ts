/** Compares two versions of a table, reading only the files that differ. */
import { LakeError } from '../model/errors.ts'
import { findField } from '../model/schema.ts'
import { relationSql } from '../storage/delta/relation.ts'
import type { Snapshot } from '../storage/delta/replay.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import type { TableView } from '../storage/lake/view.ts'
import { tableView } from '../storage/lake/view.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import { equalOn, identifier, identifiers } from '../storage/parquet/sql.ts'
import { castColumn } from '../storage/parquet/types.ts'

/** How a table differs between two versions. */
export interface TableDifference {
  readonly table: string
  readonly inserted: number
  readonly deleted: number
  /** Null for a table without key: there a changed row is one deleted and one inserted. */
  readonly updated: number | null
  readonly addedColumns: readonly string[]
}

/** Compares tables between two records; without a name all that differ. */
export async function compareVersions(
  store: Store,
  database: Database,
  before: LakeRecord,
  after: LakeRecord,
  name?: string,
): Promise<TableDifference[]> {
  const names = name === undefined ? changedTables(before, after) : [name]
  const differences: TableDifference[] = []
  for (const table of names) {
    differences.push(await compareTable(store, database, before, after, table))
  }
  return differences
}

function changedTables(before: LakeRecord, after: LakeRecord): string[] {
  const names = new Set([...Object.keys(before.tables), ...Object.keys(after.tables)])
  return [...names].toSorted().filter((name) => {
    const [a, b] = [before.tables[name], after.tables[name]]
    return a?.path !== b?.path || a?.version !== b?.version
  })
}

async function compareTable(
  store: Store,
  database: Database,
  before: LakeRecord,
  after: LakeRecord,
  table: string,
): Promise<TableDifference> {
  const then = before.tables[table] ? await tableView(store, before, table) : undefined
  const now = after.tables[table] ? await tableView(store, after, table) : undefined
  const view = now ?? then
  if (!view) {
    throw new LakeError('TABLE_NOT_FOUND', `neither version has a table ${table}`, {
      details: { table },
    })
  }
  return database.using(async (session) => {
    const left = onlyIn(then, now)
    const right = onlyIn(now, then)
    const key = view.shape.key
    const counts =
      key.length > 0
        ? await countByKey(session, left, right, key, view.snapshot)
        : await countRows(session, left, right, view.snapshot)
    const added = (now?.snapshot.schema.fields ?? []).filter(
      (f) => then && !findField(then.snapshot.schema, f.name),
    )
    return { table, ...counts, addedColumns: added.map((f) => f.name) }
  })
}

/** The rows of files that one side has and the other has not. Shared files hold no difference. */
function onlyIn(view: TableView | undefined, other: TableView | undefined): string | undefined {
  if (!view) return undefined
  const same = other?.path === view.path ? other.snapshot.files : new Map<string, unknown>()
  const files = [...view.snapshot.files].flatMap(([key, file]) => (same.has(key) ? [] : [file]))
  return files.length === 0 ? undefined : relationSql(view.directory, view.snapshot, files)
}

/** A name of ours; no column of a user has it. */
const HERE = 'marketlake_here'

type Counts = Pick<TableDifference, 'inserted' | 'deleted' | 'updated'>

async function countByKey(
  session: Session,
  left: string | undefined,
  right: string | undefined,
  key: readonly string[],
  snapshot: Snapshot,
): Promise<Counts> {
  const empty = emptyRows(snapshot)
  const values = snapshot.schema.fields.map((f) => f.name).filter((name) => !key.includes(name))
  const [a, b] = [normal(left ?? empty, snapshot), normal(right ?? empty, snapshot)]
  const differs = values
    .map((n) => `a.${identifier(n)} IS DISTINCT FROM b.${identifier(n)}`)
    .join(' OR ')
  const row = await session.row<Record<'inserted' | 'deleted' | 'updated', bigint>>(
    `SELECT count(*) FILTER (a.${HERE} IS NULL) AS inserted, count(*) FILTER (b.${HERE} IS NULL) AS deleted,
            count(*) FILTER (a.${HERE} AND b.${HERE} AND (${differs || 'false'})) AS updated
     FROM (SELECT *, true AS ${HERE} FROM (${a})) a FULL JOIN (SELECT *, true AS ${HERE} FROM (${b})) b
       ON ${equalOn(key, 'a', 'b')}`,
  )
  return {
    inserted: Number(row.inserted),
    deleted: Number(row.deleted),
    updated: Number(row.updated),
  }
}

async function countRows(
  session: Session,
  left: string | undefined,
  right: string | undefined,
  snapshot: Snapshot,
): Promise<Counts> {
  const empty = emptyRows(snapshot)
  const [a, b] = [normal(left ?? empty, snapshot), normal(right ?? empty, snapshot)]
  const row = await session.row<Record<'inserted' | 'deleted', bigint>>(
    `SELECT (SELECT count(*) FROM ((${b}) EXCEPT ALL (${a}))) AS inserted,
            (SELECT count(*) FROM ((${a}) EXCEPT ALL (${b}))) AS deleted`,
  )
  return { inserted: Number(row.inserted), deleted: Number(row.deleted), updated: null }
}

function emptyRows(snapshot: Snapshot): string {
  return `SELECT ${snapshot.schema.fields.map((f) => castColumn(f, 'NULL')).join(', ')} WHERE false`
}

/** Both sides with the columns of the newer one, in its order. */
function normal(sql: string, snapshot: Snapshot): string {
  const names = identifiers(snapshot.schema.fields.map((f) => f.name))
  return `SELECT ${names} FROM (SELECT * FROM (${sql}) UNION ALL BY NAME ${emptyRows(snapshot)})`
}
