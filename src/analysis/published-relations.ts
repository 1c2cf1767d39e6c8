/** Words about views, and views under other names, in files that DuckDB opens by itself. */
import type { LakeRecord } from '../storage/lake/record.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { aliasRelations } from './alias-relations.ts'
import { OLD_SCHEMA, oldRelations } from './old-relations.ts'
import type { Relation } from './relation.ts'
import { createSql } from './relation.ts'

/** The label of a relation as a comment that stays in the file. */
export function commentSql({ name, kind, label }: Relation): string {
  const words = { view: 'VIEW', 'table macro': 'MACRO TABLE', 'scalar macro': 'MACRO' }
  return `COMMENT ON ${words[kind]} ${identifier(name)} IS ${literal(label)}`
}

/** The views under the names of Tushare, AkShare and a migrated file. */
export function aliasStatements(record: LakeRecord): string[] {
  const old = oldRelations(record)
  const aliases = { ...aliasRelations(), ...(old.length > 0 && { [OLD_SCHEMA]: old }) }
  return Object.entries(aliases).flatMap(([schema, relations]) => [
    `CREATE SCHEMA ${schema}`,
    ...relations.map((relation) => createSql(relation, schema)),
  ])
}
