/** A `.duckdb` file larger than the memory limit: its import, and results of that size in every form. */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { loadInner } from './package.mjs'
import { open } from './limits-lake.mjs'

const oldFile = (base) => join(base, 'old.duckdb')
const megabytes = (path) => `${statSync(path).size >> 20} MB`

/** The operations; `batch` is the SELECT of rows. */
export function importOperations({ rowsOf, batch }) {
  return {
    'make the file (not of marketlake)': async ({ base, sizes }) => {
      const instance = await DuckDBInstance.create(oldFile(base))
      const connection = await instance.connect()
      const rows = rowsOf(sizes)
      await connection.run('CREATE TABLE wide (k BIGINT PRIMARY KEY)')
      await connection.run(`CREATE OR REPLACE TABLE wide AS ${batch(0, rows)}`)
      await connection.run('ALTER TABLE wide ADD PRIMARY KEY (k)')
      connection.closeSync()
      instance.closeSync()
      return megabytes(oldFile(base))
    },
    'migrate import': ({ api, base, root }) =>
      open(api, root, async (lake) => {
        const { outcome } = await api.importDatabase(lake, oldFile(base))
        if (outcome?.kind !== 'committed') throw new Error(JSON.stringify(outcome))
      }),
    'migrate import again, nothing changed': ({ api, base, root }) =>
      open(api, root, async (lake) => {
        const { outcome } = await api.importDatabase(lake, oldFile(base))
        if (outcome?.kind !== 'committed') throw new Error(JSON.stringify(outcome))
      }),
    'migrate verify': ({ api, root }) =>
      open(api, root, async (lake) => `equal ${(await api.verifyOldFile(lake)).equal}`),
    'stream of all rows': ({ api, root }) =>
      open(api, root, async (lake) => {
        const engine = await lake.analysis()
        let rows = 0
        for await (const part of engine.stream('SELECT * FROM wide')) rows += part.rows.length
        await engine.close()
        return `${rows} rows`
      }),
    'stream of all rows, sorted': ({ api, root }) =>
      open(api, root, async (lake) => {
        const engine = await lake.analysis()
        let rows = 0
        for await (const part of engine.stream('SELECT * FROM wide ORDER BY c1'))
          rows += part.rows.length
        await engine.close()
        return `${rows} rows`
      }),
    'query --format parquet': (place) => queryInto(place, 'parquet'),
    'query --format csv': (place) => queryInto(place, 'csv'),
    'query --format jsonl': (place) => queryInto(place, 'jsonl'),
    'migrate export': ({ api, base, root }) =>
      open(api, root, async (lake) => {
        const path = join(base, 'exported.duckdb')
        await api.exportDatabase(lake, path)
        return megabytes(path)
      }),
  }
}

async function queryInto({ base, root }, format) {
  const { query } = await loadInner('cli/commands/read.js')
  const output = join(base, `result.${format}`)
  const context = { lake: root, json: false, quiet: true, progress: 'none', interactive: false }
  const code = await query(
    { ...context, signal: new AbortController().signal },
    'SELECT * FROM wide',
    { format, output },
  )
  if (code !== 0) throw new Error(`exit code ${code}`)
  const size = megabytes(output)
  rmSync(output)
  return size
}
