/** Syncs into tables larger than the memory limit: bars of every day, and reports of many columns. */
import { must, open, queried } from './limits-lake.mjs'

const SYMBOLS = 5000
const DAY_MS = 86_400_000
const START_MS = Date.UTC(2000, 0, 1)
const BAR_COLUMNS = ['open', 'high', 'low', 'close', 'pre_close', 'volume', 'amount']
/** As many columns as full statements have; those of the table itself come besides. */
const MORE_COLUMNS = Array.from({ length: 80 }, (_, i) => `c${i}`)
const REPORT_BYTES = (21 + MORE_COLUMNS.length) * 8
const BAR_BYTES = 10 * 8
const PARTS = 8

const bytesOf = ({ memory, times }) => memory * times * 2 ** 20
const daysOf = (sizes) => Math.ceil(bytesOf(sizes) / BAR_BYTES / SYMBOLS)
const quartersOf = (sizes) => Math.ceil(bytesOf(sizes) / REPORT_BYTES / SYMBOLS)
const dayText = (day) => new Date(START_MS + day * DAY_MS).toISOString().slice(0, 10)
const quarterText = (quarter) =>
  new Date(Date.UTC(1990, 3 * (quarter + 1), 0)).toISOString().slice(0, 10)
const symbolOf = (i) => `${String(600_000 + i)}.SH`
const fieldsOf = ({ field }) => MORE_COLUMNS.map((name) => field(name, 'double'))

/** What is synced. */
export const barsTitle = (sizes) => `${daysOf(sizes) * SYMBOLS} bars × 10 columns`
export const reportsTitle = (sizes) =>
  `${quartersOf(sizes) * SYMBOLS} reports × ${21 + MORE_COLUMNS.length} columns`

/** The operations on bars. */
export const barOperations = {
  'load of the bars in 8 parts': ({ api, root, sizes }) =>
    open(api, root, (lake) => loadBars(lake, daysOf(sizes))),
  'sync of 5 new days': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, dayBatches(daysOf(sizes), 5, 1))),
  'the same again, nothing changed': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, dayBatches(daysOf(sizes), 5, 1))),
  'sync of a day in the middle, every bar corrected': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, dayBatches(daysOf(sizes) >> 1, 1, 2))),
  'sync of the whole series of 50 symbols': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, [seriesBatch(daysOf(sizes), 50)])),
  'count of the bars': ({ api, root }) =>
    open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM daily')),
}

/** The operations on reports. */
export const reportOperations = {
  'load of the reports, a quarter a commit': ({ api, root, sizes }) =>
    open(api, root, (lake) => loadReports(api, lake, quartersOf(sizes))),
  'sync of a new quarter': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, [quarterBatch(api, quartersOf(sizes), 1)])),
  'sync of a quarter in the middle, every report restated': ({ api, root, sizes }) =>
    open(api, root, (lake) => synced(api, lake, [quarterBatch(api, quartersOf(sizes) >> 1, 2)])),
  'count of the reports': ({ api, root }) =>
    open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM fin_income_statement_all')),
}

async function loadBars(lake, days) {
  const columns = BAR_COLUMNS.map((name, i) => `random() * ${i + 1} AS ${name}`).join(', ')
  for (let part = 0; part < PARTS; part++) {
    const [from, to] = [part, part + 1].map((p) => Math.floor((days * p) / PARTS))
    const sql = `SELECT (600000 + s.range)::VARCHAR || '.SH' AS symbol,
      DATE '2000-01-01' + d.range::INTEGER AS trade_date, ${columns}, 'made' AS source
      FROM range(${from}, ${to}) d, range(${SYMBOLS}) s`
    await must(lake.write(`bars ${part}`, (tx) => tx.append('daily', { sql }).then(() => {})))
  }
}

async function loadReports(api, lake, quarters) {
  const columns = MORE_COLUMNS.map((name, i) => `random() * ${i + 1} AS ${name}`).join(', ')
  await must(
    lake.write('wider', async (tx) => {
      await tx.ensureStandard('income')
      await tx.widen('income', fieldsOf(api))
    }),
  )
  for (let quarter = 0; quarter < quarters; quarter++) {
    const sql = `SELECT (600000 + s.range)::VARCHAR || '.SH' AS symbol,
      last_day(DATE '1990-01-01' + to_months(${3 * quarter + 2}))::DATE AS end_date, 'made' AS source,
      last_day(DATE '1990-01-01' + to_months(${3 * quarter + 3}))::DATE AS notice_date,
      random() AS total_revenue, ${columns} FROM range(${SYMBOLS}) s`
    await must(
      lake.write(`quarter ${quarter}`, (tx) => tx.upsert('income', { sql }).then(() => {})),
    )
  }
}

/** A sync of made batches, each with the rows that it collects. */
async function synced(api, lake, batches) {
  const [{ table }] = batches
  const collector = {
    source: 'made',
    tables: [table],
    dated: false,
    batches: () =>
      batches.map(({ kind, period }) => ({ kind, period, tables: [table], requests: 0 })),
    collect: ({ period }) => {
      const { rows, fields = [], seriesOf } = batches.find((one) => one.period === period)
      const collected = { table, rows: rows(), fields, warnings: [] }
      return Promise.resolve([seriesOf ? { ...collected, seriesOf } : collected])
    },
  }
  const result = await api.sync(lake, { sources: [collector], tables: [table], restart: true })
  if (!['committed', 'unchanged'].includes(result.outcome)) throw new Error(JSON.stringify(result))
  const { inserted, updated, unchanged } = result
  return `${inserted} new, ${updated} changed, ${unchanged} as before`
}

const barOf = (symbol, day, value) => ({
  symbol,
  trade_date: dayText(day),
  ...Object.fromEntries(BAR_COLUMNS.map((name, i) => [name, value + i])),
  source: 'made',
})

function dayBatches(first, count, value) {
  return Array.from({ length: count }, (_, i) => ({
    table: 'daily',
    kind: 'day',
    period: dayText(first + i),
    rows: () => Array.from({ length: SYMBOLS }, (_, s) => barOf(symbolOf(s), first + i, value)),
  }))
}

/** All bars of some symbols, each a little different: what is stored of them goes. */
function seriesBatch(days, count) {
  const symbols = Array.from({ length: count }, (_, i) => symbolOf(i * 100))
  return {
    table: 'daily',
    kind: 'symbols',
    period: `${dayText(days)} 1`,
    seriesOf: symbols,
    rows: () =>
      symbols.flatMap((symbol) => Array.from({ length: days }, (_, day) => barOf(symbol, day, 3))),
  }
}

function quarterBatch(api, quarter, value) {
  const [period, notice] = [quarterText(quarter), quarterText(quarter + 1)]
  return {
    table: 'income',
    kind: 'quarter',
    period,
    fields: fieldsOf(api),
    rows: () =>
      Array.from({ length: SYMBOLS }, (_, i) => ({
        symbol: symbolOf(i),
        end_date: period,
        source: 'made',
        notice_date: notice,
        total_revenue: value,
        ...Object.fromEntries(MORE_COLUMNS.map((name, c) => [name, value + c])),
      })),
  }
}
