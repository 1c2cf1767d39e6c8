/** The analysis engine: an in-memory DuckDB whose views show one lake version, or follow the newest. */
import { dayOf } from '../model/date.ts'
import { LakeError, hasCode } from '../model/errors.ts'
import { checkTagName } from '../model/name.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import type { ColumnData } from '../storage/parquet/columns.ts'
import { readColumns } from '../storage/parquet/columns.ts'
import { Database } from '../storage/parquet/database.ts'
import type { DatabaseOptions, ResultTable, Session } from '../storage/parquet/database.ts'
import { trustFiles } from '../storage/parquet/file-trust.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { rowObjects } from '../storage/parquet/values.ts'
import type { Row } from '../storage/parquet/values.ts'
import { commitLake } from '../storage/lake/commit.ts'
import { takeLease } from '../storage/lake/lease.ts'
import { pinOf } from '../storage/lake/pin.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import { recordAt, validUntil } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import { arrowStream } from './arrow.ts'
import type { AttachedTable } from './attached.ts'
import type { Completion, Suggestion } from './completion.ts'
import { openCompletion } from './completion.ts'
import type { Display } from './display.ts'
import type { EngineParts, Held, Pin, Statement, StreamState } from './engine-parts.ts'
import {
  isMissingFile,
  isStaleList,
  notKept,
  isUnknownTable,
  namingRelations,
  versionGone,
  withheldTable,
} from './explain-error.ts'
import { knownNames } from './known-names.ts'
import type { StatementOptions } from './limits.ts'
import { limited, startLimit, untilFailed } from './limits.ts'
import { findLookAhead } from './look-ahead.ts'
import type { LookAhead, LookAheadOptions } from './look-ahead.ts'
import { displayable } from './notebook.ts'
import { ATTACH_RESIDENT, RESIDENT_CATALOG } from './resident.ts'
import type { ResidentState } from './resident.ts'
import { attachSqlite } from './sqlite.ts'
import { Stage } from './stage.ts'
import { reportVintages } from './vintages.ts'
import type { ReportVintage } from './vintages.ts'

export type { Pin } from './engine-parts.ts'

/** How an engine is opened. */
export interface EngineOptions extends DatabaseOptions {
  /** Moves to a new lake version between statements. */
  readonly follow?: boolean
  /** The version to show, by default the head when the engine is opened. */
  readonly at?: VersionSpec
  /** False: take no lease. */
  readonly lease?: boolean
  /** Tables or views to keep in memory, for example `fin_indicators`; they must fit into `memoryLimit`. */
  readonly resident?: readonly string[]
  /** Delta tables from elsewhere (`attachTable`) to query beside the lake's; an engine of a date leaves them out. */
  readonly attach?: readonly AttachedTable[]
  /** Unqualified names are those of the old file of a migration, with its columns and types (see StorageManager). */
  readonly oldNames?: boolean
  /** A SQLite file to attach as `sqlite_meta`; it needs DuckDB's sqlite extension on this machine. */
  readonly sqlite?: string
  /** The longest time of a statement that brings no limit of its own, in milliseconds; by default an hour. */
  readonly timeoutMs?: number
}

/** How far an engine of a date sees. */
export interface AsOfOptions {
  /** Also leave out what the lake itself had not stored by then. */
  readonly strict?: boolean
  /** Tables without a date of knowledge to show as they are. */
  readonly include?: readonly string[]
}

const TIMEOUT_MS = 3_600_000
/** Statements that met a change of the views on their way to them start again, so often at most. */
const ATTEMPTS_MAX = 10

/** Opens an engine over a lake. `follow` and `at` exclude each other. */
export async function openEngine(
  store: Store,
  options: EngineOptions = {},
): Promise<AnalysisEngine> {
  const { follow = false, at, resident = [], attach = [], timeoutMs = TIMEOUT_MS } = options
  if (follow && at !== undefined) {
    const message = 'an engine either follows the lake or shows one version'
    throw new LakeError('INVALID_ARGUMENT', message, { next: 'Leave out `follow` or `at`.' })
  }
  const record = at === undefined ? await refreshHead(store) : await recordAt(store, at)
  const lease = options.lease === false ? undefined : await takeLease(store, record)
  let database: Database | undefined
  try {
    database = await Database.open(options)
    if (options.sqlite !== undefined) await attachSqlite(database, options.sqlite)
    const { oldNames = false } = options
    const catalog = resident.length > 0 ? RESIDENT_CATALOG : undefined
    if (catalog !== undefined) await database.using((session) => session.run(ATTACH_RESIDENT))
    const shown = { record, follow, resident, attached: attach, catalog, oldNames }
    const trust = await trustFiles(database)
    return new AnalysisEngine({ store, database, trust, lease, timeoutMs, ...shown })
  } catch (error) {
    await lease?.close()
    await database?.close()
    throw error
  }
}

