/** Writes into the old file what only the lake got since the cut-over, so that going back loses nothing. */
import type { MigratedTable, Migration } from '../storage/lake/migration-state.ts'
import { columnsOf, oldKey } from '../storage/lake/migration-state.ts'
import { refuseRowNumber } from '../model/name.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { tableView } from '../storage/lake/view.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, identifiers } from '../storage/parquet/sql.ts'
import { oldTable } from './old-file.ts'
import { lakeFilter, toOldSql } from './sides.ts'

/** Rows of one old table that were written and deleted. */
export interface BroughtBack {
  readonly table: string
  readonly written: number
  readonly deleted: number
}

/** Makes the old tables equal to the lake's, all in one transaction of the old file. */
export async function bringBack(
  store: Store,
  session: Session,
  record: LakeRecord,
  migration: Migration,
  tables: readonly string[],
): Promise<BroughtBack[]> {
  const wanted = migration.tables.filter(({ table }) => tables.includes(table))
  const done: BroughtBack[] = []
  await session.run('BEGIN')
  try {
    for (const migrated of wanted) done.push(await one(store, session, record, migrated))
    await session.run('COMMIT')
  } catch (error) {
    await session.run('ROLLBACK').catch(() => undefined)
    throw error
  }
  return done.filter(({ written, deleted }) => written + deleted > 0)
}

async function one(
  store: Store,
  session: Session,
  record: LakeRecord,
  migrated: MigratedTable,
): Promise<BroughtBack> {
  const view = await tableView(store, record, migrated.table)
  const lake = `SELECT * FROM (${snapshotSql(view.directory, view.snapshot)})${lakeFilter(migrated, view)}`
  const target = oldTable(migrated.old)
  const names = columnsOf(migrated).map((c) => c.old)
  refuseRowNumber(names)
  await session.run(
    `CREATE OR REPLACE TEMP TABLE marketlake_wanted AS
     SELECT * FROM
       (SELECT *, row_number() OVER (PARTITION BY ${identifiers(names)}) AS marketlake_n FROM (${toOldSql(migrated, lake)}))`,
  )
  const dirty = migrated.onDuplicate === 'last' && migrated.key.length > 0
  const key = oldKey(migrated)
  // Older rows of equal keys are the old file's own and stay; the last one is what the lake holds.
  const last = dirty
    ? ` QUALIFY row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY marketlake_rowid DESC) = 1`
    : ''
  // The rows and their ids as a table of its own: a window around a window over `rowid` fails in DuckDB 1.5.6.
  await session.run(
    `CREATE OR REPLACE TEMP TABLE marketlake_all AS
     SELECT ${identifiers(names)}, rowid AS marketlake_rowid FROM ${target};
     CREATE OR REPLACE TEMP TABLE marketlake_stored AS
     SELECT *, row_number() OVER (PARTITION BY ${identifiers(names)}) AS marketlake_n FROM
       (SELECT * FROM marketlake_all${last})`,
  )
  const same = equalRows([...names, 'marketlake_n'], 'a', 'b')
  const deleteFrom = (table: string, matching: string): Promise<number> =>
    session.run(
      `DELETE FROM ${target} WHERE rowid IN (SELECT a.marketlake_rowid FROM ${table} a
         WHERE NOT EXISTS (SELECT 1 FROM marketlake_wanted b WHERE ${matching}))`,
    )
  const differing = await deleteFrom('marketlake_stored', same)
  const gone = dirty ? await deleteFrom('marketlake_all', equalRows(key, 'a', 'b')) : 0
  const written = await session.run(
    `INSERT INTO ${target} (${identifiers(names)}) SELECT ${identifiers(names)} FROM marketlake_wanted a
     WHERE NOT EXISTS (SELECT 1 FROM marketlake_stored b WHERE ${same})`,
  )
  const deleted = differing + gone
  await session.run(
    'DROP TABLE marketlake_wanted; DROP TABLE marketlake_stored; DROP TABLE marketlake_all',
  )
  return { table: migrated.old, written, deleted }
}

function equalRows(names: readonly string[], a: string, b: string): string {
  return names
    .map((name) => `${a}.${identifier(name)} IS NOT DISTINCT FROM ${b}.${identifier(name)}`)
    .join(' AND ')
}
