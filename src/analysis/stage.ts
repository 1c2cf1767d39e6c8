/** The stage of an engine: connections on which statements run, and views that move from version to version. */
import type { Parameters } from '../storage/parquet/bind.ts'
import type { Database, Session } from '../storage/parquet/database.ts'
import type { FileTrust } from '../storage/parquet/file-trust.ts'
import { identifier } from '../storage/parquet/sql.ts'
import { tableNamesOf } from '../storage/parquet/statement.ts'
import type { Lease } from '../storage/lake/lease.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import type { TableView } from '../storage/lake/view.ts'
import { tableViews } from '../storage/lake/view.ts'
import { aliasRelations } from './alias-relations.ts'
import type { AttachedTable } from './attached.ts'
import { checkAttached } from './attached.ts'
import type { Display } from './display.ts'
import { changes, displayOf } from './display.ts'
import { tellLists } from './file-lists.ts'
import type { Restrictions } from './filters.ts'
import { restrictionsOf, tablesRead } from './filters.ts'
import { readOnly } from './gate.ts'
import type { Knowledge } from './knowledge.ts'
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
  residentMove,
  residentTables,
  tableOfRepeatedKeys,
} from './resident.ts'

/** What an engine stands on. */
export interface EngineParts {
  readonly store: Store
  readonly database: Database
  readonly trust: FileTrust
  readonly record: LakeRecord
  readonly follow: boolean
  readonly lease: Lease | undefined
  readonly resident: readonly string[]
  readonly timeoutMs: number
  /** Unqualified names are those of the old file of a migration. */
  readonly oldNames?: boolean
  /** Delta tables from elsewhere, which stay at their version. */
  readonly attached: readonly AttachedTable[]
  /** The catalog that the views stand in, where it is not the first one. */
  readonly catalog?: string | undefined
  /** For an engine of a date: what it knows, and the memory of its parent. */
  readonly dated?: {
    readonly knowledge: Knowledge
    readonly memory: ResidentState
  }
}

/** A statement under way, and the version that it reads. */
export interface Held {
  readonly session: Session
  readonly display: Display
  /** Ends the doubt about files that the statement brought with it. */
  readonly trustAgain?: () => Promise<void>
}

/** No restriction: whole tables. */
const none: Restrictions = new Map()

/** Connections and views of one engine. It must be closed. */
export class Stage {
  readonly #parts: EngineParts
  readonly #idle: Session[] = []
  readonly #held = new Set<Held>()
  readonly #extras = new Set<string>()
  #display: Display | undefined
  /** The record for which the old names were made. */
  #oldShown: LakeRecord | undefined
  #oldText: string | undefined
  #memory: ResidentState
  #record: LakeRecord
  #moving: Promise<void> = Promise.resolve()
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
  async acquire(sql: string, parameters?: Parameters): Promise<Held> {
    await this.ready()
    await this.#showExtras(sql)
    const session = await this.session()
    try {
      const display = this.#display!
      const { macros, relations } = display
      const dated = this.#parts.dated !== undefined
      const tree = await passedTree(
        display,
        sql,
        async () => (await readOnly(session, sql, { macros, dated })).tree,
      )
      this.#checkWhole(tableNamesOf(tree), relations)
      // Old tables have other columns of the same names.
      const { oldNames } = this.#parts
      const restrictions = oldNames ? none : restrictionsOf(tree, relations, parameters)
      const read = oldNames ? undefined : tablesRead(tree, relations)
      await tellLists(session, display.lists, restrictions, read)
      const held = {
        session,
        display,
        ...(namesFiles(tree, macros) && { trustAgain: await this.#parts.trust.doubt() }),
      }
      this.#held.add(held)
      return held
    } catch (error) {
      this.keep(session)
      throw error
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

  /** The lease goes on to the oldest version that some statement still reads. */
  async release(held: Held): Promise<void> {
    this.#held.delete(held)
    await held.trustAgain?.()
    await this.#protect()
  }

  async #protect(): Promise<void> {
    const { lease } = this.#parts
    const records = [this.#record, ...[...this.#held].map((held) => held.display.record)]
    const oldest = records.toSorted((a, b) => a.version - b.version)[0]!
    if (lease && lease.lakeVersion !== oldest.version) await lease.move(oldest)
  }

  /** One move at a time; a statement that starts meanwhile waits for it. */
  #move(target: () => Promise<LakeRecord>): Promise<void> {
    this.#moving = this.#moving
      .catch(() => undefined)
      .then(async () => {
        const record = await target()
        if (this.#display?.record.txnId !== record.txnId) await this.#show(record)
      })
    return this.#moving
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
    while (!(await this.#apply(display, move, broken))) ({ move, display } = next())
    this.#broken = broken
    this.#display = display
    this.#memory = move.state
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
