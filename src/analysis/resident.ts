/** Tables kept in memory as native DuckDB tables; a new version changes only the rows of the files that changed. */
import { LakeError } from '../model/errors.ts'
import type { AddFile } from '../storage/delta/actions.ts'
import { filePath } from '../storage/delta/paths.ts'
import { rowsOf as rowsOfFile } from '../storage/delta/stats.ts'
import { relationSql, schemaFingerprint } from '../storage/delta/relation.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import { VINTAGE_VIEWS, viewOfTable } from './relation.ts'

/** What stands in memory of one table. */
export interface HeldTable {
  readonly schema: string
  /** The columns that tell rows apart, where the rows stand under the name by which they are asked for. */
  readonly key: readonly string[] | undefined
  /** Numbers of the files whose rows are there, by their key. */
  readonly files: ReadonlyMap<string, number>
}

/** What stands in memory, by table. */
export type ResidentState = ReadonlyMap<string, HeldTable>

/** A move of the memory to a version: what to run, in one transaction with the views, and what is true then. */
export interface ResidentMove {
  readonly state: ResidentState
  readonly statements: readonly string[]
  /** How much of a table comes in (or only goes), at most of any: 1 is all of it. */
  readonly share: number
}

/**
 * The catalog that views and tables in memory stand in together, because a transaction writes to one catalog only.
 * It keeps its tables compressed as a `.duckdb` file does: uncompressed ones answer up to 1.6 times slower.
 */
export const RESIDENT_CATALOG = 'resident'
const SCHEMA = 'resident_tables'
/** A table without rows; no table of a lake has such a name. */
const MOMENT = `${RESIDENT_CATALOG}.${SCHEMA}."the moment"`

/** Makes the catalog. */
export const ATTACH_RESIDENT: string = `ATTACH ':memory:' AS ${RESIDENT_CATALOG} (COMPRESS);
  CREATE SCHEMA ${RESIDENT_CATALOG}.${SCHEMA};
  CREATE TABLE ${MOMENT} (i INTEGER)`
/** Reads nothing, but from then on a transaction sees the memory as it is now. */
export const TOUCH_RESIDENT: string = `FROM ${MOMENT}`
/** Compresses what has come in. */
export const COMPRESS_RESIDENT: string = `CHECKPOINT ${RESIDENT_CATALOG}`
/** It is done when so much of a table has come in: rows that stand as they came slow a whole table's questions. */
export const COMPRESS_SHARE = 0.02

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

/**
 * Statements that bring memory from what it holds to the tables of a version. `nameable` says of which tables all
 * rows (of reports the newest) may stand as a table under the name of the view: DuckDB binds a table faster than a
 * view, by a third of a millisecond where it has 84 columns.
 */
export function residentMove(
  before: ResidentState,
  views: readonly TableView[],
  nameable: (view: TableView) => boolean,
): ResidentMove {
  const state = new Map<string, HeldTable>()
  const statements: string[] = []
  let share = 0
  for (const view of views) {
    const move = tableMove(before.get(view.name), view, nameable(view))
    state.set(view.name, move.held)
    statements.push(...move.statements)
    share = Math.max(share, move.share)
  }
  return { state, statements, share }
}

interface TableMove {
  readonly held: HeldTable
  readonly statements: readonly string[]
  readonly share: number
}

function tableMove(before: HeldTable | undefined, view: TableView, nameable: boolean): TableMove {
  const schema = schemaFingerprint(view.snapshot.schema)
  const key = nameable && view.shape.key.length > 0 ? view.shape.key : undefined
  const fresh = before?.schema !== schema || before.key?.join() !== key?.join()
  const known = fresh ? new Map<string, number>() : before.files
  const files = new Map<string, number>()
  const added = new Map<number, AddFile>()
  let next = Math.max(0, ...known.values()) + 1
  for (const [file, add] of view.snapshot.files) {
    const id = known.get(file) ?? next++
    files.set(file, id)
    if (!known.has(file)) added.set(id, add)
  }
  const gone = [...known].filter(([file]) => !files.has(file)).map(([, id]) => id)
  const goneShare = known.size > 0 ? gone.length / known.size : 0
  const change = { view, fresh, gone, added, first: known.size === 0 }
  const held = { schema, key, files }
  const statements = key ? namedStatements(change, held, key) : filedStatements(change, held)
  return {
    held,
    statements,
    share:
      added.size > 0 ? rowsIn(added.values()) / rowsIn(view.snapshot.files.values()) : goneShare,
  }
}

/** Rows of files; where one does not say, more than any table has. */
function rowsIn(files: Iterable<AddFile>): number {
  let rows = 0
  for (const file of files) rows += rowsOfFile(file) ?? Number.MAX_SAFE_INTEGER
  return rows
}

/** Files of a table that go and come. */
interface Change {
  readonly view: TableView
  readonly fresh: boolean
  readonly gone: readonly number[]
  readonly added: ReadonlyMap<number, AddFile>
  readonly first: boolean
}

interface Part {
  readonly table: string
  readonly where: string
}

/** Of reports the newest rows stand by themselves, so that the usual query reads nothing else. */
function parts(table: string, { key }: HeldTable): Part[] {
  const whole = key ? `${RESIDENT_CATALOG}.main.${identifier(viewOfTable(table))}` : hidden(table)
  if (!(table in VINTAGE_VIEWS)) return [{ table: whole, where: '' }]
  return [
    { table: whole, where: ' WHERE is_latest' },
    { table: hidden(`${table} older`), where: ' WHERE is_latest IS NOT TRUE' },
  ]
}

