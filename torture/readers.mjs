/** Readers: the engine at heads, versions, tags and pins; a plain DuckDB on the published file. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { FINGERPRINT_SQL } from './model.mjs'

const pause = (timeMs) => new Promise((resolve) => setTimeout(resolve, timeMs))

/** Reads the lake in every way the engine offers, each time all of one version. */
export async function runEngineReader(task) {
  const { api, chance, stopped, root, effects } = task
  const lake = await api.openLake(root, { effects, maintenance: false, onWarning: () => undefined })
  const short = [readHead, readHead, readVersion, readTag, readFollowing]
  // A long look takes most of a reader's time: the first reader takes none, so that many versions are read.
  const kinds = task.id === 0 ? short : [...short, readLong, readLong]
  while (!stopped.yes) {
    await kinds[Math.floor(chance() * kinds.length)](task, lake)
    await pause(chance() * 100)
  }
  await lake.close()
}

/** Opens an engine, uses it, closes it. What must not fail is a violation when it does. */
async function withEngine(task, lake, kind, options, use) {
  const t0 = Date.now()
  let engine
  try {
    engine = await lake.analysis({ threads: 1, memoryLimit: '300MB', ...options })
    await use(engine, t0)
  } catch (error) {
    task.log({
      e: 'read-error',
      kind,
      t0,
      v: engine?.version ?? options.at,
      leased: engine?.leased,
      code: error.code,
      errno: error.details?.errno,
      message: `${error.message} ${error.cause?.message ?? ''}`,
    })
  } finally {
    await engine?.close()
  }
}

async function readOnce(task, engine, kind, t0) {
  const before = engine.version
  const [fp] = await engine.query(FINGERPRINT_SQL)
  const { version: v, txnId } = engine
  if (before === v) task.log({ e: 'read', kind, t0, v, txnId, fp })
}

function readHead(task, lake) {
  return withEngine(task, lake, 'head', {}, async (engine, t0) => {
    await readOnce(task, engine, 'head', t0)
    const rows = await engine
      .query('SELECT count(*)::INTEGER AS n, min(b) AS low, max(b) AS high FROM scratch')
      .catch((error) => {
        if (error.code === 'SQL_ERROR' && /scratch/.test(error.message)) return []
        throw error
      })
    const scratch = rows[0] ? `${rows[0].n}:${rows[0].low}:${rows[0].high}` : 'absent'
    task.log({ e: 'scratch', v: engine.version, scratch })
  })
}

async function readVersion(task, lake) {
  const head = await lake.head().catch(() => undefined)
  if (!head) return
  const at = Math.max(1, head.version - Math.floor(task.chance() * 60))
  await withEngine(task, lake, 'version', { at }, (engine, t0) =>
    readOnce(task, engine, 'version', t0),
  )
}

async function readTag(task, lake) {
  const head = await lake.head().catch(() => undefined)
  const tags = Object.keys(head?.tags ?? {})
  if (tags.length === 0) return
  const at = tags[Math.floor(task.chance() * tags.length)]
  await withEngine(task, lake, 'tag', { at }, (engine, t0) => readOnce(task, engine, 'tag', t0))
}

function readFollowing(task, lake) {
  return withEngine(task, lake, 'follow', { follow: true }, async (engine) => {
    for (let i = 0; i < 10 && !task.stopped.yes; i++) {
      await readOnce(task, engine, 'follow', Date.now())
      await pause(task.chance() * 200)
    }
  })
}

/** Longer than versions are kept: only the lease protects it. */
function readLong(task, lake) {
  return withEngine(task, lake, 'long', {}, async (engine, t0) => {
    const until = Date.now() + task.longMs * (0.5 + task.chance())
    // What was read before may be answered from memory: half of the time the first look comes after a vacuum.
    if (task.chance() < 0.5) {
      await engine.initViews()
      await belowHorizon(lake, engine.version, task)
      return readOnce(task, engine, 'long', t0)
    }
    while (Date.now() < until && !task.stopped.yes) {
      await readOnce(task, engine, 'long', t0)
      await pause(150 + task.chance() * 500)
    }
  })
}

/** Waits until a vacuum has given up a version, and some time to delete; not for ever. */
async function belowHorizon(lake, version, task) {
  const until = Date.now() + 30_000
  while (Date.now() < until && !task.stopped.yes) {
    await pause(200)
    const head = await lake.head().catch(() => undefined)
    if (head && head.horizon > version) return pause(500)
  }
  return undefined
}

/** Opens `analysis.duckdb` with a DuckDB that knows nothing of lakes, as any notebook would. */
export async function runFileReader(task) {
  const path = join(task.root, 'analysis.duckdb')
  while (!task.stopped.yes) {
    if (existsSync(path)) await readFile(task, path)
    await pause(100 + task.chance() * 300)
  }
}

async function readFile(task, path) {
  const t0 = Date.now()
  let validUntil = Infinity
  let instance
  try {
    instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY', threads: '1' })
    const connection = await instance.connect()
    const lake = await one(
      connection,
      'SELECT version, txn_id, epoch_ms(valid_until) AS until FROM meta.lake',
    )
    validUntil = Number(lake.until)
    const fp = await one(connection, FINGERPRINT_SQL)
    task.log({ e: 'read', kind: 'file', t0, v: Number(lake.version), txnId: lake.txn_id, fp })
    connection.closeSync()
  } catch (error) {
    // Clocks of the writers are wrong by up to `skewMs`, and so is the promise of the file.
    const excused = Date.now() > validUntil - task.skewMs * 2
    task.log({ e: excused ? 'stale-file' : 'read-error', kind: 'file', t0, message: error.message })
  } finally {
    instance?.closeSync()
  }
}

async function one(connection, sql) {
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowObjectsJS()[0]
}
