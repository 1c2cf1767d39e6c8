/** Writes what old code sees of the lake into a new `.duckdb` file and holds it against the old one. */
import { DuckDBInstance } from '@duckdb/node-api'
import { openLake } from '../../dist/index.js'

/** Through the published views, as any DuckDB can; rows of equal keys stand in the old file alone. */
export async function exportTables(lakeDirectory, path, old, tables) {
  const lake = await openLake(lakeDirectory)
  const { path: views } = await lake.publishViews()
  await lake.close()
  const instance = await DuckDBInstance.create(path, { threads: '2', memory_limit: '1GB' })
  const connection = await instance.connect()
  await connection.run(`ATTACH '${views}' AS lake (READ_ONLY)`)
  await connection.run(`ATTACH '${old}' AS old_file (READ_ONLY)`)
  let [rows, differing] = [0, 0]
  const count = async (sql) => (await connection.runAndReadAll(sql)).getRows()[0][0]
  for (const table of tables) {
    await connection.run(`CREATE TABLE ${table} AS SELECT * FROM lake.old.${table}`)
    rows += await count(`SELECT count(*)::INTEGER FROM ${table}`)
    differing += await count(
      `SELECT count(*)::INTEGER FROM ((SELECT * FROM ${table}) EXCEPT ALL (SELECT * FROM old_file.${table}))`,
    )
  }
  connection.closeSync()
  instance.closeSync()
  return { rows, differing }
}
