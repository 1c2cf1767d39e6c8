/** The stage of an engine: connections on which statements run, and views that move from version to version. */
import type { Parameters } from '../storage/parquet/bind.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier } from '../storage/parquet/sql.ts'
import { tableNamesOf } from '../storage/parquet/statement.ts'
import type { SyntaxNode } from '../storage/parquet/statement.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { TableView } from '../storage/lake/view.ts'
import { tableViews } from '../storage/lake/view.ts'
import { aliasRelations } from './alias-relations.ts'
import { checkAttached } from './attached.ts'
import type { Display } from './display.ts'
import { changes, displayOf } from './display.ts'
import type { EngineParts, Held, Parent } from './engine-parts.ts'
import { tellLists } from './file-lists.ts'
import type { Restrictions } from './filters.ts'
import { restrictionsOf, tablesRead } from './filters.ts'
import { readOnly } from './gate.ts'
import { metaStatements } from './meta.ts'
import { passedTree } from './passed.ts'
import { OLD_SCHEMA, oldRelations } from './old-relations.ts'
import { namesFiles } from './outside-files.ts'
import { VINTAGE_VIEWS, createSql } from './relation.ts'
import { hasOneSource, isTaken } from './relations.ts'
import type { ResidentMove, ResidentState } from './resident.ts'
import {
  COMPRESS_RESIDENT,
  COMPRESS_SHARE,
  TOUCH_RESIDENT,
  residentMove,
  residentTables,
  tableOfRepeatedKeys,
} from './resident.ts'

/** No restriction: whole tables. */
const none: Restrictions = new Map()

/** Connections and views of one engine. It must be closed. */
export class Stage implements Parent {
  readonly #parts: EngineParts
  readonly #idle: Session[] = []
  readonly #held = new Set<Held>()
  /** Versions that engines of a date, made from this one, stay at. */
  readonly #kept = new Set<{ readonly record: LakeRecord }>()
  readonly #extras = new Set<string>()
  #display: Display | undefined
  /** The record for which the old names were made. */
  #oldShown: LakeRecord | undefined
  #oldText: string | undefined
  #memory: ResidentState
  #record: LakeRecord
  #applying = false
  #moving: Promise<unknown> = Promise.resolve()
  #broken: ReadonlyMap<string, Error> = new Map()
  /** How much of a table has come in since memory was compressed. */
  #share = 0
  /** Tables in memory in which a key was found twice. */
  readonly #repeated = new Set<string>()

  constructor(parts: EngineParts) {
    this.#parts = parts
    this.#record = parts.record
    this.#memory = parts.dated?.memory ?? new Map()
  }

  /** The record of the version shown, or about to be shown. */
  get record(): LakeRecord {
    return this.#record
  }

  /** What is shown; undefined before the views are made. */
  get display(): Display | undefined {
    return this.#display
  }

  /** True where a lease protects what is shown. */
  get leased(): boolean {
    return this.#parts.dated?.parent.leased ?? this.#parts.lease !== undefined
  }

  /** What stands in memory. */
  get memory(): ResidentState {
    return this.#memory
  }

