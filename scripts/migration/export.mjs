/** Exports the lake into a new `.duckdb` file and holds it against the old one, as a DuckDB without us sees both. */
import { DuckDBInstance } from '@duckdb/node-api'
import { exportDatabase, openLake } from '../../dist/index.js'

/** Through the old names that the export has too; rows of equal keys stand in the old file alone. */
export async function exportTables(lakeDirectory, path, old, tables) {
  const lake = await openLake(lakeDirectory)
  await exportDatabase(lake, path)
  await lake.close()
  const instance = await DuckDBInstance.create(path, { threads: '2', memory_limit: '1GB' })
  const connection = await instance.connect()
  await connection.run(`ATTACH '${old}' AS old_file (READ_ONLY)`)
  let [rows, differing] = [0, 0]
  const count = async (sql) => (await connection.runAndReadAll(sql)).getRows()[0][0]
  for (const table of tables) {
    rows += await count(`SELECT count(*)::INTEGER FROM old.${table}`)
    differing += await count(
      `SELECT count(*)::INTEGER FROM ((SELECT * FROM old.${table}) EXCEPT ALL (SELECT * FROM old_file.main.${table}))`,
    )
  }
  connection.closeSync()
  instance.closeSync()
  return { rows, differing }
}
