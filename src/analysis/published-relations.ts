/** What files that DuckDB opens by itself are made of: views over tables, words about them, other names, `meta`. */
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { aliasRelations } from './alias-relations.ts'
import { metaStatements } from './meta.ts'
import type { Publication } from './meta.ts'
import { OLD_SCHEMA, oldRelations } from './old-relations.ts'
import type { Relation } from './relation.ts'
import { createSql } from './relation.ts'
import { hasOneSource, relationsOf } from './relations.ts'

/** Statements for all views, and the relations they make. `tableSql` is a SELECT of all rows of a table. */
export async function publishedStatements(
  store: Store,
  record: LakeRecord,
  views: readonly TableView[],
  tableSql: (view: TableView) => string,
  publication?: Publication,
): Promise<{ readonly relations: readonly Relation[]; readonly statements: readonly string[] }> {
  const tables = new Map(views.map((view) => [view.name, view]))
  const { relations } = relationsOf({
    tables,
    prefer: record.settings.prefer,
    tableSql,
    latestSql: () => undefined,
    hasOneSource: (table) => hasOneSource(tables.get(table)),
  })
  const statements = [
    ...relations.map((relation) => createSql(relation)),
    ...relations.map(commentSql),
    ...aliasStatements(record),
    ...(await metaStatements(store, record, views, relations, publication)),
  ]
  return { relations, statements }
}

/** The label of a relation as a comment that stays in the file. */
function commentSql({ name, kind, label }: Relation): string {
  const words = { view: 'VIEW', 'table macro': 'MACRO TABLE', 'scalar macro': 'MACRO' }
  return `COMMENT ON ${words[kind]} ${identifier(name)} IS ${literal(label)}`
}

/** The views under the names of Tushare, AkShare and a migrated file. */
function aliasStatements(record: LakeRecord): string[] {
  const old = oldRelations(record)
  const aliases = { ...aliasRelations(), ...(old.length > 0 && { [OLD_SCHEMA]: old }) }
  return Object.entries(aliases).flatMap(([schema, relations]) => [
    `CREATE SCHEMA ${schema}`,
    ...relations.map((relation) => createSql(relation, schema)),
  ])
}