  /** Brings the views to where they shall be: once, or to the head each time. */
  async ready(): Promise<Display> {
    if (this.#parts.follow) await this.advance()
    else if (!this.#display) await this.#move(() => Promise.resolve(this.#record))
    return this.#display!
  }

  /** Moves to the head. */
  advance(): Promise<void> {
    return this.#move(() => refreshHead(this.#parts.store))
  }

  /** A connection on which a checked statement can run, with the lists of the right version. */
  async acquire(sql: string, parameters?: Parameters, once = false): Promise<Held> {
    await this.ready()
    await this.#showExtras(sql)
    const session = await this.session()
    try {
      let display = this.#display!
      let tree = await this.#pass(session, sql, display)
      if (await this.#beginMoment(session, display, this.#readBy(tree, display), once)) {
        const now = this.#display!
        if (now !== display) tree = await this.#pass(session, sql, now)
        display = now
      }
      const { macros, relations } = display
      // Old tables have other columns of the same names.
      const restrictions = this.#parts.oldNames ? none : restrictionsOf(tree, relations, parameters)
      await tellLists(session, display.lists, restrictions, this.#readBy(tree, display))
      const held = {
        session,
        display,
        ...(namesFiles(tree, macros) && { trustAgain: await this.#parts.trust.doubt() }),
      }
      this.#held.add(held)
      return held
    } catch (error) {
      await session.end()
      this.keep(session)
      throw error
    }
  }

  /** The tree of a statement that may run over a display. */
  async #pass(session: Session, sql: string, display: Display): Promise<SyntaxNode> {
    const { macros, relations } = display
    const dated = this.#parts.dated !== undefined
    const check = { macros, dated }
    const tree = await passedTree(
      display,
      sql,
      async () => (await readOnly(session, sql, check)).tree,
    )
    this.#checkWhole(tableNamesOf(tree), relations)
    return tree
  }

  #readBy(tree: SyntaxNode, { relations }: Display): ReadonlySet<string> | undefined {
    return this.#parts.oldNames ? undefined : tablesRead(tree, relations)
  }

  /**
   * Memory moves on in place, lists of files do not: a statement that reads both begins its transaction while nothing
   * moves, and reads what is shown at that moment. So does one of a date, whose rows in memory are those of its parent;
   * but as that one seldom moves, a statement that can be run twice asks afterwards whether it did (`isWhole`).
   */
  async #beginMoment(
    session: Session,
    display: Display,
    read: ReadonlySet<string> | undefined,
    once: boolean,
  ): Promise<boolean> {
    const names = read ?? new Set(display.views.map((view) => view.name))
    const inMemory = [...names].some((name) => display.resident.has(name))
    const { dated } = this.#parts
    if (!inMemory) return false
    if (!dated && [...names].every((name) => display.resident.has(name))) return false
    if (dated && !once && dated.parent.rests(display.resident)) return false
    const begin = (): Promise<void> => session.begin(TOUCH_RESIDENT)
    if (!dated) await this.#still(begin)
    else if (!(await dated.parent.beginAt(display.resident, begin))) await this.#leaveMemory()
    return true
  }

  /** True if a statement that has ended read one version. */
  isWhole({ display: { resident } }: Held): boolean {
    return resident.size === 0 || (this.#parts.dated?.parent.rests(resident) ?? true)
  }

  /** True while memory holds a state and is not about to hold another. */
  rests(state: ResidentState): boolean {
    return state === this.#memory && !this.#applying
  }

  /** Begins while memory holds a state; false if it holds another by now. */
  beginAt(state: ResidentState, begin: () => Promise<void>): Promise<boolean> {
    return this.#still(async () => {
      if (state !== this.#memory) return false
      await begin()
      return true
    })
  }

  /** The parent moved on, and its memory with it: from now on all rows come from files. */
  #leaveMemory(): Promise<void> {
    return this.#still(async () => {
      if (this.#memory.size === 0) return
      this.#memory = new Map()
      await this.#show(this.#record)
    })
  }