function hidden(name: string): string {
  return `${RESIDENT_CATALOG}.${SCHEMA}.${identifier(name)}`
}

function keysOf({ name }: TableView): string {
  return hidden(`${name} keys`)
}

/** Tables that tell in a column more than asked for from which file a row is. */
function filedStatements({ view, fresh, gone, added, first }: Change, held: HeldTable): string[] {
  const all = parts(view.name, held)
  const empty = `SELECT *, CAST(NULL AS INTEGER) AS ${FILE} FROM (${rowsOf(view, [])})`
  const rows = numberedRows(view, added)
  return [
    ...(fresh ? [`DROP TABLE IF EXISTS ${keysOf(view)}`] : []),
    ...(fresh ? all.map(({ table }) => `CREATE OR REPLACE TABLE ${table} AS ${empty}`) : []),
    ...(gone.length > 0 ? all.map(({ table }) => `DELETE FROM ${table} ${ofFiles(gone)}`) : []),
    ...(added.size > 0
      ? all.map((p) => `INSERT INTO ${p.table} ${rows}${p.where}${first ? order(view) : ''}`)
      : []),
  ]
}

/**
 * Tables with the columns of the view alone. The keys of each file stand beside them and tell which rows go with it.
 * Where a key comes twice (or is NULL, and finds no row), other rows than those of the files would go: the move fails.
 */
function namedStatements(
  { view, fresh, gone, added, first }: Change,
  held: HeldTable,
  key: readonly string[],
): string[] {
  const all = parts(view.name, held)
  const keys = keysOf(view)
  const same = key.map((name) => `t.${identifier(name)} = g.${identifier(name)}`)
  const leaving = `(SELECT DISTINCT ${identifiers(key)} FROM ${keys} ${ofFiles(gone)}) g`
  const create = (table: string, columns: string): string =>
    `CREATE OR REPLACE TABLE ${table} AS SELECT ${columns} FROM (${rowsOf(view, [])})`
  const rows = `SELECT * FROM (${rowsOf(view, added.values())}) r`
  const left = all.map(({ table }) => `(SELECT count(*) FROM ${table})`).join(' + ')
  const count = `SELECT CASE WHEN ${left} <> (SELECT count(*) FROM ${keys})
    THEN error(${literal(repeatedKeys(view.name))}) END`
  return [
    ...(fresh ? [`DROP TABLE IF EXISTS ${hidden(view.name)}`] : []),
    ...(fresh ? all.map(({ table }) => create(table, '*')) : []),
    ...(fresh ? [create(keys, `${identifiers(key)}, CAST(NULL AS INTEGER) AS ${FILE}`)] : []),
    ...(gone.length > 0
      ? [
          ...all.map(
            (p) => `DELETE FROM ${p.table} t USING ${leaving} WHERE ${same.join(' AND ')}`,
          ),
          `DELETE FROM ${keys} ${ofFiles(gone)}`,
          count,
        ]
      : []),
    ...(added.size > 0
      ? [
          ...all.map((p) => `INSERT INTO ${p.table} ${rows}${p.where}${first ? order(view) : ''}`),
          `INSERT INTO ${keys} ${numberedRows(view, added, key)}`,
        ]
      : []),
  ]
}

const REPEATED = 'keys come twice in the table in memory'

function repeatedKeys(table: string): string {
  return `${REPEATED}: ${table}`
}

/** The table whose move failed because a key comes twice in it. */
export function tableOfRepeatedKeys(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return new RegExp(`${REPEATED}: (\\w+)`).exec(error.message)?.[1]
}

function rowsOf(view: TableView, files: Iterable<AddFile>): string {
  return relationSql(view.directory, view.snapshot, files)
}

function ofFiles(ids: readonly number[]): string {
  return `WHERE ${FILE} IN (${ids.join(', ')})`
}

/** In order the rows of a symbol stand together, and a question for one leaves out the other blocks. */
function order({ shape: { clustering } }: TableView): string {
  const columns = clustering.map((name) => `r.${identifier(name)}`)
  return columns.length > 0 ? ` ORDER BY ${columns.join(', ')}` : ''
}

/** Rows of files, or their keys, and the number of the file of each. */
function numberedRows(
  view: TableView,
  added: ReadonlyMap<number, AddFile>,
  key?: readonly string[],
): string {
  const rows = relationSql(view.directory, view.snapshot, added.values(), { fileColumn: PATH })
  const ids = [...added].map(
    ([id, file]) => `(${String(id)}, ${literal(filePath(view.directory, file.path))})`,
  )
  const columns = key ? key.map((name) => `r.${identifier(name)}`) : [`r.* EXCLUDE (${PATH})`]
  return `SELECT ${columns.join(', ')}, f.id FROM (${rows}) r JOIN (VALUES ${ids.join(', ')}) f(id, path) ON r.${PATH} = f.path`
}

/** All rows of a table in memory. */
export function residentSql(view: TableView, held: HeldTable): string {
  const columns = identifiers(view.snapshot.schema.fields.map((f) => f.name))
  return parts(view.name, held)
    .map(({ table }) => `SELECT ${columns} FROM ${table}`)
    .join(' UNION ALL ')
}

/** Where the newest reports of a table in memory stand by themselves. */
export function residentLatest(table: string, held: HeldTable): string {
  return parts(table, held)[0]!.table
}
