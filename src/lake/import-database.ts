/** `migrate import`: the tables of an old `.duckdb` file become tables of the lake, all in one commit. */
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ImportChoices, ImportPlan, PlannedTable } from '../migration/import-plan.ts'
import { importSql, planImport } from '../migration/import-plan.ts'
import { copyOldFile } from '../migration/copy.ts'
import { checkOldFile } from '../migration/old-file-header.ts'
import { OLD, attachOldFile, oldTable, withOldFile } from '../migration/old-file.ts'
import { gatherSql, stockTables } from '../migration/one-a-stock.ts'
import type { StockTables } from '../migration/one-a-stock.ts'
import { pendingBatches } from '../migration/outbox.ts'
import { datasetSql, lookThrough } from '../migration/parquet-folder.ts'
import { prepareSymbols } from '../migration/sides.ts'
import { LakeError } from '../model/errors.ts'
import { schemaOf } from '../model/schema.ts'
import { standardTable } from '../model/standard-tables.ts'
import { beginMigration, migrationOf } from '../storage/lake/migration-state.ts'
import type { MigratedTable } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { Session } from '../storage/parquet/database.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { Lake } from './lake.ts'

/** How a file is imported. */
export interface ImportOptions extends ImportChoices {
  /** Only look: nothing is written. */
  readonly dryRun?: boolean
  /** Read a copy, made while nobody writes the file. */
  readonly copy?: boolean
  /** How long to wait for whoever holds the file. */
  readonly waitMs?: number
  readonly onTable?: (table: PlannedTable) => void
}

/** What an import did. */
export interface ImportResult {
  readonly plan: ImportPlan
  /** Undefined for a dry run. */
  readonly outcome: LakeOutcome | undefined
}

const TIMEOUT_MS = 6 * 3_600_000

/**
 * Imports a file. All tables become visible at once, with the note of where they came from, so an import that is
 * killed leaves nothing and is simply run again; run again after its end it brings the lake's tables to what the
 * file holds now. Rows that cannot be taken are reported, all of them, before anything is written.
 */
export async function importDatabase(
  lake: Lake,
  path: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const old = resolve(path)
  if (await isExport(lake, old)) return importExport(lake, old, options)
  await checkOldFile(lake.store.files, old)
  refuseLate(lake, migrationOf(await lake.head())?.phase, old)
  const database = await lake.database()
  return database.using(async (session) => {
    const { waitMs = 0 } = options
    const copy = options.copy ? await copyOldFile(lake.store, session, old, { waitMs }) : undefined
    try {
      const from = copy?.path ?? old
      const run = (how: ImportOptions): ReturnType<typeof importTables> =>
        withOldFile(session, from, { waitMs }, () => importTables(lake, session, how, old))
      const stocks = options.tables
        ? []
        : await withOldFile(session, from, { waitMs }, () => stockTables(session, OLD))
      if (stocks.length > 0) {
        const looked = { ...options, dryRun: true }
        const [first] = await run(looked)
        const whole = await importStocks(lake, from, looked, stocks, first)
        if (options.dryRun) return whole
        // They come in two commits: what stands in the way of the second keeps the first out as well.
        refuseProblems(whole.plan)
      }
      const [done] = await run(options)
      return stocks.length === 0 ? done : await importStocks(lake, from, options, stocks, done)
    } finally {
      await copy?.remove()
    }
  })
}

/** The tables apart from those that hold a stock each, which are told and come after them. */
async function importTables(
  lake: Lake,
  session: Session,
  options: ImportOptions,
  old: string,
): Promise<readonly [ImportResult, readonly StockTables[]]> {
  const stocks = options.tables ? [] : await stockTables(session, OLD)
  if (stocks.length === 0) return [await importAttached(lake, session, options, old), stocks]
  const members = new Set(stocks.flatMap((group) => group.members.map(({ table }) => table)))
  const { map, keys } = options
  const apart = { ...options, map: without(map, stocks), keys: without(keys, stocks) }
  const others = await otherTables(session, members)
  const result = await importAttached(lake, session, { ...apart, tables: others }, old)
  return [result, stocks]
}