  /** Work during which the views do not move. */
  #still<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#moving.then(work)
    this.#moving = done.catch(() => undefined)
    return done
  }

  /** Keeps a version for as long as an engine of a date needs it. */
  async keepVersion(record: LakeRecord): Promise<() => Promise<void>> {
    const kept = { record }
    this.#kept.add(kept)
    await this.#protect()
    return async () => {
      this.#kept.delete(kept)
      await this.#protect()
    }
  }

  /** A statement over a table that cannot be read gets the reason, in full. */
  #checkWhole(names: ReadonlySet<string>, relations: Display['relations']): void {
    if (this.#broken.size === 0) return
    for (const name of names)
      for (const table of relations.get(name)?.tables ?? [])
        if (this.#broken.has(table)) throw this.#broken.get(table)!
  }

  /** A connection that sees the views. */
  async session(): Promise<Session> {
    const idle = this.#idle.pop()
    if (idle) return idle
    const session = await this.#parts.database.connect()
    await this.#enter(session)
    if (this.#parts.oldNames) await session.run(`SET search_path='${OLD_SCHEMA},main'`)
    return session
  }

  /** Takes back a connection that is good for the next statement. */
  keep(session: Session): void {
    this.#idle.push(session)
  }

  async #enter(session: Session): Promise<void> {
    const { catalog } = this.#parts
    if (catalog !== undefined) await session.run(`USE ${identifier(catalog)}`)
  }

  /** The lease goes on to the version shown and those that some statement still reads. */
  async release(held: Held): Promise<void> {
    this.#held.delete(held)
    await held.trustAgain?.()
    await this.#protect()
  }

  async #protect(): Promise<void> {
    const read = [...this.#held].map((held) => held.display.record.version)
    const kept = [...this.#kept].map(({ record }) => record.version)
    await this.#parts.lease?.move(this.#record, [...read, ...kept])
  }

  /** One move at a time; a statement that starts meanwhile waits for it. */
  #move(target: () => Promise<LakeRecord>): Promise<void> {
    return this.#still(async () => {
      const record = await target()
      if (this.#display?.record.txnId !== record.txnId) await this.#show(record)
    })
  }

  /** Replaces the views whose text changed, all in one transaction, so that no statement sees half of it. */
  async #show(record: LakeRecord): Promise<void> {
    const { store, dated, attached } = this.#parts
    const views = await tableViews(store, record)
    const broken = new Map<string, Error>()
    const shown = { record, views, knowledge: dated?.knowledge, attached, broken }
    const next = (): { move: ResidentMove; display: Display } => {
      const move = this.#residentMove(views)
      return { move, display: displayOf({ ...shown, resident: move.state }, this.#display) }
    }
    let { move, display } = next()
    this.#applying = true
    try {
      while (!(await this.#apply(display, move, broken))) ({ move, display } = next())
    } catch (error) {
      this.#applying = false
      throw error
    }
    this.#broken = broken
    this.#display = display
    this.#memory = move.state
    this.#applying = false
    this.#record = record
    await this.#protect()
  }

  #residentMove(views: readonly TableView[]): ResidentMove {
    if (this.#parts.dated) return { state: this.#memory, statements: [], share: 0 }
    const tables = new Map(views.map((view) => [view.name, view]))
    const nameable = (view: TableView): boolean => {
      if (this.#repeated.has(view.name)) return false
      return view.name in VINTAGE_VIEWS ? hasOneSource(view) : !isTaken(view.name)
    }
    return residentMove(this.#memory, residentTables(this.#parts.resident, tables), nameable)
  }

  /** Makes the views; false when a table turned out to be broken, so that they must be made in another way. */
  async #apply(
    display: Display,
    { statements: before, share }: ResidentMove,
    broken: Map<string, Error>,
  ): Promise<boolean> {
    const { drops, creates } = changes(this.#display, display)
    const statements = [...drops, ...before, ...creates]
    if (statements.length === 0) return true
    try {
      await this.#parts.database.using(async (session) => {
        await this.#enter(session)
        await checkAttached(session, this.#parts.attached)
        await tellLists(session, display.lists, none)
        await session.run(['BEGIN', ...statements, 'COMMIT'].join('; '))
        await this.#compress(session, share)
      })
      return true
    } catch (error) {
      const repeated = tableOfRepeatedKeys(error)
      if (repeated !== undefined && !this.#repeated.has(repeated)) {
        this.#repeated.add(repeated)
        return false
      }
      const view = display.views.find(
        ({ name, directory }) =>
          !broken.has(name) && error instanceof Error && error.message.includes(`${directory}/`),
      )
      if (!view) throw error
      broken.set(view.name, error as Error)
      return false
    }
  }

  /** Only for speed: where it cannot be done now, the rows stay as they came. */
  async #compress(session: Session, share: number): Promise<void> {
    this.#share += share
    if (this.#share < COMPRESS_SHARE) return
    this.#share = 0
    await session.run(COMPRESS_RESIDENT).catch(() => undefined)
  }

  /** Schemas that few statements name are made when one does: `meta` for each version, aliases once. */
  async #showExtras(sql: string): Promise<void> {
    const { record, views, relations } = this.#display!
    if (/\bmeta\b/i.test(sql)) {
      const list = [...relations.values()]
      await this.#showExtra(`meta ${record.txnId}`, () =>
        metaStatements(this.#parts.store, record, views, list),
      )
    }
    await this.#showOld(sql, record)
    for (const [schema, aliases] of Object.entries(aliasRelations())) {
      if (!new RegExp(`\\b${schema}\\b`, 'i').test(sql)) continue
      const create = `CREATE SCHEMA IF NOT EXISTS ${schema}`
      const statements = aliases.map((relation) => createSql(relation, schema))
      await this.#showExtra(schema, () => Promise.resolve([create, ...statements]))
    }
  }

  /** They are made again when the migration's state changes. */
  async #showOld(sql: string, record: LakeRecord): Promise<void> {
    if (this.#oldShown === record) return
    if (!this.#parts.oldNames && !new RegExp(`\\b${OLD_SCHEMA}\\b`, 'i').test(sql)) return
    const statements = oldRelations(record).map((relation) => createSql(relation, OLD_SCHEMA))
    const create = `CREATE SCHEMA IF NOT EXISTS ${OLD_SCHEMA}`
    const text = statements.join()
    // By what stands there now, not by what once did: a state may come back.
    if (text !== this.#oldText) await this.#make([create, ...statements])
    this.#oldText = text
    this.#oldShown = record
  }

  async #showExtra(key: string, statements: () => Promise<string[]>): Promise<void> {
    if (this.#extras.has(key)) return
    await this.#make(await statements())
    this.#extras.add(key)
  }

  async #make(statements: readonly string[]): Promise<void> {
    const sql = ['BEGIN', ...statements, 'COMMIT'].join('; ')
    const lists = this.#display!.lists
    await this.#parts.database.using(async (session) => {
      await this.#enter(session)
      await tellLists(session, lists, none)
      await session.run(sql)
    })
  }

  /** Closes the connections; the catalog of a date goes with them. */
  async close(): Promise<void> {
    const { database, dated, catalog } = this.#parts
    const held = [...this.#held].map(({ session }) => session)
    for (const session of [...this.#idle.splice(0), ...held]) await session.close()
    if (!dated || catalog === undefined || !database.isOpen) return
    await database.using((session) => session.run(`DETACH ${identifier(catalog)}`))
  }
}
