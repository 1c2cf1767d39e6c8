/** What an engine shows: the views of one lake version over lists of files and tables in memory. */
import type { LakeRecord } from '../storage/lake/record.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { duckdbType } from '../storage/parquet/types.ts'
import type { AttachedTable } from './attached.ts'
import { attachedRelation, checkAttachedNames } from './attached.ts'
import type { FileList } from './file-lists.ts'
import { listedSql } from './file-lists.ts'
import type { Knowledge } from './knowledge.ts'
import type { Relation } from './relation.ts'
import { createSql, dropSql } from './relation.ts'
import { hasOneSource, relationsOf } from './relations.ts'
import type { ResidentState } from './resident.ts'
import { residentLatest, residentSql } from './resident.ts'

/** The views of one version. Immutable. */
export interface Display {
  readonly record: LakeRecord
  readonly views: readonly TableView[]
  readonly lists: readonly FileList[]
  /** By name in lower case. */
  readonly relations: ReadonlyMap<string, Relation>
  /** Names of the macros that stand in a FROM clause. */
  readonly macros: ReadonlySet<string>
  /** What stands in memory, by table. */
  readonly resident: ResidentState
  /** Tables without a date of knowledge, which an engine of a date does not show. */
  readonly withheld: readonly string[]
  /** Grows when a view changes. */
  readonly generation: number
}

/** How a display comes about. */
export interface DisplayOptions {
  readonly record: LakeRecord
  readonly views: readonly TableView[]
  readonly resident: ResidentState
  readonly knowledge: Knowledge | undefined
  /** Delta tables from elsewhere, shown beside the lake's. */
  readonly attached?: readonly AttachedTable[]
  /** Tables of which a file cannot be read, with the error; the others are shown all the same. */
  readonly broken?: ReadonlyMap<string, Error>
}

/** The display of a version; it goes on in the generation of the one before when no view has changed. */
export function displayOf(options: DisplayOptions, before?: Display): Display {
  const same = buildDisplay(options, before?.generation ?? 1)
  if (!before || !hasChanges(changes(before, same))) return same
  return buildDisplay(options, before.generation + 1)
}

function buildDisplay(options: DisplayOptions, generation: number): Display {
  const { record, views, resident, knowledge, attached = [], broken } = options
  const tables = new Map(views.map((view) => [view.name, view]))
  const lists: FileList[] = []
  const tableSql = (view: TableView): string => {
    const error = broken?.get(view.name)
    if (error) return brokenSql(view, error)
    const held = resident.get(view.name)
    if (held) return residentSql(view, held)
    const listed = listedSql(view, generation)
    lists.push(...listed.lists)
    return listed.sql
  }
  const { relations: own, withheld } = relationsOf(
    {
      tables,
      prefer: record.settings.prefer,
      tableSql,
      latestSql: (table) => {
        const held = knowledge ? undefined : resident.get(table)
        return held && residentLatest(table, held)
      },
      inMemory: (table) =>
        !knowledge && !broken?.has(table) && resident.get(table)?.key !== undefined,
      hasOneSource: (table) => hasOneSource(tables.get(table)),
    },
    knowledge,
  )
  checkAttachedNames(attached, new Set(own.map((relation) => relation.name.toLowerCase())))
  const others = attached.map((table) => attachedRelation(table, generation))
  lists.push(...others.flatMap((other) => other.lists))
  const relations = [...own, ...others.map((other) => other.relation)]
  return {
    record,
    views,
    lists,
    relations: new Map(relations.map((relation) => [relation.name.toLowerCase(), relation])),
    macros: new Set(relations.filter((r) => r.kind === 'table macro').map((r) => r.name)),
    resident,
    withheld,
    generation,
  }
}

/** The columns of a table whose rows cannot be read: whoever asks for a row gets the error. */
function brokenSql(view: TableView, error: Error): string {
  const columns = view.snapshot.schema.fields.map(
    (f) => `CAST(NULL AS ${duckdbType(f.type)}) AS ${identifier(f.name)}`,
  )
  return `SELECT ${columns.join(', ')} WHERE CAST(error(${literal(error.message)}) AS BOOLEAN)`
}

/** Statements that turn the views of one display into those of another; tables in memory move between them. */
export interface Changes {
  readonly drops: readonly string[]
  readonly creates: readonly string[]
}

/** What must be dropped and made to show another display. */
export function changes(before: Display | undefined, after: Display): Changes {
  const drops: string[] = []
  for (const [name, old] of before?.relations ?? []) {
    const relation = after.relations.get(name)
    // A view does not take the place of a table by itself, nor a table that of a view.
    const other = relation && (relation.inMemory ?? false) !== (old.inMemory ?? false)
    if (!relation || other) drops.push(dropSql(old))
  }
  const creates = [...after.relations].flatMap(([name, relation]) => {
    if (relation.inMemory) return []
    const old = before?.relations.get(name)
    const same = old && !old.inMemory && createSql(old) === createSql(relation)
    return same ? [] : [createSql(relation)]
  })
  return { drops, creates }
}

function hasChanges({ drops, creates }: Changes): boolean {
  return drops.length > 0 || creates.length > 0
}
