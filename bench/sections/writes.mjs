/** Loads and upserts, syncs included, with bytes written, against the native table and one Parquet file. */
import { interleaved, observed, summaryOf } from '../lib/measure.mjs'
import { NEWEST, QUARTERS, measures, reportsSql } from '../lib/data.mjs'

/** Loads each system, those that can begin again `rounds` times in turn; `systems` give a fresh one for a round. */
export async function benchLoads(systems, rounds, say) {
  const runs = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, { once, make }] of Object.entries(systems)) {
      if (once && round > 0) continue
      say(`load: ${name}`)
      const { system, root, done } = await make(round)
      for (const what of ['reports', 'bars']) {
        const load = what === 'reports' ? system.loadReports : system.loadBars
        if (!load) continue
        runs[name] ??= {}
        runs[name][what] ??= []
        runs[name][what].push(await observed(load, root))
      }
      await done()
    }
  }
  const summed = Object.entries(runs).map(([name, loads]) => [
    name,
    Object.fromEntries(Object.entries(loads).map(([what, all]) => [what, summaryOf(all)])),
  ])
  return Object.fromEntries(summed)
}

const PARTS = {
  'upsert 500 symbols, newest period': {
    from: 1000,
    to: 1500,
    fromQuarter: QUARTERS - 1,
    toQuarter: QUARTERS,
  },
  'upsert one row, newest period': {
    from: 77,
    to: 78,
    fromQuarter: QUARTERS - 1,
    toQuarter: QUARTERS,
  },
  'upsert one row, old period': { from: 77, to: 78, fromQuarter: 5, toQuarter: 6 },
}

/** Upserts that change every measure, then the newest period again unchanged. */
export async function benchUpserts({ lake, native, rounds, say }) {
  const result = {}
  let shift = 1
  for (const [name, part] of Object.entries(PARTS)) {
    say(name)
    result[name] = await interleaved(
      {
        native: () => theirs(native, reportsSql({ ...part, shift: shift++ })),
        marketlake: () => ours(lake, reportsSql({ ...part, shift: shift++ })),
      },
      rounds,
      1,
      lake.lake.root,
    )
  }
  result['newest period again, unchanged'] = await unchanged({ lake, native, rounds, say })
  return result
}

async function ours(lake, sql) {
  const outcome = await lake.lake.write(
    'bench',
    async (tx) => void (await tx.upsert('reports', { sql })),
  )
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
  return outcome
}

const values = ['notice_date', 'kind', ...measures]

/** MERGE needs no index; the commit of a .duckdb file is durable. */
async function theirs(native, sql) {
  await native.db
    .run(`MERGE INTO reports r USING (${sql}) n ON r.symbol = n.symbol AND r.end_date = n.end_date
    WHEN MATCHED THEN UPDATE SET ${values.map((c) => `${c} = n.${c}`).join(', ')}
    WHEN NOT MATCHED THEN INSERT`)
}

/** The newest period comes again as it is stored: both sides find out that nothing changed. */
async function unchanged({ lake, native, rounds, say }) {
  say('newest period again, unchanged')
  const stored = `SELECT * FROM reports WHERE end_date = DATE '${NEWEST}'`
  const file = `${lake.lake.root}-newest.parquet`
  const engine = await lake.lake.analysis({})
  await engine.copyTo(stored, file)
  await engine.close()
  await native.db.run(`CREATE OR REPLACE TEMP TABLE newest AS ${stored}`)
  const { version } = await lake.lake.head()
  const differs = values.map((c) => `r.${c} IS DISTINCT FROM n.${c}`).join(' OR ')
  const times = await interleaved(
    {
      native: () =>
        native.db
          .run(`MERGE INTO reports r USING newest n ON r.symbol = n.symbol AND r.end_date = n.end_date
          WHEN MATCHED AND (${differs}) THEN UPDATE SET ${values.map((c) => `${c} = n.${c}`).join(', ')}
          WHEN NOT MATCHED THEN INSERT`),
      marketlake: () => ours(lake, `SELECT * FROM read_parquet('${file}')`),
    },
    rounds,
    1,
    lake.lake.root,
  )
  const newVersions = (await lake.lake.head()).version - version
  return { native: times.native, marketlake: { ...times.marketlake, newVersions } }
}

/** Commits without a row (metadata as it was: log work and syncs alone), and of one row in tiny tables. */
export async function benchCommits({ lake, rounds, say }) {
  say('commit overhead')
  const fields = ['id', 'n'].map((name) => ({ name, type: 'long', nullable: true, metadata: {} }))
  const names = ['tiny_a', 'tiny_b', 'tiny_c', 'tiny_d']
  await lake.lake.write('tiny tables', async (tx) => {
    for (const name of names) {
      await tx.ensure({ name, schema: { type: 'struct', fields }, key: ['id'] })
      await tx.upsert(name, [{ id: 0n, n: 0n }])
    }
  })
  let n = 1n
  const commit = (count) => async () => {
    n++
    const outcome = await lake.lake.write('tiny', async (tx) => {
      for (const name of names.slice(0, count)) await tx.upsert(name, [{ id: 0n, n }])
    })
    if (outcome.kind !== 'committed') throw new Error(outcome.kind)
  }
  const counts = { inserted: 0, updated: 0, deleted: 0, unchanged: 0 }
  const touch = (count) => async () => {
    const stage = async ({ snapshot }) => ({
      adds: [],
      removes: [],
      counts,
      metadata: snapshot.metadata,
    })
    const outcome = await lake.lake.write('touch', async (tx) => {
      for (const name of names.slice(0, count)) await tx.apply(name, { mode: 'metadata', stage })
    })
    if (outcome.kind !== 'committed' || !outcome.changed) throw new Error(outcome.kind)
  }
  const tag = async () => void (await lake.lake.tag('bench'))
  return interleaved(
    {
      'record only (tag)': tag,
      'one table, no row': touch(1),
      'four tables, no row': touch(4),
      'one table, one row': commit(1),
      'four tables, one row each': commit(4),
    },
    rounds,
    2,
    lake.lake.root,
  )
}
