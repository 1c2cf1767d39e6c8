/** Tables kept in memory as native DuckDB tables; a new version changes only the rows of the files that changed. */
import { LakeError } from '../model/errors.ts'
import type { AddFile } from '../storage/delta/actions.ts'
import { filePath } from '../storage/delta/paths.ts'
import { relationSql, schemaFingerprint } from '../storage/delta/relation.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import { VINTAGE_VIEWS, viewOfTable } from './relation.ts'

/** What stands in memory of one table. */
interface Held {
  readonly schema: string
  /** Numbers of the files whose rows are there, by their key. */
  readonly files: ReadonlyMap<string, number>
}

/** What stands in memory, by table. */
export type ResidentState = ReadonlyMap<string, Held>

/** A move of the memory to a version: what to run, in one transaction with the views, and what is true then. */
export interface ResidentMove {
  readonly state: ResidentState
  readonly statements: readonly string[]
}

/**
 * The catalog that views and tables in memory stand in together, because a transaction writes to one catalog only.
 * It keeps its tables compressed as a `.duckdb` file does: uncompressed ones answer up to 1.6 times slower.
 */
export const RESIDENT_CATALOG = 'resident'
const SCHEMA = 'resident_tables'

/** Makes the catalog. */
export const ATTACH_RESIDENT: string = `ATTACH ':memory:' AS ${RESIDENT_CATALOG} (COMPRESS)`
/** Compresses what has come in. */
export const COMPRESS_RESIDENT: string = `CHECKPOINT ${RESIDENT_CATALOG}`

const FILE = '__marketlake_file'
const PATH = '__marketlake_path'

/** The tables of a version that shall stand in memory, by the names of tables or of views. */
export function residentTables(
  names: readonly string[],
  tables: ReadonlyMap<string, TableView>,
): TableView[] {
  const wanted = new Set(names)
  const found = [...tables.values()].filter(
    (view) => wanted.has(view.name) || wanted.has(viewOfTable(view.name)),
  )
  const known = new Set(found.flatMap((view) => [view.name, viewOfTable(view.name)]))
  const unknown = names.find((name) => !known.has(name))
  if (unknown === undefined) return found
  throw new LakeError('TABLE_NOT_FOUND', `the lake has no table ${unknown} to keep in memory`, {
    details: { table: unknown },
    next: `Its tables are: ${[...tables.keys()].toSorted().join(', ')}.`,
  })
}

/** Statements that bring memory from what it holds to the tables of a version. */
export function residentMove(before: ResidentState, views: readonly TableView[]): ResidentMove {
  const state = new Map<string, Held>()
  const statements: string[] = []
  for (const view of views) {
    const move = tableMove(before.get(view.name), view)
    state.set(view.name, move.held)
    statements.push(...move.statements)
  }
  if (statements.length > 0)
    statements.unshift(`CREATE SCHEMA IF NOT EXISTS ${RESIDENT_CATALOG}.${SCHEMA}`)
  return { state, statements }
}

function tableMove(
  before: Held | undefined,
  view: TableView,
): { readonly held: Held; readonly statements: readonly string[] } {
  const schema = schemaFingerprint(view.snapshot.schema)
  const fresh = before?.schema !== schema
  const known = fresh ? new Map<string, number>() : before.files
  const files = new Map<string, number>()
  const added = new Map<number, AddFile>()
  let next = Math.max(0, ...known.values()) + 1
  for (const [key, file] of view.snapshot.files) {
    const id = known.get(key) ?? next++
    files.set(key, id)
    if (!known.has(key)) added.set(id, file)
  }
  const gone = [...known].filter(([key]) => !files.has(key)).map(([, id]) => id)
  const statements = [
    ...(fresh ? createStatements(view) : []),
    ...(gone.length > 0 ? parts(view).map((part) => deleteSql(part, gone)) : []),
    ...(added.size > 0 ? parts(view).map((part) => insertSql(part, view, added, known)) : []),
  ]
  return { held: { schema, files }, statements }
}

interface Part {
  readonly table: string
  readonly where: string
}

/** Of reports the newest rows stand by themselves, so that the usual query reads nothing else. */
function parts(view: TableView): Part[] {
  if (!(view.name in VINTAGE_VIEWS)) return [{ table: residentName(view.name), where: '' }]
  return [
    { table: residentName(view.name), where: ' WHERE is_latest' },
    { table: residentName(`${view.name} older`), where: ' WHERE is_latest IS NOT TRUE' },
  ]
}

function residentName(name: string): string {
  return `${RESIDENT_CATALOG}.${SCHEMA}.${identifier(name)}`
}

function createStatements(view: TableView): string[] {
  const empty = relationSql(view.directory, view.snapshot, [])
  return parts(view).map(
    ({ table }) =>
      `CREATE OR REPLACE TABLE ${table} AS SELECT *, CAST(NULL AS INTEGER) AS ${FILE} FROM (${empty})`,
  )
}

function deleteSql({ table }: Part, gone: readonly number[]): string {
  return `DELETE FROM ${table} WHERE ${FILE} IN (${gone.join(', ')})`
}

function insertSql(
  { table, where }: Part,
  view: TableView,
  added: ReadonlyMap<number, AddFile>,
  known: ReadonlyMap<string, number>,
): string {
  // In order the rows of a symbol stand together, and a question for one leaves out the other blocks.
  const { clustering } = view.shape
  const order =
    known.size === 0 && clustering.length > 0
      ? ` ORDER BY ${clustering.map((name) => `r.${identifier(name)}`).join(', ')}`
      : ''
  const rows = relationSql(view.directory, view.snapshot, added.values(), { fileColumn: PATH })
  const ids = [...added].map(
    ([id, file]) => `(${String(id)}, ${literal(filePath(view.directory, file.path))})`,
  )
  return `INSERT INTO ${table} SELECT r.* EXCLUDE (${PATH}), f.id
    FROM (${rows}) r JOIN (VALUES ${ids.join(', ')}) f(id, path) ON r.${PATH} = f.path${where}${order}`
}

/** All rows of a table in memory. */
export function residentSql(view: TableView): string {
  const columns = identifiers(view.snapshot.schema.fields.map((f) => f.name))
  return parts(view)
    .map(({ table }) => `SELECT ${columns} FROM ${table}`)
    .join(' UNION ALL ')
}

/** Where the newest reports of a table in memory stand by themselves. */
export function residentLatest(table: string): string {
  return residentName(table)
}
