/** The public operations that `faults.mjs` lets fail, and the worlds they start from: a lake, and files beside it. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const rows = (batch, n) => Array.from({ length: n }, (_, k) => ({ k, v: batch }))
const lakeOf = (world) => join(world, 'lake')
const oldFileOf = (world) => join(world, 'old.duckdb')
const done = { kind: 'committed' }

/** Rows of a source that needs no network. */
const collectorOf = (batch) => ({
  source: 'made',
  tables: ['news'],
  dated: false,
  batches: () => [
    { kind: 'day', period: '2026-01-05', tables: ['news'], requests: 0 },
    { kind: 'day', period: '2026-01-06', tables: ['news'], requests: 0 },
  ],
  collect: ({ period }) =>
    Promise.resolve([
      { table: 'news', rows: [{ trade_date: period, v: batch }], fields: [], warnings: [] },
    ]),
})

/** What stands there before. Each is made once, in the place where it will be used. */
export const WORLDS = {
  empty: () => undefined,
  /** A history, of which a vacuum has something to take. */
  plain: async (api, world) => {
    await makeLake(api, world)
    const lake = await openQuiet(api, world)
    const { field, schemaOf } = api
    await lake.write('tables', async (tx) => {
      await tx.ensure({ name: 'events', schema: schemaOf([field('b', 'string')]) })
      await tx.ensure({
        name: 'facts',
        schema: schemaOf([field('k', 'integer'), field('v', 'string')]),
        key: ['k'],
      })
      await tx.ensure({
        name: 'news',
        schema: schemaOf([field('trade_date', 'date'), field('v', 'string')]),
        key: ['trade_date'],
      })
      await tx.upsert('facts', rows('a', 2))
    })
    for (let i = 0; i < 8; i++)
      await lake.write(`w${i}`, (tx) => tx.upsert('facts', [{ k: i % 3, v: `v${i}` }]))
    await lake.close()
    writeFileSync(
      join(world, 'more.csv'),
      `k,v\n${rows('csv', 40)
        .map(({ k, v }) => `${k},${v}`)
        .join('\n')}\n`,
    )
  },
  published: async (api, world) => {
    await WORLDS.plain(api, world)
    await onLake(api, world, (lake) => lake.publishViews())
  },
  /** Another engine wrote what cannot be kept, and a writer of ours died before its Delta commit. */
  frozen: async (api, world) => {
    await WORLDS.plain(api, world)
    const log = join(lakeOf(world), 'warehouse', 'facts', '_delta_log')
    const names = readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name))
    const next = `${String(names.length).padStart(20, '0')}.json`
    const { snapshot } = await onLake(api, world, async (lake) => ({
      snapshot: await api.loadSnapshot(api.localFiles, join(lake.root, 'warehouse', 'facts')),
    }))
    const metaData = { ...snapshot.metadata, partitionColumns: ['v'] }
    writeFileSync(join(log, next), `${JSON.stringify({ metaData })}\n`)
    writeFileSync(join(lakeOf(world), '_lake', '.left.tmp'), 'x')
    await onLake(api, world, (lake) => lake.write('w', (tx) => tx.append('events', [{ b: 'x' }])))
  },
  old: async (api, world) => {
    await makeLake(api, world)
    await makeOldFile(world)
  },
  dual: async (api, world) => {
    await WORLDS.old(api, world)
    await onLake(api, world, async (lake) => {
      await api.importDatabase(lake, oldFileOf(world))
      await api.beginDualWrite(lake)
      await api.verifyOldFile(lake)
    })
  },
  cut: async (api, world) => {
    await WORLDS.dual(api, world)
    await onLake(api, world, async (lake) => {
      await api.cutOverToLake(lake)
      await lake.write('later', (tx) => tx.upsert('bars', [{ symbol: '000009.SZ', n: 9 }]))
    })
  },
}

async function makeLake(api, world) {
  const effects = { now: Date.now, uuid: () => crypto.randomUUID(), random: Math.random }
  const root = lakeOf(world)
  await api.initLake({ files: api.localFiles, effects, root })
  writeFileSync(
    join(root, 'lake.toml'),
    '[retention]\nversions = "0 seconds"\nfiles = "0 seconds"\nstaged = "0 seconds"\n[limits]\nthreads = 1\n',
  )
}

async function makeOldFile(world) {
  const instance = await DuckDBInstance.create(oldFileOf(world))
  const connection = await instance.connect()
  await connection.run('CREATE TABLE bars (symbol VARCHAR PRIMARY KEY, n INTEGER)')
  await connection.run(
    "INSERT INTO bars SELECT lpad(i::VARCHAR, 6, '0') || '.SZ', i FROM range(9) t(i)",
  )
  await connection.run('CHECKPOINT')
  connection.closeSync()
  instance.closeSync()
}

function openQuiet(api, world, options = {}) {
  return api.openLake(lakeOf(world), { maintenance: false, onWarning: () => undefined, ...options })
}

async function onLake(api, world, use, options = {}) {
  const lake = await openQuiet(api, world, options)
  try {
    return await use(lake)
  } finally {
    await lake.close()
  }
}

/** An operation on an open lake. */
const on = (world, run, options = {}) => ({
  world,
  run: (api, directory, batch) =>
    onLake(api, directory, (lake) => run(lake, batch, { api, directory }), options),
})

const withResult = async (work) => (await work, done)

/**
 * DuckDB itself ends the process when it can neither sync the write-ahead log of a database nor cut it. A file of
 * DuckDB's own that must be durable cannot do without one.
 */
const writingOldFile = (operation) => ({ ...operation, writesOldFile: true })

