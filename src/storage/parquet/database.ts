/** An in-memory DuckDB: the engine that reads and writes Parquet and answers SQL. */
import type {
  DuckDBConnection,
  DuckDBInstance,
  DuckDBMaterializedResult,
  DuckDBResult,
} from '@duckdb/node-api'
import { randomUUID } from 'node:crypto'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import { duckdb, sqlError } from './duckdb.ts'
import { bindParameters } from './bind.ts'
import type { Parameters } from './bind.ts'
import { identifier } from './sql.ts'
import { beginStream } from './whole-stream.ts'
import { appendRows, columnsOf } from './result-table.ts'
import type { ResultTable } from './result-table.ts'
import { rowObjects } from './values.ts'
import type { Row, Value } from './values.ts'

export type { ResultColumn, ResultTable } from './result-table.ts'

/** Bounds of an engine. */
export interface DatabaseOptions {
  /**
   * DuckDB's `memory_limit`, for example `1GB`. Larger work spills to the temporary directory; what an engine over a
   * lake keeps of files it has read makes room for it.
   */
  readonly memoryLimit?: string
  /** 0: cores minus one, at least 1. */
  readonly threads?: number
  /** Where large sorts and joins spill; made when needed, removed at close. */
  readonly temporaryDirectory?: string
}

/** For all connections. To keep metadata of Parquet files is safe only because files of a lake never change. */
const SETTINGS =
  "SET GLOBAL parquet_metadata_cache=true; SET GLOBAL TimeZone='UTC'; SET GLOBAL errors_as_json=true"

/** An in-memory DuckDB instance. It must be closed. */
export class Database {
  readonly #instance: DuckDBInstance
  readonly #sessions = new Set<Session>()
  readonly #threads: number
  /** Pieces of work that have all cores now, and pieces that share them out by statement. */
  #hurried = 0
  #apart = 0
  #threadsSet: Promise<unknown> = Promise.resolve()
  #open = true

  private constructor(instance: DuckDBInstance, threads: number) {
    this.#instance = instance
    this.#threads = threads
  }

