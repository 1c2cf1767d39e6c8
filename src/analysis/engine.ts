/** The analysis engine: an in-memory DuckDB whose views show one lake version, or follow the newest. */
import { LakeError } from '../model/errors.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import type { ColumnData } from '../storage/parquet/columns.ts'
import { readColumns } from '../storage/parquet/columns.ts'
import { Database } from '../storage/parquet/database.ts'
import type { DatabaseOptions, ResultTable, Session } from '../storage/parquet/database.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { Row } from '../storage/parquet/values.ts'
import { takeLease } from '../storage/lake/lease.ts'
import type { Lease } from '../storage/lake/lease.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import { recordAt } from '../storage/lake/time-travel.ts'
import type { VersionSpec } from '../storage/lake/time-travel.ts'
import { tableViews } from '../storage/lake/view.ts'
import type { TableView } from '../storage/lake/view.ts'
import { isMissingFile, isUnknownTable, namingRelations, versionGone } from './explain-error.ts'
import { readOnly } from './gate.ts'
import { metaStatements } from './meta.ts'
import { createSql, relationsOf } from './relations.ts'
import type { Relation } from './relations.ts'

/** How an engine is opened. */
export interface EngineOptions extends DatabaseOptions {
  /** Moves to a new lake version between statements. */
  readonly follow?: boolean
  /** The version to show, by default the head when the engine is opened. */
  readonly at?: VersionSpec
  /** False: take no lease. */
  readonly lease?: boolean
}

/** Opens an engine over a lake. `follow` and `at` exclude each other. */
export async function openEngine(
  store: Store,
  options: EngineOptions = {},
): Promise<AnalysisEngine> {
  if (options.follow && options.at !== undefined) {
    throw new LakeError(
      'INVALID_ARGUMENT',
      'an engine either follows the lake or shows one version',
      {
        next: 'Leave out `follow` or `at`.',
      },
    )
  }
  const record =
    options.at === undefined ? await refreshHead(store) : await recordAt(store, options.at)
  const lease = options.lease === false ? undefined : await takeLease(store, record)
  const database = await Database.open(options)
  return new AnalysisEngine(store, database, record, options.follow ?? false, lease)
}

/** Queries over one lake version at a time. It must be closed. */
export class AnalysisEngine {
  readonly #store: Store
  readonly #database: Database
  readonly #follow: boolean
  readonly #lease: Lease | undefined
  readonly #idle: Session[] = []
  readonly #held = new Set<Held>()
  #record: LakeRecord
  #views: readonly TableView[] = []
  #shown: ReadonlyMap<string, string> = new Map()
  #macros: ReadonlySet<string> = new Set()
  #metaVersion = -1
  #moving: Promise<void> = Promise.resolve()
  #ready = false

  constructor(
    store: Store,
    database: Database,
    record: LakeRecord,
    follow: boolean,
    lease: Lease | undefined,
  ) {
    this.#store = store
    this.#database = database
    this.#record = record
    this.#follow = follow
    this.#lease = lease
  }

  /** The lake version that the views show. */
  get version(): number {
    return this.#record.version
  }

  /** The commit that made the version. */
  get txnId(): string {
    return this.#record.txnId
  }

  /** False where no lease could be taken: then only age protects what is read. */
  get leased(): boolean {
    return this.#lease !== undefined
  }

  /** Creates the views. The first statement does it too. */
  initViews(): Promise<void> {
    return this.#ready ? Promise.resolve() : this.#move(() => Promise.resolve(this.#record))
  }

