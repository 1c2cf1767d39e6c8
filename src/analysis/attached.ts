/** Delta tables attached by their directory: views beside those of a lake, or by themselves. */
import { resolve } from 'node:path'
import { LakeError } from '../model/errors.ts'
import { checkTableName } from '../model/name.ts'
import { shapeOf } from '../model/table.ts'
import { loadDeletions } from '../storage/delta/deletion-vector.ts'
import { checkFit } from '../storage/delta/fit.ts'
import { loadSnapshot } from '../storage/delta/load.ts'
import { noTable } from '../storage/delta/segment.ts'
import type { Snapshot } from '../storage/delta/replay.ts'
import { localFiles } from '../storage/files/local.ts'
import type { TableView } from '../storage/lake/view.ts'
import { Database } from '../storage/parquet/database.ts'
import type { DatabaseOptions, ResultTable, Session } from '../storage/parquet/database.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { FileList } from './file-lists.ts'
import { listedSql, tellLists } from './file-lists.ts'
import { restrictionsOf } from './filters.ts'
import { readOnly } from './gate.ts'
import type { Relation } from './relation.ts'
import { createSql } from './relation.ts'

/** Any Delta table, at one of its versions, under a name for queries. */
export interface AttachedTable {
  readonly name: string
  /** An absolute path. */
  readonly directory: string
  readonly snapshot: Snapshot
}

/** Opens the table in a directory, by default at its newest version. */
export async function attachTable(
  name: string,
  directory: string,
  version?: number,
): Promise<AttachedTable> {
  checkTableName(name)
  const root = resolve(directory)
  const snapshot = await loadSnapshot(localFiles, root, version)
  if (!snapshot) throw noTable(root)
  await loadDeletions(localFiles, root, snapshot.files.values())
  return { name, directory: root, snapshot }
}

/** The relation of an attached table, and the lists of files it reads. */
export function attachedRelation(
  table: AttachedTable,
  generation: number,
): { readonly relation: Relation; readonly lists: readonly FileList[] } {
  const { sql, lists } = listedSql(viewOf(table), generation)
  const { name, directory } = table
  const relation: Relation = {
    name,
    kind: 'view',
    sql,
    label: `Delta表 ${directory}`,
    about: `The Delta table in \`${directory}\`.`,
    tables: [attachedName(name)],
    prunable: 'all',
  }
  return { relation, lists }
}

/** Two relations of one name: the lake's must not be hidden by what somebody attached. */
export function checkAttachedNames(
  tables: readonly AttachedTable[],
  taken: ReadonlySet<string>,
): void {
  const seen = new Set(taken)
  for (const { name } of tables) {
    if (seen.has(name.toLowerCase())) {
      throw new LakeError('INVALID_NAME', `there is already a table or view ${name}`, {
        details: { name },
        next: 'Attach the table under another name.',
      })
    }
    seen.add(name.toLowerCase())
  }
}

const views = new WeakMap<AttachedTable, TableView>()

function viewOf(table: AttachedTable): TableView {
  const known = views.get(table)
  if (known) return known
  const { directory, snapshot } = table
  const shape = shapeOf(snapshot.metadata.configuration)
  const view = { name: attachedName(table.name), path: directory, directory, snapshot, shape }
  views.set(table, view)
  return view
}

/** No table of a lake is called so. */
function attachedName(name: string): string {
  return `attached ${name.toLowerCase()}`
}

/** Files of other writers are looked at before their rows are believed. */
export async function checkAttached(
  session: Session,
  tables: readonly AttachedTable[],
): Promise<void> {
  for (const { directory, snapshot } of tables) await checkFit(session, directory, snapshot)
}

/** Queries over attached tables alone, where there is no lake. It must be closed. */
export class AttachedEngine {
  readonly #database: Database
  readonly #relations: ReadonlyMap<string, Relation>
  readonly #lists: readonly FileList[]

  private constructor(
    database: Database,
    relations: readonly Relation[],
    lists: readonly FileList[],
  ) {
    this.#database = database
    this.#relations = new Map(relations.map((relation) => [relation.name.toLowerCase(), relation]))
    this.#lists = lists
  }

  /** Opens an engine whose views are the tables. */
  static async open(
    tables: readonly AttachedTable[],
    options: DatabaseOptions = {},
  ): Promise<AttachedEngine> {
    checkAttachedNames(tables, new Set())
    const made = tables.map((table) => attachedRelation(table, 1))
    const [relations, lists] = [made.map((one) => one.relation), made.flatMap((one) => one.lists)]
    const database = await Database.open(options)
    try {
      await database.using(async (session) => {
        await checkAttached(session, tables)
        await tellLists(session, lists, new Map())
        for (const relation of relations) await session.run(createSql(relation))
      })
    } catch (error) {
      await database.close()
      throw error
    }
    return new AttachedEngine(database, relations, lists)
  }

  /** The whole result of a SELECT. */
  table(sql: string): Promise<ResultTable> {
    return this.#database.using(async (session) => {
      await this.#prepare(session, sql)
      return session.table(sql)
    })
  }

  /** Rows as they come. */
  async *stream(sql: string): AsyncGenerator<ResultTable, void, undefined> {
    const session = await this.#database.connect()
    try {
      await this.#prepare(session, sql)
      yield* session.stream(sql)
    } finally {
      await session.close()
    }
  }

  /** Writes the result of a SELECT into a Parquet file that must not exist; returns the number of rows. */
  copyTo(sql: string, path: string): Promise<number> {
    const body = sql.trim().replace(/;$/, '')
    return this.#database.using(async (session) => {
      await this.#prepare(session, sql)
      return session.run(`COPY (${body}\n) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`)
    })
  }

  /** Lets go of everything. */
  close(): Promise<void> {
    return this.#database.close()
  }

  async #prepare(session: Session, sql: string): Promise<void> {
    const { tree } = await readOnly(session, sql, { macros: new Set(), dated: false })
    await tellLists(session, this.#lists, restrictionsOf(tree, this.#relations, undefined))
  }
}
