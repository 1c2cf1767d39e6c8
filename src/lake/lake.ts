/** The facade: opens a lake and puts its parts together. Parts are imported when they are used, so a command starts fast. */
import { join, resolve } from 'node:path'
import type { AnalysisEngine, EngineOptions } from '../analysis/engine.ts'
import type { Freshness } from '../analysis/freshness.ts'
import type { PublishOptions, PublishedViews } from '../analysis/publish.ts'
import { seedCalendar } from '../model/calendar.ts'
import type { Effects } from '../model/effects.ts'
import { realEffects } from '../model/effects.ts'
import { LakeError } from '../model/errors.ts'
import { checkTagName } from '../model/name.ts'
import { findField } from '../model/schema.ts'
import { STANDARD_TABLES } from '../model/standard-tables.ts'
import type { Layout, TableDefinition } from '../model/table.ts'
import { localFiles } from '../storage/files/local.ts'
import { history, listTables } from '../storage/lake/catalog.ts'
import type { TableInfo } from '../storage/lake/catalog.ts'
import type { CommitOptions } from '../storage/lake/commit.ts'
import { duckdbData } from '../storage/lake/data.ts'
import type { DoctorReport } from '../storage/lake/doctor.ts'
import { takeLease } from '../storage/lake/lease.ts'
import type { Lease } from '../storage/lake/lease.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { openStore, refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import { recordAt } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { VacuumResult } from '../storage/lake/vacuum.ts'
import type { Problem } from '../storage/lake/verify-file.ts'
import type { Database } from '../storage/parquet/database.ts'
import type { BackupResult } from './backup.ts'
import type { TableDifference } from './compare.ts'
import { readConfig } from './config.ts'
import type { LakeConfig } from './config.ts'
import { lazyDatabase } from './lazy-database.ts'
import type { LazyDatabase } from './lazy-database.ts'
import type { MaintenanceContext, OptimizedTable } from './maintenance.ts'
import { Upkeep } from './upkeep.ts'

/** How a lake is opened. */
export interface OpenOptions {
  /** Refuse every write. */
  readonly readOnly?: boolean
  /** False: take no lease; then only age protects what is read. */
  readonly lease?: boolean
  /** False: no maintenance after commits, whatever lake.toml says. */
  readonly maintenance?: boolean
  /** How the standard tables of a new lake are laid out; by default as lake.toml says, else clustered. */
  readonly layout?: Layout
  readonly effects?: Effects
  /** The engine for writing, shared with the caller, who closes it. */
  readonly database?: Database
  /** Told what failed beside the work; by default a process warning. */
  readonly onWarning?: (message: string) => void
}

/** Makes a lake with the standard tables in an empty or absent directory. */
export async function createLake(directory: string, options: OpenOptions = {}): Promise<Lake> {
  const effects = options.effects ?? realEffects
  const root = resolve(directory)
  const config = await readConfig(localFiles, root)
  const { initLake, isUnfinished } = await import('../storage/lake/init.ts')
  const context = { files: localFiles, effects, root }
  if (!(await isUnfinished(context))) await initLake(context, { prefer: config.sources.prefer })
  const lake = await openLake(root, options)
  try {
    await makeStandardTables(lake, options.layout ?? config.tables.layout)
    return lake
  } catch (error) {
    await lake.close()
    throw error
  }
}

async function makeStandardTables(lake: Lake, layout: Layout): Promise<void> {
  const outcome = await lake.write(
    'standard tables',
    async (tx) => {
      for (const table of STANDARD_TABLES) await tx.ensure(laidOut(table, layout))
      const days = seedCalendar().map((day) => ({ ...day }))
      await tx.upsert('trade_cal', days)
    },
    { operation: 'CREATE' },
  )
  if (outcome.kind === 'committed') return
  throw new LakeError('WRITE_CONFLICT', `the standard tables were not made: ${outcome.reason}`, {
    details: { lake: lake.root, outcome: outcome.kind },
    next: 'See `marketlake tables`; without them make the lake again.',
  })
}

/** A layout by symbol is for tables that have one. */
function laidOut(table: TableDefinition, layout: Layout): TableDefinition {
  return findField(table.schema, 'symbol') ? { ...table, layout } : table
}

/** Opens the lake in a directory. Nothing is locked; other processes go on reading and writing. */
export async function openLake(directory: string, options: OpenOptions = {}): Promise<Lake> {
  const root = resolve(directory)
  const config = await readConfig(localFiles, root)
  const engine = lazyDatabase(config, options.database)
  const store = await openStore({
    root,
    files: localFiles,
    effects: options.effects ?? realEffects,
    data: duckdbData(engine.open),
    retention: config.retention,
  })
  const lease = options.lease === false ? undefined : await takeLease(store, store.head)
  const lake = new Lake(store, config, engine, options, lease)
  if (options.lease !== false && !lease) {
    lake.warn('no lease could be taken: what is read is kept by its age alone')
  }
  return lake
}