  /** All rows as objects. */
  async query<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]> {
    const { columns, rows } = await this.table(sql, parameters)
    return rows.map((row) => Object.fromEntries(columns.map((c, i) => [c.name, row[i]!])) as T)
  }

  /** The whole result: columns with their types, and rows. */
  table(sql: string, parameters?: Parameters): Promise<ResultTable> {
    return this.#run(sql, (session) => session.table(sql, parameters))
  }

  /** Whole columns as typed arrays: the fast way to numbers. */
  columns(sql: string, parameters?: Parameters): Promise<ColumnData[]> {
    return this.#run(sql, (session) => readColumns(session, sql, parameters))
  }

  /**
   * Rows as they come, for results that do not fit into memory. The stream has a connection of its own and stays
   * at its version while the engine follows the lake.
   */
  async *stream(
    sql: string,
    parameters?: Parameters,
  ): AsyncGenerator<ResultTable, void, undefined> {
    let held: Held | undefined
    try {
      held = await this.#acquire(sql)
      yield* held.session.stream(sql, parameters)
    } catch (error) {
      throw await this.#explained(error, held?.record ?? this.#record)
    } finally {
      await held?.session.close()
      if (held) await this.#release(held)
    }
  }

  /** Writes the result of a SELECT into a Parquet file that must not exist; returns the number of rows. */
  copyTo(sql: string, path: string): Promise<number> {
    const body = sql.trim().replace(/;$/, '')
    return this.#run(sql, (session) =>
      session.run(`COPY (${body}\n) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`),
    )
  }

  /** Moves to the newest version now. */
  async refresh(): Promise<number> {
    await this.#advance()
    return this.version
  }

  /** Interrupts what runs and lets go of everything. */
  async close(): Promise<void> {
    await this.#lease?.close()
    await this.#database.close()
  }

  /** A file that is gone means that the version was vacuumed under us: a follower tries once on a newer one. */
  async #run<T>(sql: string, use: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#once(sql, use)
    } catch (error) {
      const before = this.#record
      if (this.#follow && isMissingFile(error, this.#store.root)) await this.#advance()
      if (this.#record === before) throw await this.#explained(error, before)
      return this.#once(sql, use)
    }
  }

  async #once<T>(sql: string, use: (session: Session) => Promise<T>): Promise<T> {
    const held = await this.#acquire(sql)
    try {
      const result = await use(held.session)
      this.#idle.push(held.session)
      return result
    } catch (error) {
      // After some failures of the engine a connection answers nothing any more.
      await held.session.close()
      throw error
    } finally {
      await this.#release(held)
    }
  }

  /** A connection on which a checked statement can run, with the views at the right version. */
  async #acquire(sql: string): Promise<Held> {
    await this.initViews()
    if (this.#follow) await this.#advance()
    if (/\bmeta\b/i.test(sql)) await this.#refreshMeta()
    const session = this.#idle.pop() ?? (await this.#database.connect())
    try {
      await readOnly(session, sql, this.#macros)
    } catch (error) {
      this.#idle.push(session)
      throw error
    }
    const held = { session, record: this.#record }
    this.#held.add(held)
    return held
  }

  /** The lease goes on to the oldest version that some statement still reads. */
  async #release(held: Held): Promise<void> {
    this.#held.delete(held)
    await this.#protect()
  }

  async #protect(): Promise<void> {
    const records = [this.#record, ...[...this.#held].map((held) => held.record)]
    const oldest = records.toSorted((a, b) => a.version - b.version)[0]!
    if (this.#lease && this.#lease.lakeVersion !== oldest.version) await this.#lease.move(oldest)
  }

  #advance(): Promise<void> {
    return this.#move(() => refreshHead(this.#store))
  }

  /** One move at a time; a statement that starts meanwhile waits for it. */
  #move(target: () => Promise<LakeRecord>): Promise<void> {
    this.#moving = this.#moving
      .catch(() => undefined)
      .then(async () => {
        const record = await target()
        if (this.#ready && record.txnId === this.#record.txnId) return
        await this.#show(record)
      })
    return this.#moving
  }

  /** Replaces the views whose text changed, all in one transaction, so that no statement sees half of it. */
  async #show(record: LakeRecord): Promise<void> {
    const views = await tableViews(this.#store, record)
    const relations = relationsOf(views, record)
    const texts = new Map(relations.map((relation) => [relation.name, createSql(relation)]))
    const changed = relations.filter((r) => this.#shown.get(r.name) !== texts.get(r.name))
    const gone = [...this.#shown.keys()].filter((name) => !texts.has(name))
    await this.#database.using((session) => replaceViews(session, changed, gone))
    this.#views = views
    this.#shown = texts
    this.#macros = new Set(relations.flatMap((r) => (r.kind === 'macro' ? [r.name] : [])))
    this.#record = record
    this.#ready = true
    await this.#protect()
  }

  async #refreshMeta(): Promise<void> {
    if (this.#metaVersion === this.version) return
    const statements = await metaStatements(this.#store, this.#record, this.#views)
    await this.#database.using((session) =>
      session.run(['BEGIN', ...statements, 'COMMIT'].join('; ')),
    )
    this.#metaVersion = this.version
  }

  async #explained(error: unknown, record: LakeRecord): Promise<unknown> {
    if (isMissingFile(error, this.#store.root)) return versionGone(error, record.version)
    if (!isUnknownTable(error)) return error
    const names = [...this.#shown.keys()]
    return this.#database.using((session) => namingRelations(error, session, names))
  }
}

/** A statement under way, and the version that it reads. */
interface Held {
  readonly session: Session
  readonly record: LakeRecord
}

async function replaceViews(
  session: Session,
  changed: readonly Relation[],
  gone: readonly string[],
): Promise<void> {
  const statements = [
    ...gone.map((name) => `DROP VIEW IF EXISTS "${name}"`),
    ...changed.map((r) => createSql(r)),
  ]
  if (statements.length === 0) return
  await session.run(['BEGIN', ...statements, 'COMMIT'].join('; '))
}
