/** Old `.duckdb` files, and lakes that hold what is in them. */
import { join } from 'node:path'
import { recordImport } from '../../src/lake/migration.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { attachOldFile, oldTable } from '../../src/migration/old-file.ts'
import type { MigratedTable } from '../../src/storage/lake/migration-state.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import { relationSchema } from '../../src/storage/parquet/inspect.ts'
import { duckdbType } from '../../src/storage/parquet/types.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { committed, newLake } from './lake.ts'
import { temporaryDirectory } from './temporary.ts'

/** Runs statements on an old file, which is the current database meanwhile; the rows of the last one. */
export async function inOldFile(path: string, ...statements: readonly string[]): Promise<Row[]> {
  const database = await Database.open({ threads: 1 })
  try {
    return await database.using(async (session) => {
      const detach = await attachOldFile(session, path, { write: true, waitMs: 20_000 })
      await session.run('USE old_file')
      let rows: Row[] = []
      for (const statement of statements) rows = await session.rows(statement)
      await session.run('USE memory')
      await detach()
      return rows
    })
  } finally {
    await database.close()
  }
}

/** A new old file. */
export async function oldFile(...statements: readonly string[]): Promise<string> {
  const path = join(temporaryDirectory(), 'old.duckdb')
  const database = await Database.open({ threads: 1 })
  await database.using(async (session) => {
    await session.run(`ATTACH '${path}' AS made; USE made`)
    for (const statement of statements) await session.run(statement)
    await session.run('USE memory; DETACH made')
  })
  await database.close()
  return path
}

/** Copies tables of an old file into a lake and notes the migration; keys by table, columns as they are. */
export async function migrated(
  lake: Lake,
  path: string,
  keys: Readonly<Record<string, readonly string[]>>,
): Promise<MigratedTable[]> {
  const database = await lake.database()
  const tables: MigratedTable[] = []
  await database.using(async (session) => {
    const detach = await attachOldFile(session, path)
    const outcome = await lake.write('import', async (tx) => {
      for (const [old, key] of Object.entries(keys)) {
        const { schema, columns } = await relationSchema(
          tx.session,
          `SELECT * FROM ${oldTable(old)}`,
        )
        await tx.ensure({ name: old, schema, key })
        await tx.append(old, { sql: `SELECT * FROM ${oldTable(old)}` })
        tables.push({
          old,
          table: old,
          key,
          columns: columns.map(({ name, duckdbType: type }, i) =>
            duckdbType(schema.fields[i]!.type) === type ? name : { old: name, new: name, type },
          ),
        })
      }
    })
    committed(outcome)
    await detach()
  })
  const noted = new Map(tables.map((table) => [table.old, table]))
  const list = [...noted.values()]
  committed(await recordImport(lake, path, list))
  return list
}

const BARS = `CREATE TABLE bars (symbol VARCHAR, trade_date DATE, close DOUBLE, volume HUGEINT, kind ENUM('a', 'b'),
  PRIMARY KEY (symbol, trade_date))`
const FILL = `INSERT INTO bars SELECT lpad(CAST(s AS VARCHAR), 6, '0'), DATE '2024-01-01' + CAST(d AS INTEGER),
  s + d / 10, s * 1000 + d, CASE WHEN d % 2 = 0 THEN 'a' ELSE 'b' END FROM range(5) t(s), range(20) u(d)`
const LOGS = 'CREATE TABLE logs (n INTEGER, words VARCHAR)'

/** An old file with a table that has a key and one that has none, and a lake that holds both. */
export async function barsAndLogs(): Promise<{ lake: Lake; old: string }> {
  const logs = "INSERT INTO logs VALUES (1, 'x'), (1, 'x'), (2, NULL)"
  const old = await oldFile(BARS, FILL, LOGS, logs)
  const lake = await newLake()
  await migrated(lake, old, { bars: ['symbol', 'trade_date'], logs: [] })
  return { lake, old }
}
