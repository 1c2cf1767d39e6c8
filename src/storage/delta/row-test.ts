/** Answers questions about rows of files with DuckDB: shared keys, matching rows, repeated keys. */
import { findField } from '../../model/schema.ts'
import type { Session } from '../parquet/database.ts'
import { equalOn, identifier, identifiers } from '../parquet/sql.ts'
import type { AddFile } from './actions.ts'
import type { RowTest } from './conflict.ts'
import { mayMatch } from './prune.ts'
import type { Range } from './prune.ts'
import { relationSql } from './relation.ts'
import type { Snapshot } from './replay.ts'
import { boundsOf } from './stats.ts'

/** A row test over the files of the table in `directory`. */
export function rowTest(session: Session, directory: string): RowTest {
  return {
    keysOverlap: async (snapshot, ours, theirs, key) => {
      const near = theirs.filter((file) => ours.some((own) => boxesMeet(snapshot, own, file, key)))
      if (ours.length === 0 || near.length === 0) return false
      const left = relationSql(directory, snapshot, ours)
      const right = relationSql(directory, snapshot, near)
      const sql = `SELECT 1 FROM (${left}) a JOIN (${right}) b ON ${equalOn(key, 'a', 'b')} LIMIT 1`
      return (await session.rows(sql)).length > 0
    },
    matches: async (snapshot, files, predicate) => {
      if (files.length === 0) return false
      const sql = `SELECT 1 FROM (${relationSql(directory, snapshot, files)}) WHERE ${predicate} LIMIT 1`
      return (await session.rows(sql)).length > 0
    },
  }
}

/** False if the bounds of two files differ on some key column, so that they cannot share a key. */
function boxesMeet(snapshot: Snapshot, a: AddFile, b: AddFile, key: readonly string[]): boolean {
  const ranges = key.flatMap((name): Range[] => {
    const column = findField(snapshot.schema, name)
    const bounds = column && boundsOf(a, column.name, column.type)
    return bounds ? [{ column: name, ...bounds }] : []
  })
  return mayMatch(b, snapshot.schema, ranges)
}

/** True if some key stands twice in the files, or a key is NULL. */
export async function repeatsKey(
  session: Session,
  directory: string,
  snapshot: Snapshot,
  files: readonly AddFile[],
  key: readonly string[],
): Promise<boolean> {
  if (files.length === 0 || key.length === 0) return false
  const rows = relationSql(directory, snapshot, files)
  const columns = identifiers(key)
  const anyNull = key.map((name) => `${identifier(name)} IS NULL`).join(' OR ')
  const sql = `SELECT 1 FROM (${rows}) GROUP BY ${columns} HAVING count(*) > 1 OR bool_or(${anyNull}) LIMIT 1`
  return (await session.rows(sql)).length > 0
}
