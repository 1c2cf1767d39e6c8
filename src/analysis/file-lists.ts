/** The lists of files behind the views: variables of a connection, cut to what a statement can ask for. */
import { parseDay } from '../model/date.ts'
import { findField } from '../model/schema.ts'
import type { AddFile } from '../storage/delta/actions.ts'
import { filePath } from '../storage/delta/paths.ts'
import type { Range } from '../storage/delta/prune.ts'
import { NO_TEXT_ABOVE, mayMatch } from '../storage/delta/prune.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, literal, pathList } from '../storage/parquet/sql.ts'
import type { Session } from '../storage/parquet/database.ts'
import type { Restriction, Restrictions } from './filters.ts'

/** One list of one table. */
export interface FileList {
  readonly variable: string
  readonly view: TableView
  readonly paths: readonly string[]
}

/**
 * A SELECT of all rows of a table whose lists are variables. `generation` is in their names: a statement on a
 * connection prepared for other views finds no list and fails, instead of mixing two versions.
 */
export function listedSql(
  view: TableView,
  generation: number,
): { readonly sql: string; readonly lists: readonly FileList[] } {
  const lists: FileList[] = []
  const sql = snapshotSql(view.directory, view.snapshot, {
    fileList: (files, branch) => {
      const variable = `files ${String(generation)} ${view.name} ${String(branch)}`
      lists.push({ variable, view, paths: files.map((file) => file.path) })
      return `getvariable(${literal(variable)})`
    },
  })
  return { sql, lists }
}

/** What a connection has been told so far. */
const told = new WeakMap<Session, Map<string, string>>()

/**
 * Tells a connection the lists of a version, each cut by what a statement asks for. Lists of tables that are not
 * `read` may stay as the statement before left them.
 */
export async function tellLists(
  session: Session,
  lists: readonly FileList[],
  restrictions: Restrictions,
  read?: ReadonlySet<string>,
): Promise<void> {
  const known = told.get(session) ?? new Map<string, string>()
  told.set(session, known)
  const statements: string[] = []
  for (const list of lists) {
    if (read && !read.has(list.view.name) && known.has(list.variable)) continue
    const text = listText(list, restrictions.get(list.view.name))
    if (known.get(list.variable) === text) continue
    known.set(list.variable, text)
    statements.push(`SET VARIABLE ${identifier(list.variable)} = ${text}`)
  }
  if (statements.length > 0) await session.run(statements.join('; '))
}

const texts = new WeakMap<FileList, string>()

function listText(list: FileList, restrictions: readonly Restriction[] | undefined): string {
  if (restrictions) return pathList(prunedPaths(list, restrictions))
  const text = texts.get(list) ?? pathList(list.paths)
  texts.set(list, text)
  return text
}

/** The files that may hold rows for any of the references; at least one, because a list may not be empty. */
export function prunedPaths(list: FileList, restrictions: readonly Restriction[]): string[] {
  const files = filesOf(list.view)
  const wanted = restrictions.map((restriction) =>
    restriction.filter((ranges) => ranges.every((range) => isComparable(list.view, range))),
  )
  const kept = list.paths.filter((path) =>
    wanted.some((restriction) =>
      restriction.every((ranges) =>
        ranges.some((range) => mayMatch(files.get(path)!, list.view.snapshot.schema, [range])),
      ),
    ),
  )
  return kept.length > 0 ? kept : [list.paths[0]!]
}

/** Texts are compared with dates only when they are dates in the one form that sorts as they do. */
function isComparable({ snapshot }: TableView, { column, min, max }: Range): boolean {
  if (findField(snapshot.schema, column)?.type !== 'date') return true
  return [min, max].every((bound) => bound === '' || bound === NO_TEXT_ABOVE || isDate(bound))
}

function isDate(bound: string | number): boolean {
  return typeof bound === 'string' && parseDay(bound) !== undefined
}

const byPath = new WeakMap<TableView['snapshot'], ReadonlyMap<string, AddFile>>()

function filesOf(view: TableView): ReadonlyMap<string, AddFile> {
  const known = byPath.get(view.snapshot)
  if (known) return known
  const files = new Map(
    [...view.snapshot.files.values()].map((file) => [filePath(view.directory, file.path), file]),
  )
  byPath.set(view.snapshot, files)
  return files
}