async function synced(lake, batch, { api }, options = {}) {
  const sources = [collectorOf(batch)]
  const { outcome, failed } = await api.sync(lake, { sources, tables: ['news'], ...options })
  if (outcome === 'failed') throw Object.assign(new Error(failed[0]?.message), { code: 'SYNC' })
  return { kind: outcome === 'unchanged' ? 'committed' : outcome }
}

/** By name: the world it needs, and what it does. The same must be possible again after any failure. */
export const OPERATIONS = {
  append: on('plain', (lake, batch) =>
    lake.write(batch, (tx) => tx.append('events', [{ b: batch }])),
  ),
  upsert: on('plain', (lake, batch) =>
    lake.write(batch, (tx) => tx.upsert('facts', rows(batch, 50))),
  ),
  multi: on('plain', (lake, batch) =>
    lake.write(batch, async (tx) => {
      await tx.append('events', [{ b: batch }])
      await tx.upsert('facts', rows(batch, 20))
    }),
  ),
  create: on('plain', (lake, batch, { api }) =>
    lake.write(batch, async (tx) => {
      await tx.ensure({ name: `t_${batch}`, schema: api.schemaOf([api.field('b', 'string')]) })
      await tx.append(`t_${batch}`, [{ b: batch }])
    }),
  ),
  columns: on('plain', (lake, batch, { api }) =>
    lake.write(batch, (tx) => tx.widen('facts', [api.field(`c_${batch}`, 'double')])),
  ),
  delete: on('plain', (lake) => lake.delete('facts', 'k < 10')),
  drop: on('plain', async (lake) => {
    const { tables } = await lake.head()
    return tables['facts'] ? lake.drop('facts') : done
  }),
  load: on('plain', async (lake, _batch, { api, directory }) => {
    const { outcome } = await api.loadFiles(lake, 'facts', [join(directory, 'more.csv')])
    return outcome
  }),
  sync: {
    ...on('plain', synced),
    // What came in although nobody knew it is not fetched again, so nothing would finish the Delta logs.
    again: (api, directory, batch) =>
      onLake(api, directory, (lake) => synced(lake, batch, { api }, { restart: true })),
  },
  optimize: on('plain', (lake) => withResult(lake.optimize())),
  vacuum: on('plain', (lake) => withResult(lake.vacuum({ apply: true }))),
  maintained: on(
    'published',
    (lake, batch) => lake.write(batch, (tx) => tx.upsert('facts', rows(batch, 5))),
    { maintenance: true },
  ),
  restore: on('plain', (lake) => lake.restore(2, ['facts'])),
  tag: on('plain', (lake, batch) => lake.tag(`T${batch}`)),
  views: on('published', (lake) => withResult(lake.publishViews())),
  backup: on('plain', (lake, batch, { directory }) =>
    withResult(lake.backup(join(directory, `backup-${batch}`))),
  ),
  export: on('plain', (lake, batch, { api, directory }) =>
    withResult(api.exportDatabase(lake, join(directory, `${batch}.duckdb`))),
  ),
  query: on('plain', async (lake) => {
    const engine = await lake.analysis()
    try {
      const [{ n }] = await engine.query('SELECT count(*)::INTEGER AS n FROM facts')
      if (n !== 3) throw new Error(`${n} rows`)
      return done
    } finally {
      await engine.close()
    }
  }),
  doctor: on('frozen', async (lake) => {
    const { ok, problems } = await lake.doctor({ fix: true })
    return ok ? done : { kind: 'partial', problems }
  }),
  import: on('old', async (lake, _batch, { api, directory }) => {
    const { outcome } = await api.importDatabase(lake, oldFileOf(directory))
    return outcome
  }),
  dual: {
    world: 'dual',
    writesOldFile: true,
    run: async (api, world, batch) => {
      const writer = await api.DualWriter.open({ lake: lakeOf(world), threads: 1, waitMs: 2000 })
      try {
        const { lake } = await writer.write({ bars: [{ symbol: `${batch}.SZ`, n: 1 }] })
        return lake.kind === 'behind' ? { kind: 'partial' } : lake
      } finally {
        await writer.close()
      }
    },
  },
  cutover: writingOldFile(
    on('dual', (lake, _batch, { api }) => withResult(api.cutOverToLake(lake))),
  ),
  rollback: writingOldFile(
    on('cut', (lake, _batch, { api }) => withResult(api.rollBackToOldFile(lake))),
  ),
  init: {
    world: 'empty',
    run: async (api, world) => {
      const lake = await api.createLake(lakeOf(world), {
        maintenance: false,
        onWarning: () => undefined,
      })
      await lake.close()
      return done
    },
    settles: false,
    /** One that was made is not made again. */
    again: async (api, world) => {
      const options = { maintenance: false, onWarning: () => undefined }
      const lake = await api.createLake(lakeOf(world), options).catch((error) => {
        if (error.code !== 'LAKE_EXISTS') throw error
        return openQuiet(api, world)
      })
      const { trade_cal: calendar } = (await lake.head()).tables
      await lake.close()
      return calendar ? done : { kind: 'no tables' }
    },
  },
}

/** Makes a world in its place and keeps a copy. */
export async function makeWorld(api, name, place, copy) {
  mkdirSync(place)
  await WORLDS[name](api, place)
  renameSync(place, copy)
}

export function copyWorld(copy, place) {
  // Of a time that `cpSync` keeps the nanoseconds are lost, and by them an old file is known that was not touched.
  if (existsSync(oldFileOf(copy))) execFileSync('cp', ['-a', copy, place])
  else cpSync(copy, place, { recursive: true })
}