/** What is said of gathered tables is not said of the file's. */
function without<T>(
  record: Readonly<Record<string, T>> | undefined,
  stocks: readonly StockTables[],
): Readonly<Record<string, T>> {
  const names = new Set(stocks.map(({ name }) => name))
  return Object.fromEntries(Object.entries(record ?? {}).filter(([name]) => !names.has(name)))
}

function only<T>(
  record: Readonly<Record<string, T>> | undefined,
  stocks: readonly StockTables[],
): Readonly<Record<string, T>> {
  const names = new Set(stocks.map(({ name }) => name))
  return Object.fromEntries(Object.entries(record ?? {}).filter(([name]) => names.has(name)))
}

async function otherTables(session: Session, members: ReadonlySet<string>): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `SELECT table_name AS name FROM duckdb_tables() WHERE database_name = '${OLD}' AND schema_name = 'main'`,
  )
  return rows.map(({ name }) => name).filter((name) => !members.has(name))
}

const SOURCE = 'stock_file'

/**
 * Tables of one stock each become one table, in a commit of their own. They are not noted as migrated: a comparison
 * goes table by table, and none of the old ones is the new one.
 */
async function importStocks(
  lake: Lake,
  from: string,
  options: ImportOptions,
  stocks: readonly StockTables[],
  first: ImportResult,
): Promise<ImportResult> {
  const told = stocks.map(
    ({ name, members }) =>
      `${members.length} tables of one stock each -> ${name} (not part of verify and dual writing)`,
  )
  const { map, keys } = options
  const second = await withStaging(lake, async (session) => {
    const detach = await attachOldFile(session, from, { alias: SOURCE })
    try {
      for (const group of stocks)
        for (const statement of gatherSql(group, SOURCE, OLD)) await session.run(statement)
    } finally {
      await detach()
    }
    return importAttached(lake, session, {
      ...options,
      map: only(map, stocks),
      keys: only(keys, stocks),
    })
  })
  return {
    plan: {
      tables: [...first.plan.tables, ...second.plan.tables],
      left: [...first.plan.left, ...told],
    },
    outcome: second.outcome ?? first.outcome,
  }
}

