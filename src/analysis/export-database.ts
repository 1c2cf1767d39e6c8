/** A native `.duckdb` file with the rows of a lake version: tables in the schema `data`, and all views over them. */
import { snapshotSql } from '../storage/delta/relation.ts'
import { makeDurable } from '../storage/files/make-durable.ts'
import { takeLease } from '../storage/lake/lease.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { tableViews } from '../storage/lake/view.ts'
import type { TableView } from '../storage/lake/view.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import { WITHOUT_LOG, identifier, literal } from '../storage/parquet/sql.ts'
import { publishedStatements } from './published-relations.ts'

/** A table of an export. */
export interface ExportedTable {
  readonly name: string
  readonly rows: number
}

/** The schema of the tables; the views stand in `main` as in every engine. */
const DATA = 'data'

/** Writes a version into a new, durable file that every DuckDB from 1.1 on opens. */
export async function writeDatabase(
  store: Store,
  record: LakeRecord,
  database: Database,
  path: string,
): Promise<ExportedTable[]> {
  const lease = await takeLease(store, record)
  try {
    const tables = await database.using((session) => build(store, record, session, path))
    await makeDurable(path)
    return tables
  } finally {
    await lease?.close()
    await store.files.remove(`${path}.wal`).catch(() => false)
  }
}

async function build(
  store: Store,
  record: LakeRecord,
  session: Session,
  path: string,
): Promise<ExportedTable[]> {
  const views = await tableViews(store, record)
  const catalog = `export_${store.effects.uuid().replaceAll('-', '')}`
  await session.run(
    `ATTACH ${literal(path)} AS ${catalog} (STORAGE_VERSION 'v1.0.0', ${WITHOUT_LOG})`,
  )
  try {
    // The file is the current database: a view must not keep the alias it was attached under.
    await session.run(`USE ${catalog}; CREATE SCHEMA ${DATA}`)
    const tables: ExportedTable[] = []
    for (const view of views) tables.push(await copyTable(session, view))
    const { statements } = await publishedStatements(
      store,
      record,
      views,
      (view) => `SELECT * FROM ${DATA}.${identifier(view.name)}`,
    )
    for (const statement of statements) await session.run(statement)
    await session.run(`CHECKPOINT ${catalog}`)
    return tables
  } finally {
    await session.run(`USE memory; DETACH ${catalog}`)
  }
}

async function copyTable(session: Session, view: TableView): Promise<ExportedTable> {
  const { name, directory, snapshot, shape } = view
  const order = shape.clustering.map((column) => identifier(column)).join(', ')
  const sql = snapshotSql(directory, snapshot)
  await session.run(
    `CREATE TABLE ${DATA}.${identifier(name)} AS SELECT * FROM (${sql})${order === '' ? '' : ` ORDER BY ${order}`}`,
  )
  const { n } = await session.row<{ n: bigint }>(
    `SELECT count(*) AS n FROM ${DATA}.${identifier(name)}`,
  )
  return { name, rows: Number(n) }
}
