/** What is measured at the limits: groups of operations, each group on a lake of its own. */
import { importOperations } from './limits-import.mjs'
import { filesOperations } from './limits-files.mjs'
import { open, must, queried } from './limits-lake.mjs'
import { barOperations, barsTitle, reportOperations, reportsTitle } from './limits-sync.mjs'

const COLUMNS = 12
const ROW_BYTES = (COLUMNS + 1) * 8
const rowsOf = ({ memory, times }) => Math.ceil((memory * times * 2 ** 20) / ROW_BYTES)
const columns = Array.from({ length: COLUMNS }, (_, i) => `random() * ${i + 1} AS c${i}`).join(', ')
const batch = (from, to, step = 1) =>
  `SELECT range AS k, ${columns} FROM range(${from}, ${to}, ${step})`
const wide = ({ field, schemaOf }) =>
  schemaOf([
    field('k', 'long'),
    ...Array.from({ length: COLUMNS }, (_, i) => field(`c${i}`, 'double')),
  ])

/** One table, larger than the memory limit. */
const large = {
  'load in 8 parts': ({ api, root, sizes }) =>
    open(api, root, async (lake) => {
      const part = Math.ceil(rowsOf(sizes) / 8)
      for (let i = 0; i < 8; i++)
        await must(
          lake.write(`part ${i}`, async (tx) => {
            await tx.ensure({ name: 'wide', schema: wide(api), key: ['k'] })
            await tx.append('wide', { sql: batch(i * part, (i + 1) * part) })
          }),
        )
    }),
  'upsert of every 200th key': ({ api, root, sizes }) =>
    open(api, root, (lake) =>
      must(lake.write('spread', (tx) => tx.upsert('wide', { sql: batch(0, rowsOf(sizes), 200) }))),
    ),
  'upsert of 100,000 new keys': ({ api, root, sizes }) =>
    open(api, root, (lake) => {
      const from = rowsOf(sizes)
      return must(
        lake.write('new', (tx) => tx.upsert('wide', { sql: batch(from, from + 100_000) })),
      )
    }),
  optimize: ({ api, root }) => open(api, root, (lake) => lake.optimize('wide').then(() => {})),
  'verify --deep': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.verify({ deep: true })).length} problems`),
  'sort and window over all rows': ({ api, root }) =>
    open(api, root, (lake) =>
      queried(
        lake,
        'SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY c1, k) AS r FROM wide)',
      ),
    ),
}

/** The same small table, changed again and again. */
const versions = {
  'commits of one row, one process': ({ api, root, sizes }) =>
    open(api, root, async (lake) => {
      const schema = api.schemaOf([api.field('k', 'long')])
      for (let i = 0; i < sizes.versions; i++)
        await must(
          lake.write(`v${i}`, async (tx) => {
            await tx.ensure({ name: 'small', schema })
            await tx.append('small', [{ k: i }])
          }),
        )
      return `${sizes.versions} commits`
    }),
  'open and count at the head': ({ api, root }) =>
    open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM small')),
  'open and count at version 10': ({ api, root }) =>
    open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM small', { at: 10 })),
  'open and count in the middle': ({ api, root, sizes }) =>
    open(api, root, (lake) =>
      queried(lake, 'SELECT count(*) AS n FROM small', { at: Math.floor(sizes.versions / 2) }),
    ),
  'open and count at a moment': ({ api, root, sizes }) =>
    open(api, root, async (lake) => {
      const { timestamp } = await lake.record(Math.floor(sizes.versions / 3))
      return queried(lake, 'SELECT count(*) AS n FROM small', { at: new Date(timestamp) })
    }),
  'one more commit': ({ api, root }) =>
    open(api, root, (lake) =>
      must(
        lake.write('more', async (tx) => {
          await tx.append('small', [{ k: -1 }])
        }),
      ),
    ),
  'history, the newest 20': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.history({ limit: 20 })).length} records`),
  'history, all': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.history()).length} records`),
  freshness: ({ api, root }) => open(api, root, (lake) => lake.freshness().then(() => undefined)),
  'restore to the middle': ({ api, root, sizes }) =>
    open(api, root, (lake) => must(lake.restore(Math.floor(sizes.versions / 2)))),
  doctor: ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.doctor()).problems.length} problems`),
  'optimize of all its files': ({ api, root }) => open(api, root, optimized('small')),
  vacuum: ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.vacuum({ apply: true })).files} files deleted`),
  'history after the vacuum, all': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.history()).length} records`),
}

const tableNames = ({ tables }) => Array.from({ length: tables }, (_, i) => `t${i}`)

/** Many tables, changed together. */
const tables = {
  'create them in one commit': ({ api, root, sizes }) =>
    open(api, root, (lake) =>
      must(
        lake.write('tables', async (tx) => {
          const schema = api.schemaOf([api.field('k', 'long'), api.field('v', 'double')])
          for (const name of tableNames(sizes)) await tx.ensure({ name, schema, key: ['k'] })
        }),
      ),
    ),
  'a row into each, one commit': ({ api, root, sizes }) =>
    open(api, root, (lake) => writeAll(lake, sizes, 0)),
  '19 such commits more, with a checkpoint of each': ({ api, root, sizes }) =>
    open(api, root, async (lake) => {
      for (let i = 1; i < 20; i++) await writeAll(lake, sizes, i)
    }),
  'open and list': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.tables()).length} tables`),
  'query over all': ({ api, root, sizes }) =>
    open(api, root, (lake) => queried(lake, sumOf(tableNames(sizes)))),
  'query of one': ({ api, root }) =>
    open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM t7')),
  'publish analysis.duckdb': ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.publishViews()).views} views`),
  'optimize of all': ({ api, root }) => open(api, root, optimized()),
  doctor: ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.doctor()).problems.length} problems`),
  vacuum: ({ api, root }) =>
    open(api, root, async (lake) => `${(await lake.vacuum({ apply: true })).files} files deleted`),
}

const sumOf = (names) =>
  `SELECT sum(n)::BIGINT AS n FROM (${names.map((name) => `SELECT count(*) AS n FROM ${name}`).join(' UNION ALL ')})`

function writeAll(lake, sizes, k) {
  return must(
    lake.write(`rows ${k}`, async (tx) => {
      for (const name of tableNames(sizes)) await tx.upsert(name, [{ k, v: k / 3 }])
    }),
  )
}

const optimized = (name) => async (lake) => {
  const done = await lake.optimize(name)
  const sum = (part) => done.reduce((total, table) => total + table[part], 0)
  return `${sum('filesBefore')} files to ${sum('filesAfter')}`
}

/** The groups, by name. */
export const GROUPS = {
  large: {
    title: (sizes) =>
      `${rowsOf(sizes)} rows × ${COLUMNS + 1} columns of 8 bytes = ${(rowsOf(sizes) * ROW_BYTES) >> 20} MB`,
    operations: large,
  },
  import: {
    title: (sizes) => `a .duckdb file of ${sizes.memory * sizes.times} MB as columns`,
    operations: importOperations({ rowsOf, batch }),
  },
  sync: { title: barsTitle, operations: barOperations },
  reports: { title: reportsTitle, operations: reportOperations },
  versions: { title: ({ versions: count }) => `${count} versions`, operations: versions },
  tables: { title: ({ tables: count }) => `${count} tables`, operations: tables },
  files: {
    title: ({ files: count }) => `a table of ${count} files`,
    operations: filesOperations(optimized),
  },
}
