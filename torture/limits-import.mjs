/** A `.duckdb` file larger than the memory limit: its import, and results of that size in every form. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { open, peakMbOf } from './limits-lake.mjs'
import { DIST } from './package.mjs'

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
    'stream of all rows, sorted, on one thread': ({ api, root }) =>
      open(api, root, async (lake) => {
        // On two, the engine's sort wants more than this limit for a stream; a file of the same rows it writes.
        const engine = await lake.analysis({ threads: 1 })
        let rows = 0
        for await (const part of engine.stream('SELECT * FROM wide ORDER BY c1'))
          rows += part.rows.length
        await engine.close()
        return `${rows} rows`
      }),
    'the same rows, sorted, into a Parquet file': ({ api, base, root }) =>
      open(api, root, async (lake) => {
        const engine = await lake.analysis()
        const path = join(base, 'sorted.parquet')
        const rows = await engine.copyTo('SELECT * FROM wide ORDER BY c1', path)
        await engine.close()
        return `${rows} rows, ${megabytes(path)}`
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

/** The command itself, with its own peak and processor time. */
async function queryInto({ base, root }, format) {
  const output = join(base, `result.${format}`)
  const args = ['--lake', root, 'query', 'SELECT * FROM wide', '--format', format, '-o', output]
  const child = spawn(process.execPath, [join(DIST, 'cli', 'main.js'), ...args])
  const used = {}
  const watch = setInterval(() => look(child.pid, used), 20)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`exit code ${code}`)
  const note = megabytes(output)
  rmSync(output)
  return { note, ...used }
}

const TICKS_PER_SECOND = 100

function look(pid, used) {
  try {
    used.peakMb = peakMbOf(pid)
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15)
    used.cpuSeconds = (Number(user) + Number(system)) / TICKS_PER_SECOND
  } catch {
    // It has ended.
  }
}
