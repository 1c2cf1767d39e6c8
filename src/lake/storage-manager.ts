/** The one door that old code calls: its SQL runs over the native file before the cut-over and over the lake after it. */
import type { AnalysisEngine } from '../analysis/engine.ts'
import { attachOldFile } from '../migration/old-file.ts'
import { readSourceOf } from '../migration/switch.ts'
import { requireMigration } from '../migration/verify.ts'
import { messageOf } from '../model/errors.ts'
import { migrationOf } from '../storage/lake/migration-state.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import { Database } from '../storage/parquet/database.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import { identifier } from '../storage/parquet/sql.ts'
import type { Row } from '../storage/parquet/values.ts'
import type { Lake } from './lake.ts'
import { openLake } from './lake.ts'

/** How a manager is opened. */
export interface StorageManagerOptions {
  /** The directory of the lake. */
  readonly lake: string
  /** How long to wait for a writer of the old file; one minute by default. */
  readonly waitMs?: number
}

/** A connection to whichever source is read. It must be closed. */
export interface StorageConnection {
  readonly source: 'lake' | 'duckdb'
  /** All rows as objects. */
  query<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]>
  /** The whole result: columns with their types, and rows. */
  table(sql: string, parameters?: Parameters): Promise<ResultTable>
  /** Rows as they come. */
  stream(sql: string, parameters?: Parameters): AsyncGenerator<ResultTable, void, undefined>
  close(): Promise<void>
}

const WAIT_MS = 60_000
const OLD_ALIAS = 'old_database'

/** Connections of old code. It must be closed. A change of the read source counts from the next connection on. */
export class StorageManager {
  readonly #lake: Lake
  readonly #waitMs: number
  readonly #open = new Set<StorageConnection>()
  #engine: Promise<AnalysisEngine> | undefined
  #readSource: 'lake' | 'duckdb'

  private constructor(lake: Lake, readSource: 'lake' | 'duckdb', waitMs: number) {
    this.#lake = lake
    this.#readSource = readSource
    this.#waitMs = waitMs
  }

  /** Opens the door. */
  static async open(options: StorageManagerOptions): Promise<StorageManager> {
    const lake = await openLake(options.lake)
    const { source } = readSourceOf(await lake.head(), lake.config.read.source)
    return new StorageManager(lake, source, options.waitMs ?? WAIT_MS)
  }

  /** Where connections read: as of the newest `connection()` or `refresh()`. */
  get readSource(): 'lake' | 'duckdb' {
    return this.#readSource
  }

  /** Looks at the lake; the read source from now on. */
  async refresh(): Promise<'lake' | 'duckdb'> {
    const { source } = readSourceOf(await this.#lake.head(), this.#lake.config.read.source)
    this.#readSource = source
    return source
  }

  /** A connection to the present read source, on which the SQL of old code runs unchanged. */
  async connection(): Promise<StorageConnection> {
    const source = await this.refresh()
    const connection = source === 'lake' ? await this.#overLake() : await this.#overOldFile()
    this.#open.add(connection)
    return connection
  }

  /** Closes every connection and the lake. */
  async close(): Promise<void> {
    for (const connection of this.#open) await connection.close()
    await (await this.#engine?.catch(() => undefined))?.close()
    await this.#lake.close()
  }

  async #overLake(): Promise<StorageConnection> {
    this.#engine ??= this.#openEngine()
    const engine = await this.#engine.catch((error: unknown) => {
      this.#engine = undefined
      throw error
    })
    const connection: StorageConnection = {
      source: 'lake',
      query: (sql, parameters) => engine.query(sql, parameters),
      table: (sql, parameters) => engine.table(sql, parameters),
      stream: (sql, parameters) => engine.stream(sql, parameters),
      close: () => {
        this.#open.delete(connection)
        return Promise.resolve()
      },
    }
    return connection
  }

  /** Without the extension for it the SQLite file is left out, with a warning. */
  async #openEngine(): Promise<AnalysisEngine> {
    const sqlite = migrationOf(await this.#lake.head())?.sqlite
    const options = { follow: true, oldNames: true }
    if (sqlite === undefined) return this.#lake.analysis(options)
    try {
      return await this.#lake.analysis({ ...options, sqlite })
    } catch (error) {
      this.#lake.warn(`${sqlite} is not attached: ${messageOf(error)}`)
      return this.#lake.analysis(options)
    }
  }

  /** The file is open, for reading, as long as the connection. */
  async #overOldFile(): Promise<StorageConnection> {
    const { old } = requireMigration(await this.#lake.head())
    const { memory: memoryLimit, threads } = this.#lake.config.limits
    const database = await Database.open({ memoryLimit, threads })
    try {
      const control = await database.connect()
      const detach = await attachOldFile(control, old, { waitMs: this.#waitMs, alias: OLD_ALIAS })
      return this.#oldConnection(database, async () => {
        await detach()
        await database.close()
      })
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** A stream occupies its connection, so every statement has one of its own. */
  #oldConnection(database: Database, end: () => Promise<void>): StorageConnection {
    const use = `USE ${identifier(OLD_ALIAS)}`
    let ended: Promise<void> | undefined
    const connection: StorageConnection = {
      source: 'duckdb',
      query: (sql, parameters) =>
        database.using(async (session) => {
          await session.run(use)
          return session.rows(sql, parameters)
        }),
      table: (sql, parameters) =>
        database.using(async (session) => {
          await session.run(use)
          return session.table(sql, parameters)
        }),
      async *stream(sql, parameters) {
        const session = await database.connect()
        try {
          await session.run(use)
          yield* session.stream(sql, parameters)
        } finally {
          await session.close()
        }
      },
      close: () => {
        this.#open.delete(connection)
        ended ??= end()
        return ended
      },
    }
    return connection
  }
}