/** Queries over one lake version at a time. It must be closed. */
export class AnalysisEngine {
  readonly #parts: EngineParts
  readonly #stage: Stage
  #completion: Promise<Completion> | undefined

  constructor(parts: EngineParts) {
    this.#parts = parts
    this.#stage = new Stage(parts)
  }

  /** The lake version that the views show. */
  get version(): number {
    return this.#stage.record.version
  }

  /** The commit that made the version. */
  get txnId(): string {
    return this.#stage.record.txnId
  }

  /** The date whose knowledge the views show, for an engine of `asOf`. */
  get knowledgeDate(): string | undefined {
    return this.#parts.dated?.knowledge.date
  }

  /** False where no lease could be taken: then only age protects what is read. */
  get leased(): boolean {
    return this.#stage.leased
  }

  /** Creates the views. The first statement does it too. */
  async initViews(): Promise<void> {
    if (!this.#stage.display) await this.#stage.ready()
  }

  /** All rows as objects. */
  async query<T extends Row = Row>(
    sql: string,
    parameters?: Parameters,
    options?: StatementOptions,
  ): Promise<T[]> {
    const table = await this.table(sql, parameters, options)
    return displayable(rowObjects<T>(table), table)
  }

  /** The whole result: columns with their types, and rows. */
  table(sql: string, parameters?: Parameters, options?: StatementOptions): Promise<ResultTable> {
    return this.#run({ sql, parameters, options }, async (session) => {
      const result = await session.table(sql, parameters)
      return displayable(result, result)
    })
  }

  /** Whole columns as typed arrays: the fast way to numbers. */
  columns(sql: string, parameters?: Parameters, options?: StatementOptions): Promise<ColumnData[]> {
    return this.#run({ sql, parameters, options }, (session) =>
      readColumns(session, sql, parameters),
    )
  }

  /** The result as an Arrow IPC stream, for Arrow, Polars and Perspective; needs `@uwdata/flechette`. */
  async arrow(
    sql: string,
    parameters?: Parameters,
    options?: StatementOptions,
  ): Promise<Uint8Array> {
    return arrowStream(await this.columns(sql, parameters, options))
  }

  /**
   * Rows as they come, for results that do not fit into memory. The stream has a connection of its own and stays
   * at its version while the engine follows the lake. `timeoutMs` counts until its end.
   */
  async *stream(
    sql: string,
    parameters?: Parameters,
    options: StatementOptions = {},
  ): AsyncGenerator<ResultTable, void, undefined> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#stage.display
      const state: StreamState = { display: before, begun: false }
      try {
        yield* this.#streamOnce({ sql, parameters, options }, state)
        return
      } catch (error) {
        if (state.begun || !(await this.#mayPass(error, before, attempt)))
          throw await this.#explained(error, state.display ?? this.#stage.display)
      }
    }
  }

  async *#streamOnce(
    { sql, parameters, options = {} }: Statement,
    state: StreamState,
  ): ReturnType<Session['stream']> {
    let held: Held | undefined
    let limit: ReturnType<typeof startLimit>
    let stuck = false
    try {
      held = await this.#stage.acquire(sql, parameters, true)
      state.display = held.display
      limit = startLimit(held.session, options)
      limit?.check()
      const parts = held.session.stream(sql, parameters)
      for await (const part of limit ? untilFailed(parts, limit.failed) : parts) {
        state.begun = true
        yield part
      }
      limit?.check()
    } catch (error) {
      stuck = hasCode(error, 'TIMEOUT')
      limit?.check()
      throw error
    } finally {
      limit?.end()
      const closing = held?.session.close()
      if (!stuck) await closing
      if (held) await this.#stage.release(held)
    }
  }

  /** Writes the result of a SELECT into a Parquet file that must not exist; returns the number of rows. */
  copyTo(sql: string, path: string, options?: StatementOptions): Promise<number> {
    const body = sql.trim().replace(/;$/, '')
    return this.#run({ sql, options, once: true }, (session) =>
      session.run(`COPY (${body}\n) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`),
    )
  }

  /** How the beginning of a statement can go on; best first. Files are never looked at. */
  async complete(text: string): Promise<Suggestion[]> {
    await this.initViews()
    this.#completion ??= knownNames(this, this.#stage.display!).then(openCompletion)
    const completion = await this.#completion.catch((error: unknown) => {
      this.#completion = undefined
      throw error
    })
    return completion.suggest(text)
  }

  /**
   * An engine whose every view is the knowledge of a date: reports in the version visible then, bars and factors up
   * to then. It stays at this engine's present version and must be closed before it.
   */
  async asOf(date: string, options: AsOfOptions = {}): Promise<AnalysisEngine> {
    dayOf(date)
    if (this.#parts.dated) {
      throw new LakeError('INVALID_ARGUMENT', 'this engine already shows the knowledge of a date', {
        next: 'Call asOf on the engine it was made from.',
      })
    }
    const { record } = await this.#stage.ready()
    const { store, database, trust, follow, timeoutMs } = this.#parts
    const memory: ResidentState = follow ? new Map() : this.#stage.memory
    // The parent may move on, and its lease with it.
    const release = await this.#stage.keepVersion(record)
    const catalog = `asof_${crypto.randomUUID().replaceAll('-', '')}`
    try {
      await database.using((session) => session.run(`ATTACH ':memory:' AS ${identifier(catalog)}`))
    } catch (error) {
      await release()
      throw error
    }
    const { strict = false, include = [] } = options
    return new AnalysisEngine({
      store,
      database,
      trust,
      record,
      follow: false,
      lease: undefined,
      resident: [],
      attached: [],
      timeoutMs,
      catalog,
      dated: {
        knowledge: { date, strict, include },
        memory,
        parent: this.#stage,
        release,
      },
    })
  }

  /** Runs a query under two dates of knowledge and names the rows that changed (see `findLookAhead`). */
  lookAhead(sql: string, options: LookAheadOptions): Promise<LookAhead[]> {
    return findLookAhead(this, sql, options)
  }

  /** All versions of one report: of every source, with what each changed. */
  vintages(symbol: string, period: string): Promise<ReportVintage[]> {
    return reportVintages(this, symbol, period)
  }

  /** Names the version shown, so that it can be opened again with the same content. `keep` tags it. */
  async pin(options: { readonly keep?: string } = {}): Promise<Pin> {
    await this.initViews()
    const { store, database } = this.#parts
    const { record, views } = this.#stage.display!
    if (options.keep !== undefined) {
      const { version, txnId } = record
      const tags = { [checkTagName(options.keep)]: { version, txnId } }
      const outcome = await commitLake(
        store,
        () => Promise.resolve(database),
        async (tx) => void (tx.change = { tags }),
        { note: options.keep, operation: 'TAG' },
      )
      if (outcome.kind !== 'committed') throw notKept(options.keep, outcome.reason)
    }
    const untilMs = await validUntil(store, record)
    const until = untilMs === undefined ? undefined : new Date(untilMs)
    return { token: pinOf(record, views), validUntil: until }
  }

  /** Moves to the newest version now. */
  async refresh(): Promise<number> {
    await this.#stage.advance()
    return this.version
  }

  /** Interrupts what runs and lets go of everything. */
  async close(): Promise<void> {
    const { lease, database, dated } = this.#parts
    await lease?.close()
    await (await this.#completion?.catch(() => undefined))?.close()
    await (dated ? this.#stage.close() : database.close())
    await dated?.release()
  }

  async #run<T>(statement: Statement, use: (session: Session) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#stage.display
      try {
        return await this.#once(statement, use)
      } catch (error) {
        if (!(await this.#mayPass(error, before, attempt)))
          throw await this.#explained(error, before ?? this.#stage.display)
      }
    }
  }

  /**
   * True if a statement that failed may pass when it starts again. A file that is gone means that the version was
   * vacuumed under us: a follower tries on a newer one.
   */
  async #mayPass(error: unknown, before: Display | undefined, attempt: number): Promise<boolean> {
    const gone = isMissingFile(error, this.#parts.store.root)
    if (this.#parts.follow && gone) await this.#stage.advance()
    const moved = this.#stage.display !== before && before !== undefined
    return moved && (isStaleList(error) || gone) && attempt < ATTEMPTS_MAX
  }

  async #once<T>(statement: Statement, use: (session: Session) => Promise<T>): Promise<T> {
    const { sql, parameters, options = {} } = statement
    const held = await this.#stage.acquire(sql, parameters, statement.once)
    try {
      const limits = { timeoutMs: this.#parts.timeoutMs, ...options }
      const result = await limited(held.session, limits, () => use(held.session))
      await held.session.end()
      this.#stage.keep(held.session)
      const whole = statement.once || this.#stage.isWhole(held)
      return whole ? result : await this.#once(statement, use)
    } catch (error) {
      // After some failures of the engine a connection answers nothing any more.
      const closing = held.session.close()
      if (!(error instanceof LakeError) || error.code !== 'TIMEOUT') await closing
      throw error
    } finally {
      await this.#stage.release(held)
    }
  }

  async #explained(error: unknown, display: Display | undefined): Promise<unknown> {
    const { store, database, dated } = this.#parts
    const { version } = display?.record ?? this.#stage.record
    if (isMissingFile(error, store.root)) return versionGone(error, version)
    if (!isUnknownTable(error) || !display) return error
    const withheld = withheldTable(error, display.withheld, dated?.knowledge.date)
    if (withheld) return withheld
    const names = [...display.relations.keys()]
    return database.using((session) => namingRelations(error, session, names))
  }
}