async function commit(
  store: Store,
  engine: LazyDatabase,
  callback: (tx: Transaction) => Promise<void>,
  options: CommitOptions,
): Promise<LakeOutcome> {
  const { commitLake } = await import('../storage/lake/commit.ts')
  return commitLake(store, engine.open, callback, options)
}

/** An open lake. It must be closed. */
export class Lake {
  readonly config: LakeConfig
  readonly #store: Store
  readonly #engine: LazyDatabase
  readonly #options: OpenOptions
  readonly #lease: Lease | undefined
  readonly #context: MaintenanceContext
  readonly #upkeep: Upkeep
  #publishedVersion: number | undefined

  constructor(
    store: Store,
    config: LakeConfig,
    engine: LazyDatabase,
    options: OpenOptions,
    lease: Lease | undefined,
  ) {
    this.#store = store
    this.config = config
    this.#engine = engine
    this.#options = options
    this.#lease = lease
    this.#context = {
      store,
      database: engine.open,
      write: (note, callback, how) => commit(store, engine, callback, { ...how, note }),
    }
    store.hooks.push(async (record) => {
      const { writeDueCheckpoints } = await import('./maintenance.ts')
      await writeDueCheckpoints(this.#context, record)
    })
    this.#upkeep = new Upkeep({
      context: this.#context,
      maxSeconds: config.maintenance.maxSeconds,
      publishViews: () => this.#publishViewsIfThere(),
      followViews: () => this.#followViews(),
      warn: (message) => this.warn(message),
    })
    if (options.maintenance ?? config.maintenance.auto)
      store.hooks.push(async (record) => this.#upkeep.schedule(record))
  }

  /** The lake's directory, an absolute path. */
  get root(): string {
    return this.#store.root
  }

  /** The identity of the lake, a UUID. */
  get lakeId(): string {
    return this.#store.lakeId
  }

  /** False where no lease could be taken: then only age protects what is read. */
  get leased(): boolean {
    return this.#lease !== undefined
  }

  /** The store under this lake, for the other parts of the package. */
  get store(): Store {
    return this.#store
  }

  /** The engine for writing, started at first use. */
  database(): Promise<Database> {
    return this.#engine.open()
  }

  /**
   * Runs a callback and publishes what it staged, for all tables at once. The callback may run again when
   * other commits came first, so it must be free of side effects. Errors mean that nothing is visible.
   */
  write(
    note: string,
    callback: (tx: Transaction) => Promise<void>,
    options: Omit<CommitOptions, 'note'> = {},
  ): Promise<LakeOutcome> {
    if (this.#options.readOnly) {
      throw new LakeError('INVALID_ARGUMENT', 'the lake was opened for reading only', {
        next: 'Open it without readOnly to write.',
      })
    }
    return commit(this.#store, this.#engine, callback, { ...options, note })
  }

  /** The newest lake version; it is protected from vacuum from now on. */
  async head(): Promise<LakeRecord> {
    const head = await refreshHead(this.#store)
    await this.#lease?.move(head)
    return head
  }

  /** The record of a version, tag or time; by default the newest. */
  record(at?: VersionSpec): Promise<LakeRecord> {
    return at === undefined ? this.head() : recordAt(this.#store, at)
  }

  /** The tables at a version, by default the newest. */
  async tables(at?: VersionSpec): Promise<TableInfo[]> {
    return listTables(this.#store, await this.record(at))
  }

  /** Records, newest first. */
  history(options: Parameters<typeof history>[1] = {}): Promise<LakeRecord[]> {
    return history(this.#store, options)
  }

  /** How two versions differ, table by table. */
  async diff(before: VersionSpec, after: VersionSpec, table?: string): Promise<TableDifference[]> {
    const [then, now] = [await this.record(before), await this.record(after)]
    const { compareVersions } = await import('./compare.ts')
    return compareVersions(this.#store, await this.#engine.open(), then, now, table)
  }

  /** Names a version, by default the newest, so that it is kept; an existing tag of the name moves. */
  async tag(name: string, at?: VersionSpec): Promise<LakeOutcome> {
    checkTagName(name)
    const { version, txnId } = await this.record(at)
    return this.write(
      name,
      async (tx) => void (tx.change = { tags: { [name]: { version, txnId } } }),
      { operation: 'TAG' },
    )
  }

  /** Deletes a tag; its version may be vacuumed from now on. */
  async deleteTag(name: string): Promise<LakeOutcome> {
    const { tags } = await this.head()
    if (!tags[name]) {
      throw new LakeError('VERSION_NOT_FOUND', `the lake has no tag ${name}`, {
        details: { name, tags: Object.keys(tags) },
        next: 'See `marketlake tag` for its tags.',
      })
    }
    return this.write(name, async (tx) => void (tx.change = { tags: { [name]: undefined } }), {
      operation: 'DELETE TAG',
    })
  }

  /** Makes a new version in which tables hold what they held at an older one. */
  async restore(to: VersionSpec, tables?: readonly string[]): Promise<LakeOutcome> {
    const target = await this.record(to)
    return this.write(
      `version ${target.version}`,
      async (tx) => {
        const { stageRestore } = await import('../storage/lake/restore.ts')
        await stageRestore(this.#store, tx, target, tables)
      },
      { operation: 'RESTORE' },
    )
  }

  /** Takes a table out of the lake; older versions keep it. */
  drop(table: string): Promise<LakeOutcome> {
    return this.write(table, (tx) => tx.drop(table), { operation: 'DROP' })
  }

  /** Deletes the rows that satisfy a SQL condition. */
  delete(table: string, where: string): Promise<LakeOutcome> {
    return this.write(
      `${table} where ${where}`,
      async (tx) => {
        await tx.delete(table, where)
      },
      { operation: 'DELETE' },
    )
  }

  /** Folds small files, of one table or of all. */
  async optimize(table?: string): Promise<OptimizedTable[]> {
    const { tables } = await this.head()
    const names = table === undefined ? Object.keys(tables).toSorted() : [table]
    const { optimizeTable } = await import('./maintenance.ts')
    const done: OptimizedTable[] = []
    for (const name of names) done.push(await optimizeTable(this.#context, name, { all: true }))
    return done
  }

  /** Deletes what no kept version needs. Without `apply` it only counts. */
  async vacuum(
    options: { readonly apply?: boolean; readonly lite?: boolean } = {},
  ): Promise<VacuumResult> {
    const { apply = false, lite = false } = options
    const { vacuumLake } = await import('../storage/lake/vacuum.ts')
    return vacuumLake(this.#store, { apply, lite, publishViews: () => this.#publishViewsIfThere() })
  }

  /** Holds the logs against the files; `deep` reads every byte. */
  async verify(options: { readonly deep?: boolean } = {}): Promise<Problem[]> {
    const { deep = false } = options
    const { verifyLake } = await import('../storage/lake/verify.ts')
    const head = await this.head()
    if (!deep) return verifyLake(this.#store, head, { deep })
    const database = await this.#engine.open()
    return database.using((session) => verifyLake(this.#store, head, { deep, session }))
  }

  /** Finds what is wrong, every byte held against its hash; `fix` mends what can be mended. */
  async doctor(options: { readonly fix?: boolean } = {}): Promise<DoctorReport> {
    const { examineLake } = await import('../storage/lake/doctor.ts')
    return examineLake(this.#store, { deep: true, fix: options.fix ?? false })
  }

  /** A consistent copy in another directory, made while others write. */
  async backup(directory: string): Promise<BackupResult> {
    const { backupLake } = await import('./backup.ts')
    return backupLake(this.#store, directory)
  }

  /** An engine for queries, over the newest version, one version (`at`), or whatever is newest (`follow`). */
  async analysis(options: EngineOptions = {}): Promise<AnalysisEngine> {
    const { memory: memoryLimit, threads } = this.config.limits
    const lease = options.lease ?? this.#options.lease ?? true
    const { openEngine } = await import('../analysis/engine.ts')
    return openEngine(this.#store, { memoryLimit, threads, ...options, lease })
  }

  /** Publishes `analysis.duckdb` at the head; from then on it follows the lake. */
  async publishViews(options: PublishOptions = {}): Promise<PublishedViews> {
    const { publishViews } = await import('../analysis/publish.ts')
    const published = await publishViews(this.#store, options)
    this.#publishedVersion = published.version
    return published
  }

  /** When each table was last checked and last changed. */
  async freshness(): Promise<Freshness[]> {
    const { freshnessOf } = await import('../analysis/freshness.ts')
    const { readJournals } = await import('../storage/lake/journal.ts')
    const [records, runs] = [await this.history(), await readJournals(this.#store)]
    return freshnessOf(records, runs, Object.keys(this.#store.head.tables))
  }

  /** Tells a warning to whoever listens. */
  warn(message: string): void {
    if (this.#options.onWarning) this.#options.onWarning(message)
    else process.emitWarning(message, 'MarketlakeWarning')
  }

  /** Waits for maintenance that is under way; views that were published then show the newest version. */
  idle(): Promise<void> {
    return this.#upkeep.idle()
  }

  /** Waits for what runs and lets go of everything. */
  async close(): Promise<void> {
    await this.#store.tail
    await this.#upkeep.close()
    await this.#lease?.close()
    await this.#engine.close()
  }

  /** Views of readers without a lease must not name files that are about to go. */
  async #publishViewsIfThere(): Promise<void> {
    if (await this.#viewsAreThere()) await this.publishViews({ keepRoot: true })
  }

  async #viewsAreThere(): Promise<boolean> {
    const { VIEWS_FILE } = await import('../analysis/publish.ts')
    return (await this.#store.files.stat(join(this.#store.root, VIEWS_FILE))) !== undefined
  }

  /** One publication, unless the views show the newest version already; false if the lake has moved meanwhile. */
  async #followViews(): Promise<boolean> {
    if ((await refreshHead(this.#store)).version === this.#publishedVersion) return true
    if (!(await this.#viewsAreThere())) return true
    const { version } = await this.publishViews({ keepRoot: true, attemptsMax: 1 })
    return (await refreshHead(this.#store)).version === version
  }
}
