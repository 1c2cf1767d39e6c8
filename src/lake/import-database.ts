/** `migrate import`: the tables of an old `.duckdb` file, or of an exported one, become tables of the lake. */
import { join, resolve } from 'node:path'
import { copyOldFile } from '../migration/copy.ts'
import { refuseTwice, tableNames } from '../migration/import-plan.ts'
import { checkOldFile } from '../migration/old-file-header.ts'
import { OLD, withOldFile } from '../migration/old-file.ts'
import { gatherSql, stockTables } from '../migration/one-a-stock.ts'
import type { StockTables } from '../migration/one-a-stock.ts'
import { migrationOf } from '../storage/lake/migration-state.ts'
import type { Session } from '../storage/parquet/database.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { ImportOptions, ImportResult } from './import-attached.ts'
import { importAttached, refuseBegun, refuseProblems } from './import-attached.ts'
import type { Lake } from './lake.ts'
import { attachedAs, withStaging, withStagingFile } from './staging.ts'

/**
 * Imports a file. Its tables become visible at once, with the note of where they came from, so an import that is
 * killed leaves nothing and is simply run again; run again after its end it brings the lake's tables to what the
 * file holds now. Tables of one stock each follow as one table in a second commit. Rows that cannot be taken are
 * reported, all of them, before anything is written.
 */
export async function importDatabase(
  lake: Lake,
  path: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const old = resolve(path)
  if (await isExport(lake, old)) return importExport(lake, old, options)
  await checkOldFile(lake.store.files, old)
  refuseBegun(migrationOf(await lake.head()), old)
  const database = await lake.database()
  return database.using(async (session) => {
    const { waitMs = 0 } = options
    const copy = options.copy ? await copyOldFile(lake.store, session, old, { waitMs }) : undefined
    try {
      return await importFile(lake, session, { old, from: copy?.path ?? old }, options)
    } finally {
      await copy?.remove()
    }
  })
}

/** A file and where it is read. */
interface Source {
  readonly old: string
  readonly from: string
}

async function importFile(
  lake: Lake,
  session: Session,
  { old, from }: Source,
  options: ImportOptions,
): Promise<ImportResult> {
  const { waitMs = 0 } = options
  const attached = <T>(use: () => Promise<T>): Promise<T> =>
    withOldFile(session, from, { waitMs }, use)
  const stocks = options.tables ? [] : await attached(() => stockTables(session, OLD))
  if (stocks.length === 0) return attached(() => importAttached(lake, session, options, old))
  return withStagingFile(lake, async (path) => {
    const others = await attached(() => gather(session, stocks, path))
    const [apart, together] = splitChoices(options, stocks)
    const both = async (dryRun: boolean): Promise<ImportResult> => {
      const one = { ...apart, tables: others, dryRun }
      const first = await attached(() => importAttached(lake, session, one, old))
      const second = await attachedAs(session, path, OLD, () =>
        importAttached(lake, session, { ...together, dryRun }),
      )
      return joined(first, second, stocks)
    }
    const looked = await both(true)
    refuseTwice(looked.plan.tables)
    if (options.dryRun) return looked
    // They come in two commits: what stands in the way of the second keeps the first out as well.
    refuseProblems(looked.plan)
    return both(false)
  })
}

const GATHERED = 'gathered'

/** Gathers tables of one stock each into a database of their own; the names of the others. */
async function gather(
  session: Session,
  stocks: readonly StockTables[],
  path: string,
): Promise<string[]> {
  await attachedAs(session, path, GATHERED, async () => {
    for (const group of stocks)
      for (const statement of gatherSql(group, OLD, GATHERED)) await session.run(statement)
  })
  const members = new Set(stocks.flatMap((group) => group.members.map(({ table }) => table)))
  return (await tableNames(session)).filter((name) => !members.has(name))
}

/** What is said of the file's own tables, and what of the gathered ones. */
function splitChoices(
  options: ImportOptions,
  stocks: readonly StockTables[],
): readonly [ImportOptions, ImportOptions] {
  const names = new Set(stocks.map(({ name }) => name))
  const pick = (gathered: boolean): ImportOptions => {
    const of = <T>(record: Readonly<Record<string, T>> = {}): Readonly<Record<string, T>> =>
      Object.fromEntries(Object.entries(record).filter(([name]) => names.has(name) === gathered))
    return { ...options, map: of(options.map), keys: of(options.keys) }
  }
  return [pick(false), pick(true)]
}

/** Gathered tables are not noted as migrated: a comparison goes table by table, and none of the old ones is the new one. */
function joined(
  first: ImportResult,
  second: ImportResult,
  stocks: readonly StockTables[],
): ImportResult {
  const told = stocks.map(
    ({ name, members }) =>
      `${members.length} tables of one stock each -> ${name} (not part of verify and dual writing)`,
  )
  return {
    plan: {
      tables: [...first.plan.tables, ...second.plan.tables],
      left: [...first.plan.left, ...told],
    },
    outcome: second.outcome ?? first.outcome,
  }
}

/** A folder that `EXPORT DATABASE` wrote. */
async function isExport(lake: Lake, path: string): Promise<boolean> {
  if ((await lake.store.files.stat(path))?.kind !== 'directory') return false
  const there = await Promise.all(
    ['schema.sql', 'load.sql'].map((name) => lake.store.files.stat(join(path, name))),
  )
  return there.every((stat) => stat?.kind === 'file')
}

async function importExport(
  lake: Lake,
  path: string,
  options: ImportOptions,
): Promise<ImportResult> {
  return withStaging(lake, async (session) => {
    await session.run(`USE ${OLD}; IMPORT DATABASE ${literal(path)}; USE memory`)
    return importAttached(lake, session, options)
  })
}
