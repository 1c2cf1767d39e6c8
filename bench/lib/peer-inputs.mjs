/** The data of `npm run bench:peers`: what every system loads, and the Parquet files that they then take in. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NEWEST, QUARTERS, reportsSql } from './data.mjs'
import { plainDuckDb, writeInputs } from './systems.mjs'

const newest = { fromQuarter: QUARTERS - 1, toQuarter: QUARTERS }
const PARTS = {
  'upsert 500 symbols, newest period': { from: 1000, to: 1500, ...newest },
  'upsert one row, newest period': { from: 77, to: 78, ...newest },
}
const UNCHANGED = 'newest period again, unchanged'

/** Files that a writer beside a reader goes round; the first is what is stored. */
const BESIDE_FILES = 8

/** Loads, and for each kind of write a file a round; those of one kind change the same rows. */
export async function peerInputs(directory, { small, rounds }) {
  const size = small ? { days: 20, fromQuarter: QUARTERS - 8 } : { days: 260 }
  const loads = await writeInputs(directory, size)
  mkdirSync(join(directory, 'writes'))
  const db = await plainDuckDb()
  const writes = {}
  const copy = async (sql, name) => {
    const path = join(directory, 'writes', `${name}.parquet`)
    await db.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`)
    return path
  }
  for (const [i, [kind, part]] of Object.entries(PARTS).entries()) {
    writes[kind] = { unchanged: false, files: [] }
    for (let round = 0; round < rounds; round++)
      writes[kind].files.push(
        await copy(reportsSql({ ...part, shift: round + 1 }), `${i}-${round}`),
      )
  }
  const beside = {}
  for (const [name, from] of Object.entries({ reader: 2000, first: 3000, second: 4000 })) {
    const part = { from, to: from + 200, ...newest }
    beside[name] = []
    for (let i = 0; i < BESIDE_FILES; i++)
      beside[name].push(await copy(reportsSql({ ...part, shift: i }), `${name}-${i}`))
  }
  const last = Object.values(writes).map(({ files }) => `FROM read_parquet('${files.at(-1)}')`)
  writes[UNCHANGED] = {
    unchanged: true,
    files: Array.from({ length: rounds }).fill(await copy(stateSql(loads.reports, last), 'state')),
  }
  db.close()
  return { loads, writes, beside }
}

/** The newest period as it is after all writes of the kinds before. */
function stateSql(reports, [first, second]) {
  return `WITH changed AS (${first} UNION ALL ${second})
    FROM read_parquet('${reports}') WHERE end_date = DATE '${NEWEST}'
      AND symbol NOT IN (SELECT symbol FROM changed) UNION ALL FROM changed ORDER BY symbol`
}
