/** What the demo is compared with: one locked `.duckdb` file, and files replaced in place. */
import { join } from 'node:path'
import { realEffects } from '../../model/effects.ts'
import { localFiles } from '../../storage/files/local.ts'
import { Database } from '../../storage/parquet/database.ts'
import type { Session } from '../../storage/parquet/database.ts'
import { literal } from '../../storage/parquet/sql.ts'

const SYMBOLS = 400
const PERIODS = 12

/** Writes reports into one `.duckdb` file, which stays open for writing as a sync keeps it. */
export async function writeMonolith(
  path: string,
  stopped: () => boolean,
  committed: (rows: number) => void,
): Promise<void> {
  const database = await Database.open({ threads: 1 })
  try {
    await database.using(async (session) => {
      await session.run(`ATTACH ${literal(path)} AS db`)
      await session.run(
        'CREATE TABLE IF NOT EXISTS db.reports (symbol VARCHAR, end_date DATE, roe DOUBLE)',
      )
      while (!stopped()) {
        await session.run(`INSERT INTO db.reports SELECT * FROM (${reportsSql(0, SYMBOLS)})`)
        committed(SYMBOLS * PERIODS)
        await realEffects.sleep(200)
      }
    })
  } finally {
    await database.close()
  }
}

function reportsSql(from: number, to: number): string {
  return `SELECT printf('%06d', s) AS symbol, CAST(DATE '2023-03-31' + to_months(CAST(3 * q AS INTEGER)) AS DATE) AS end_date,
            random() * 20 AS roe FROM range(${from}, ${to}) a(s), range(${PERIODS}) b(q)`
}

/** Makes the folder of the recipe: one file a stock. */
export async function prepareFiles(folder: string): Promise<void> {
  await localFiles.makeDirectory(folder)
  await withSession(async (session) => {
    for (let symbol = 0; symbol < SYMBOLS; symbol++)
      await writeSymbol(session, folder, symbol, false)
  })
}

/** Replaces one file after the other: written beside its place, renamed over it. */
export async function replaceForever(
  folder: string,
  stopped: () => boolean,
  committed: (rows: number) => void,
): Promise<void> {
  await withSession(async (session) => {
    for (let symbol = 0; !stopped(); symbol = (symbol + 1) % SYMBOLS) {
      await writeSymbol(session, folder, symbol, true)
      committed(PERIODS)
    }
  })
}

async function writeSymbol(
  session: Session,
  folder: string,
  symbol: number,
  hidden: boolean,
): Promise<void> {
  const name = `symbol=${String(symbol).padStart(6, '0')}.parquet`
  // The recipe's own temporary name, which its own glob matches.
  const temporary = join(folder, `${hidden ? '.tmp_' : ''}${name}`)
  await session.run(
    `COPY (${reportsSql(symbol, symbol + 1)}) TO ${literal(temporary)} (FORMAT parquet)`,
  )
  if (hidden) await localFiles.rename(temporary, join(folder, name))
}

async function withSession(use: (session: Session) => Promise<void>): Promise<void> {
  const database = await Database.open({ threads: 1 })
  try {
    await database.using(use)
  } finally {
    await database.close()
  }
}
