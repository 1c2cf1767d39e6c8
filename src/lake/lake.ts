/** The facade: opens a lake and puts its parts together. */
import { resolve } from 'node:path'
import { seedCalendar } from '../model/calendar.ts'
import type { Effects } from '../model/effects.ts'
import { realEffects } from '../model/effects.ts'
import { LakeError } from '../model/errors.ts'
import { STANDARD_TABLES } from '../model/standard-tables.ts'
import { writeCheckpoint } from '../storage/delta/checkpoint-write.ts'
import { localFiles } from '../storage/files/local.ts'
import { history, listTables } from '../storage/lake/catalog.ts'
import type { TableInfo } from '../storage/lake/catalog.ts'
import { commitLake } from '../storage/lake/commit.ts'
import type { CommitOptions } from '../storage/lake/commit.ts'
import { duckdbData } from '../storage/lake/data.ts'
import { initLake } from '../storage/lake/init.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { openStore, refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import { CHECKPOINT_INTERVAL } from '../storage/lake/tables.ts'
import { recordAt } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import { tableView } from '../storage/lake/view.ts'
import { Database } from '../storage/parquet/database.ts'
import { readConfig } from './config.ts'
import type { LakeConfig } from './config.ts'

/** How a lake is opened. */
export interface OpenOptions {
  /** Refuse every write. */
  readonly readOnly?: boolean
  readonly effects?: Effects
}

/** Makes a lake with the standard tables in an empty or absent directory. */
export async function createLake(directory: string, options: OpenOptions = {}): Promise<Lake> {
  const effects = options.effects ?? realEffects
  const root = resolve(directory)
  const config = await readConfig(localFiles, root)
  await initLake({ files: localFiles, effects, root }, { prefer: config.sources.prefer })
  const lake = await openLake(root, options)
  await lake.write(
    'standard tables',
    async (tx) => {
      for (const table of STANDARD_TABLES) await tx.ensure(table)
      await tx.upsert(
        'trade_cal',
        seedCalendar().map((day) => ({ ...day })),
      )
    },
    { operation: 'CREATE' },
  )
  return lake
}

/** Opens the lake in a directory. Nothing is locked; other processes go on reading and writing. */
export async function openLake(directory: string, options: OpenOptions = {}): Promise<Lake> {
  const root = resolve(directory)
  const config = await readConfig(localFiles, root)
  const engine = lazyDatabase(config)
  const store = await openStore({
    root,
    files: localFiles,
    effects: options.effects ?? realEffects,
    data: duckdbData(engine.open),
    retention: config.retention,
  })
  return new Lake(store, config, engine, options)
}

interface LazyDatabase {
  readonly open: () => Promise<Database>
  readonly close: () => Promise<void>
}

/** The engine for writing starts at the first write. */
function lazyDatabase(config: LakeConfig): LazyDatabase {
  let database: Promise<Database> | undefined
  const { memory: memoryLimit, threads } = config.limits
  return {
    open: () => (database ??= Database.open({ memoryLimit, threads })),
    close: async () => (await database)?.close(),
  }
}

/** An open lake. It must be closed. */
export class Lake {
  readonly config: LakeConfig
  readonly #store: Store
  readonly #engine: LazyDatabase
  readonly #readOnly: boolean

  constructor(store: Store, config: LakeConfig, engine: LazyDatabase, options: OpenOptions) {
    this.#store = store
    this.config = config
    this.#engine = engine
    this.#readOnly = options.readOnly ?? false
    store.hooks.push((record) => this.#writeCheckpoints(record))
  }

  /** The lake's directory, an absolute path. */
  get root(): string {
    return this.#store.root
  }

  /** The identity of the lake, a UUID. */
  get lakeId(): string {
    return this.#store.lakeId
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
    this.#refuseReadOnly()
    return commitLake(this.#store, this.#engine.open, callback, { ...options, note })
  }

  /** The newest lake version. */
  async head(): Promise<LakeRecord> {
    return refreshHead(this.#store)
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

  /** Waits for what runs and lets go of everything. */
  async close(): Promise<void> {
    await this.#store.tail
    await this.#engine.close()
  }

  #refuseReadOnly(): void {
    if (!this.#readOnly) return
    throw new LakeError('INVALID_ARGUMENT', 'the lake was opened for reading only', {
      next: 'Open it without readOnly to write.',
    })
  }

  /** Keeps opening a table cheap: every so many commits its log gets a checkpoint. */
  async #writeCheckpoints(record: LakeRecord): Promise<void> {
    for (const { table, version } of record.commits) {
      if (version === 0 || version % CHECKPOINT_INTERVAL !== 0) continue
      const view = await tableView(this.#store, record, table)
      if (view.snapshot.version !== version) continue
      const { files, effects } = this.#store
      const { directory, snapshot } = view
      await (
        await this.database()
      ).using((session) => writeCheckpoint({ files, effects, session, directory }, snapshot))
    }
  }
}