  /** Starts an engine. Extensions are never fetched. */
  static async open(options: DatabaseOptions = {}): Promise<Database> {
    const { DuckDBInstance } = await duckdb()
    const threads = options.threads || Math.max(1, availableParallelism() - 1)
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(threads),
      memory_limit: options.memoryLimit ?? '1GB',
      temp_directory: options.temporaryDirectory ?? join(tmpdir(), `marketlake-${randomUUID()}`),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    })
    const database = new Database(instance, threads)
    await database.using((session) => session.run(SETTINGS))
    return database
  }

  /** False once it is being closed. */
  get isOpen(): boolean {
    return this.#open
  }

  /** A connection of its own: statements on it run one after the other. */
  async connect(): Promise<Session> {
    if (!this.#open) throw new LakeError('CANCELLED', 'the engine is closed')
    const connection = await this.#instance.connect()
    const session = new Session(connection, {
      closed: () => this.#sessions.delete(session),
      connect: () => this.connect(),
      threads: () => this.#cores(),
      apart: (work) => this.#runApart(work),
    })
    this.#sessions.add(session)
    return session
  }

  /** Runs `use` on a connection that is closed afterwards. */
  async using<T>(use: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.connect()
    try {
      return await use(session)
    } finally {
      await session.close()
    }
  }

  /**
   * Runs `work` on all cores instead of the engine's own number, for bulk work that somebody waits for. Memory stays
   * bounded as it is.
   */
  async withAllCores<T>(work: () => Promise<T>): Promise<T> {
    this.#hurried++
    return this.#withThreads(work, () => this.#hurried--)
  }

  #cores(): number {
    return this.#hurried > 0 ? availableParallelism() : this.#threads
  }

  #runApart<T>(work: () => Promise<T>): Promise<T> {
    this.#apart++
    return this.#withThreads(work, () => this.#apart--)
  }

  async #withThreads<T>(work: () => Promise<T>, end: () => void): Promise<T> {
    try {
      await this.#setThreads()
      return await work()
    } finally {
      end()
      if (this.#open) await this.#setThreads()
    }
  }

  /** One change after the other, so that the last one that was asked for stays. */
  #setThreads(): Promise<unknown> {
    const set = async (): Promise<unknown> => {
      const threads = this.#apart > 0 ? 1 : this.#cores()
      return this.using((session) => session.run(`SET GLOBAL threads = ${threads}`))
    }
    return (this.#threadsSet = this.#threadsSet.then(set, set))
  }

  /** Interrupts what runs, waits for it and closes. */
  async close(): Promise<void> {
    this.#open = false
    await Promise.all([...this.#sessions].map((session) => session.close()))
    this.#instance.closeSync()
  }
}

/** What a connection needs of its engine. */
interface SessionOwner {
  readonly closed: () => void
  readonly connect: () => Promise<Session>
  readonly threads: () => number
  readonly apart: <T>(work: () => Promise<T>) => Promise<T>
}

/** One connection. A statement waits for the one before it; a stream occupies the connection until its end. */
export class Session {
  readonly #connection: DuckDBConnection
  readonly #owner: SessionOwner
  readonly #shared = new Set<string>()
  readonly #siblings: Promise<Session>[] = []
  #tail: Promise<unknown> = Promise.resolve()
  /** The native call that runs now; closing must wait for it, and for nothing else. */
  #active: Promise<unknown> = Promise.resolve()
  #open = true
  /** A transaction of `begin` is open. */
  #begun = false

  constructor(connection: DuckDBConnection, owner: SessionOwner) {
    this.#connection = connection
    this.#owner = owner
  }

  /** Threads that the engine has now. */
  get threads(): number {
    return this.#owner.threads()
  }

  /** More connections, for work on shared tables beside this one. They are closed with this one. */
  siblings(count: number): Promise<Session[]> {
    while (this.#siblings.length < count) this.#siblings.push(this.#owner.connect())
    return Promise.all(this.#siblings.slice(0, count))
  }

  /**
   * Runs work that keeps several connections busy, so that a statement has the thread of its connection only: threads
   * that share one small piece of work wait for each other, and two at work on one file cost twice the time of one.
   */
  apart<T>(work: () => Promise<T>): Promise<T> {
    return this.#owner.apart(work)
  }

  /**
   * Fills a table that the siblings see too, and gives the number of its rows. Its name must be nobody else's; it
   * goes when this connection closes.
   */
  async share(name: string, select: string): Promise<number> {
    const { Count } = await this.row<{ Count: bigint }>(
      `CREATE OR REPLACE TABLE ${identifier(name)} AS ${select}`,
    )
    this.#shared.add(name)
    return Number(Count)
  }

  /** Drops tables, shared or temporary. */
  async drop(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await this.run(names.map((name) => `DROP TABLE IF EXISTS ${identifier(name)}`).join('; '))
    for (const name of names) this.#shared.delete(name)
  }

  /** The same beside what follows on disk; what is not dropped by then goes when this connection closes. */
  dropLater(names: readonly string[]): void {
    this.drop(names).catch(() => undefined)
  }

  /** True if the siblings see a table. */
  isShared(name: string): boolean {
    return this.#shared.has(name)
  }

  /** Runs statements for their effect; returns the number of rows changed by the last. */
  async run(sql: string, parameters?: Parameters): Promise<number> {
    return (await this.#result(sql, parameters)).rowsChanged
  }

  /** All rows as objects. Two columns of one name: the last wins. */
  async rows<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]> {
    return rowObjects<T>(await this.table(sql, parameters))
  }

  /** The first row; an error if there is none. */
  async row<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T> {
    const [first] = await this.rows<T>(sql, parameters)
    if (first === undefined)
      throw new LakeError('SQL_ERROR', 'the statement gave no row', { details: { sql } })
    return first
  }

  /** The whole result, column by name and type. */
  async table(sql: string, parameters?: Parameters): Promise<ResultTable> {
    const result = await this.#result(sql, parameters)
    const rows: Value[][] = []
    for (const chunk of await this.#guard(() => result.fetchAllChunks(), sql)) {
      appendRows(rows, result, chunk)
    }
    return { columns: columnsOf(result), rows }
  }

  /** The raw result, for readers of typed columns in this folder. */
  materialize(sql: string, parameters?: Parameters): Promise<DuckDBMaterializedResult> {
    return this.#result(sql, parameters)
  }

  /** Begins a transaction that sees the catalog which `touch` reads from as it is now. Closing ends it too. */
  async begin(touch: string): Promise<void> {
    this.#begun = true
    await this.run(`BEGIN; ${touch}`)
  }

  /** Ends the transaction of `begin`, if one is open and not ended by a stream. */
  async end(): Promise<void> {
    if (!this.#begun) return
    this.#begun = false
    await this.run('ROLLBACK')
  }

  /** Chunks of rows as they come; nothing else may run on this connection meanwhile, and nothing can. */
  async *stream(
    sql: string,
    parameters?: Parameters,
  ): AsyncGenerator<ResultTable, void, undefined> {
    const release = await this.#occupy()
    const run = (text: string): Promise<unknown> =>
      this.#guard(() => this.#connection.run(text), text)
    const transaction = await beginStream(run, this.#begun)
    this.#begun = false
    try {
      const result = await this.#guard(() => this.#start(sql, parameters), sql)
      const columns = columnsOf(result)
      for (let count = 0; ;) {
        const chunk = await this.#guard(() => result.fetchChunk(), sql)
        if (!chunk || chunk.rowCount === 0) {
          await transaction.checkWhole(count, (before) => {
            const text = before + sql
            return this.#guard(() => this.#execute(text, parameters), text)
          })
          break
        }
        count += chunk.rowCount
        const rows: Value[][] = []
        appendRows(rows, result, chunk)
        yield { columns, rows }
      }
    } finally {
      await transaction.end()
      release()
    }
  }

  /** Access for the files of this folder that fill tables. */
  get connection(): DuckDBConnection {
    return this.#connection
  }

  /** Asks the running statement to stop; it fails with `CANCELLED`. */
  interrupt(): void {
    if (this.#open) this.#connection.interrupt()
  }

  /** Interrupts and waits, because closing during a statement hangs the process. */
  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    const timer = setInterval(() => this.#connection.interrupt(), 50)
    this.#connection.interrupt()
    await this.#active.catch(() => undefined)
    clearInterval(timer)
    await this.#closeShared()
    this.#connection.closeSync()
    this.#owner.closed()
  }

  async #closeShared(): Promise<void> {
    const closed = this.#siblings.map((one) => one.then((sibling) => sibling.close()))
    await Promise.allSettled(closed)
    const drops = [...this.#shared].map((name) => `DROP TABLE IF EXISTS ${identifier(name)}`)
    if (drops.length > 0) await this.#connection.run(drops.join('; ')).catch(() => undefined)
  }

  async #result(sql: string, parameters?: Parameters): Promise<DuckDBMaterializedResult> {
    const release = await this.#occupy()
    try {
      return await this.#guard(() => this.#execute(sql, parameters), sql)
    } finally {
      release()
    }
  }

  async #execute(sql: string, parameters?: Parameters): Promise<DuckDBMaterializedResult> {
    if (parameters === undefined) return this.#connection.run(sql)
    const { values, types } = bindParameters(await duckdb(), parameters)
    return this.#connection.run(sql, values, types)
  }

  async #start(sql: string, parameters?: Parameters): Promise<DuckDBResult> {
    if (parameters === undefined) return this.#connection.stream(sql)
    const { values, types } = bindParameters(await duckdb(), parameters)
    return this.#connection.stream(sql, values, types)
  }

  async #occupy(): Promise<() => void> {
    const before = this.#tail
    let release!: () => void
    this.#tail = new Promise<void>((resolve) => (release = resolve))
    await before
    return release
  }

  /** Starts a native call unless the connection is closed. */
  async #guard<T>(call: () => Promise<T>, sql: string): Promise<T> {
    if (!this.#open) throw new LakeError('CANCELLED', 'the connection is closed')
    const work = call()
    this.#active = work
    try {
      return await work
    } catch (error) {
      throw sqlError(error, sql)
    }
  }
}