/** `old` is the file that the lake notes; without one there is nothing to come back to. */
async function importAttached(
  lake: Lake,
  session: Session,
  options: ImportOptions,
  old?: string,
): Promise<ImportResult> {
  await prepareSymbols(session)
  const plan = await planImport(session, options)
  if (options.dryRun) return { plan, outcome: undefined }
  refuseProblems(plan)
  const before = await mappedBefore(lake)
  // What waits in the file's outbox is in its tables, so it comes with them and not again.
  const waiting = await pendingBatches(session, migrationOf(await lake.head())?.batch)
  const last = waiting.at(-1)
  const batch = last && { outbox: last.outbox, seq: last.seq }
  const outcome = await lake.write(
    old ?? 'adopted',
    async (tx) => {
      await prepareSymbols(tx.session)
      for (const table of plan.tables) {
        await copyTable(tx, table, before)
        options.onTable?.(table)
      }
      if (old === undefined) return
      tx.change = {
        settings: (head) =>
          beginMigration(head.settings, {
            old,
            tables: plan.tables.map(noted),
            ...(batch && { batch }),
          }),
      }
    },
    { operation: old === undefined ? 'MIGRATE ADOPT' : 'MIGRATE IMPORT', timeoutMs: TIMEOUT_MS },
  )
  return { plan, outcome }
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

/** What an adoption did. */
export interface AdoptResult extends ImportResult {
  /** Files that were left out. */
  readonly files: readonly string[]
}

/**
 * Makes tables of a folder of Parquet files, one a stock, as the request's recipe writes it; all in one commit. The
 * files are read and stay as they are.
 */
export async function adoptFolder(
  lake: Lake,
  directory: string,
  options: ImportOptions = {},
): Promise<AdoptResult> {
  const path = resolve(directory)
  const { datasets, left } = await lookThrough(lake.store.files, path)
  if (datasets.length === 0) {
    throw new LakeError('INVALID_ARGUMENT', `there are no Parquet files below ${path}`, {
      details: { path },
      next: 'Name the folder that holds the tables.',
    })
  }
  return withStaging(lake, async (session) => {
    for (const dataset of datasets)
      await session.run(
        `CREATE TABLE ${oldTable(dataset.name)} AS ${await datasetSql(session, dataset)}`,
      )
    return { ...(await importAttached(lake, session, options)), files: left }
  })
}

/** A database of its own, on disk because it may be large, in place of an old file. */
async function withStaging<T>(lake: Lake, use: (session: Session) => Promise<T>): Promise<T> {
  const database = await lake.database()
  const path = join(tmpdir(), `marketlake-${lake.store.effects.uuid()}.duckdb`)
  return database.using(async (session) => {
    try {
      await session.run(`ATTACH ${literal(path)} AS ${OLD}`)
      try {
        return await use(session)
      } finally {
        await session.run(`DETACH ${OLD}`)
      }
    } finally {
      await lake.store.files.remove(path).catch(() => false)
      await lake.store.files.remove(`${path}.wal`).catch(() => false)
    }
  })
}

/** Tables of the lake that an earlier import or adoption made: they may be replaced. */
async function mappedBefore(lake: Lake): Promise<ReadonlySet<string>> {
  const noted = migrationOf(await lake.head())?.tables.map(({ table }) => table) ?? []
  const records = await lake.history({ limit: HISTORY_MAX })
  const adopted = records.filter(({ operation }) => operation === 'MIGRATE ADOPT')
  return new Set([...noted, ...adopted.flatMap(({ tables }) => Object.keys(tables))])
}

const HISTORY_MAX = 10_000

async function copyTable(
  tx: Transaction,
  planned: PlannedTable,
  before: ReadonlySet<string>,
): Promise<void> {
  const { table, key, fields } = planned
  const sql = importSql(planned)
  if (standardTable(table)) {
    await tx.ensureStandard(table)
    const { current } = await tx.work(table)
    const known = new Set(current.schema.fields.map((f) => f.name.toLowerCase()))
    const added = fields.filter((f) => !known.has(f.name.toLowerCase()))
    if (added.length > 0) await tx.widen(table, added)
    await tx.upsert(table, { sql })
    return
  }
  const made = await tx.ensure({ name: table, schema: schemaOf(fields), key })
  if (made === 'created') {
    if (planned.rows > 0) await tx.append(table, { sql })
  } else if (before.has(table)) await tx.replace(table, { sql })
  else throw exists(planned)
}

function noted({ old, table, key, columns, source, onDuplicate }: PlannedTable): MigratedTable {
  return {
    old,
    table,
    key,
    columns,
    ...(source !== undefined && { source }),
    ...(onDuplicate && { onDuplicate }),
  }
}

function refuseLate(lake: Lake, phase: string | undefined, old: string): void {
  if (phase === undefined || phase === 'imported') return
  throw new LakeError(
    'INVALID_ARGUMENT',
    `the lake is in phase ${phase}: an import of ${old} would undo what came since`,
    {
      details: { phase, old, lake: lake.root },
      next:
        phase === 'cut-over'
          ? 'Run `marketlake migrate rollback` first.'
          : 'Run `marketlake migrate dual-write --stop` first.',
    },
  )
}

function refuseProblems({ tables }: ImportPlan): void {
  const problems = tables.flatMap(({ old, problems: found }) =>
    found.map((problem) => ({ table: old, ...problem })),
  )
  const [first] = problems
  if (!first) return
  const lines = problems.map(
    ({ table, message, rows, examples }) =>
      `${table}: ${message}${rows > 0 ? ` in ${String(rows)} rows` : ''}${examples.length > 0 ? `, for example ${examples.join('; ')}` : ''}`,
  )
  const code = {
    'null-key': 'NULL_KEY',
    'duplicate-key': 'DUPLICATE_KEY',
    type: 'UNSUPPORTED_TYPE',
    symbol: 'TYPE_MISMATCH',
  } as const
  throw new LakeError(code[first.kind], `nothing was imported: ${lines.join('\n  ')}`, {
    details: { problems },
    next: first.kind.endsWith('-key')
      ? `Take the last of equal keys (--on-duplicate last), name another key (--key ${first.table}=a,b), or none (--key ${first.table}=).`
      : 'Mend the values in the old file, or leave the table out with --tables.',
  })
}

function exists({ table, old }: PlannedTable): LakeError {
  return new LakeError(
    'TABLE_EXISTS',
    `the lake already has a table ${table}, which no import made`,
    {
      details: { table, old },
      next: `Give it another name: --map ${old}=NAME.`,
    },
  )
}
