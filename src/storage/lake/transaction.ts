/** A transaction: reads and writes of one callback against one lake version, staged but not yet published. */
import { LakeError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { seedCalendar } from '../../model/calendar.ts'
import { standardTable } from '../../model/standard-tables.ts'
import { tableDefinition } from '../../model/table.ts'
import type { NewTable } from '../../model/table.ts'
import type { Input, OnDuplicate } from '../delta/incoming.ts'
import type { Range } from '../delta/prune.ts'
import { snapshotSql } from '../delta/relation.ts'
import { stageAppend, stageDelete, stageReplace, stageReplaceWhere } from '../delta/rewrite.ts'
import type { RowCounts } from '../delta/stage.ts'
import { noRows } from '../delta/stage.ts'
import { stageUpsert } from '../delta/upsert.ts'
import type { Session } from '../parquet/database.ts'
import type { InputRow } from '../parquet/ingest.ts'
import type { Parameters } from '../parquet/bind.ts'
import { identifier } from '../parquet/sql.ts'
import { parseSelects, tableNamesOf } from '../parquet/statement.ts'
import type { Row } from '../parquet/values.ts'
import type { LakeRecord, Settings, TableEntry, Tag, Unit } from './record.ts'
import type { Store } from './store.ts'
import { keepingOneSource } from './one-source.ts'
import { seriesOperation } from './series.ts'
import { hasTail } from './settle.ts'
import { checkTableWritable, claimTable, widening } from './tables.ts'
import type { TableOperation, TableWork } from './table-work.ts'
import { newWork, stageOperation } from './table-work.ts'
import { noTable, tableView } from './view.ts'
import { stageVintages, stageVisibleDates } from './vintage.ts'

/** How rows are taken in. */
export interface WriteOptions {
  /** Two rows of one key in one batch: refuse (default) or take the last. */
  readonly onDuplicate?: OnDuplicate
  /** For tables of vintages: the source dates its versions, so an older one may come again. */
  readonly dated?: boolean
}

/** Changes of the lake itself that go with a transaction. */
export interface LakeChange {
  readonly units?: readonly Unit[]
  /** As a function it sees the head it will follow, on every try, and may refuse it by throwing. */
  readonly settings?: Partial<Settings> | ((head: LakeRecord) => Partial<Settings>)
  readonly tags?: Readonly<Record<string, Tag | undefined>>
  /** Throws if the transaction may not follow this head; asked on every try. */
  readonly follows?: (head: LakeRecord) => void
  /** A version that must not be vacuumed when the transaction is published. */
  readonly keeps?: number
  /** The transaction settles which tables there are: one that another commit makes meanwhile must be looked at too. */
  readonly allTables?: boolean
}

/** The signal that a table was touched whose foreign commits must be adopted first. */
export class NeedsSettle extends Error {
  readonly table: string

  constructor(table: string) {
    super(`table ${table} must be settled`)
    this.table = table
  }
}

/** The handle that a `write` callback gets. Valid until the callback returns. */
export class Transaction {
  readonly #store: Store
  readonly #session: Session
  readonly #scope: Set<string>
  readonly base: LakeRecord
  readonly works: Map<string, TableWork> = new Map()
  readonly dropped: Set<string> = new Set()
  readonly reads: Map<string, TableEntry> = new Map()
  change: LakeChange = {}
  #days: string[] | undefined

  constructor(store: Store, session: Session, base: LakeRecord, scope: Set<string>) {
    this.#store = store
    this.#session = session
    this.#scope = scope
    this.base = base
  }

  /** The connection on which everything is staged; a SELECT given as input may use its temporary tables. */
  get session(): Session {
    return this.#session
  }

  /**
   * Inserts rows with new keys, updates rows whose values differ, leaves the others alone. In a table of
   * vintages a changed report becomes a new version. A standard table is made when it is absent.
   */
  async upsert(table: string, input: Input, options: WriteOptions = {}): Promise<RowCounts> {
    await this.ensureStandard(table)
    const { shape } = await this.work(table)
    if (shape.vintage) return this.#upsertVintages(table, input, options)
    return this.#stage(table, {
      mode: 'upsert',
      stage: (context) => {
        if (context.shape.key.length === 0) throw keyless(table)
        return stageUpsert(context, input, options.onDuplicate)
      },
    })
  }

  /** Adds rows; on a table with a key, a key that is already there is refused. */
  async append(table: string, input: Input, options: WriteOptions = {}): Promise<RowCounts> {
    await this.#ensurePlain(table)
    return this.#stage(table, {
      mode: 'append',
      stage: (context) => stageAppend(context, input, options.onDuplicate),
    })
  }

  /** Replaces all rows. */
  async replace(table: string, input: Input, options: WriteOptions = {}): Promise<RowCounts> {
    await this.#ensurePlain(table)
    return this.#stage(table, {
      mode: 'replace',
      stage: (context) => stageReplace(context, input, options.onDuplicate),
    })
  }

  /** Replaces the rows that satisfy a SQL condition; `ranges` narrow the files to look at. */
  replaceWhere(
    table: string,
    predicate: string,
    input: Input,
    options: WriteOptions & { readonly ranges?: readonly Range[] } = {},
  ): Promise<RowCounts> {
    return this.#stage(table, {
      mode: 'replaceWhere',
      predicate,
      stage: (c) => stageReplaceWhere(c, predicate, input, options.ranges, options.onDuplicate),
    })
  }

  /**
   * Makes these rows all rows of some symbols: new keys come, others change, and what does not come again goes.
   * In a table of factors this is how another source takes a stock over.
   */
  async replaceSeries(
    table: string,
    symbols: readonly string[],
    rows: readonly InputRow[],
  ): Promise<RowCounts> {
    await this.#ensurePlain(table)
    return this.#stage(table, seriesOperation(symbols, rows))
  }

  /** Deletes the rows that satisfy a SQL condition. */
  delete(table: string, predicate: string): Promise<RowCounts> {
    return this.#stage(table, {
      mode: 'delete',
      predicate,
      stage: (context) => stageDelete(context, predicate),
    })
  }

  /** Adds nullable columns that the table has not; a column it has with another type is an error. */
  async widen(table: string, fields: readonly Field[]): Promise<void> {
    const { current } = await this.work(table)
    if (!widening(current, fields, table)) return
    await this.#stage(table, {
      mode: 'metadata',
      stage: async (context) => {
        const change = widening(context.snapshot, fields, table)
        return { adds: [], removes: [], counts: noRows, ...change }
      },
    })
  }

  /** Creates a table, unless the lake has one of that name: then `exists`. */
  async ensure(table: NewTable): Promise<'created' | 'exists'> {
    if (this.has(table.name)) return 'exists'
    this.works.set(table.name, await claimTable(this.#store, this.base, tableDefinition(table)))
    return 'created'
  }

  /** Takes a table out of the lake; its directory stays until vacuum. */
  async drop(table: string): Promise<void> {
    if (!this.base.tables[table]) throw noTable(this.base, table)
    this.works.delete(table)
    this.dropped.add(table)
  }

  /** Stages an operation of another module; it may be staged again on another base. */
  apply(table: string, operation: TableOperation): Promise<RowCounts> {
    return this.#stage(table, operation)
  }

  /** True if the lake has this table, or the transaction creates it. */
  has(table: string): boolean {
    return this.works.has(table) || (table in this.base.tables && !this.dropped.has(table))
  }

  /** Runs a SELECT over tables by their names, as this transaction sees them. The tables count as read. */
  async query<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]> {
    await this.#mountTables(sql)
    return this.#session.rows<T>(sql, parameters)
  }

  /** The state of a table in this transaction. */
  async work(table: string): Promise<TableWork> {
    const known = this.works.get(table)
    if (known) return known
    if (this.dropped.has(table)) throw noTable({ ...this.base, tables: {} }, table)
    await this.#settled(table)
    const view = await tableView(this.#store, this.base, table)
    const work = newWork({ ...view, base: view.snapshot })
    this.works.set(table, work)
    return work
  }

  /**
   * Looks for foreign commits at the first touch of a table. Nothing there, which is the rule: the transaction goes
   * on. Else it begins again on a base that has adopted them; beginning again for each table would stage the first
   * of four tables four times.
   */
  async #settled(table: string): Promise<void> {
    if (this.#scope.has(table) || !this.base.tables[table]) return
    if (await hasTail(this.#store, this.base, table)) throw new NeedsSettle(table)
    this.#scope.add(table)
  }

  /** Fills visible dates that the calendar reaches by now. */
  async fillVisibleDates(table: string): Promise<RowCounts> {
    const days = await this.#tradingDays()
    return this.#stage(table, {
      mode: 'upsert',
      stage: (context) => stageVisibleDates(context, days),
    })
  }

  async #upsertVintages(table: string, input: Input, options: WriteOptions): Promise<RowCounts> {
    const tradingDays = await this.#tradingDays()
    const dated = options.dated ?? false
    return this.#stage(table, {
      mode: 'upsert',
      stage: (context) => stageVintages(context, input, { dated, tradingDays }),
    })
  }

  /** Open days of the lake's calendar, else of the built-in one. */
  async #tradingDays(): Promise<string[]> {
    const known = this.#days
    if (known) return known
    const days = await this.#storedDays()
    this.#days = days.length > 0 ? days : seedCalendar().flatMap((d) => (d.is_open ? [d.date] : []))
    return this.#days
  }

  async #storedDays(): Promise<string[]> {
    const work = this.works.get('trade_cal')
    const entry = this.base.tables['trade_cal']
    if (!work && !entry) return []
    const { directory, current } = work ?? (await this.#viewOf('trade_cal'))
    const sql = snapshotSql(directory, current)
    const rows = await this.#session.rows<{ date: string }>(
      `SELECT date FROM (${sql}) WHERE is_open ORDER BY date`,
    )
    return rows.map((row) => row.date)
  }

  async #viewOf(table: string): Promise<Pick<TableWork, 'directory' | 'current'>> {
    const { directory, snapshot } = await tableView(this.#store, this.base, table)
    return { directory, current: snapshot }
  }

  /** Versions of reports are only ever added, so such a table takes upserts and nothing else. */
  async #ensurePlain(table: string): Promise<void> {
    await this.ensureStandard(table)
    const { shape } = await this.work(table)
    if (!shape.vintage) return
    throw new LakeError(
      'INVALID_ARGUMENT',
      `table ${table} keeps every version of a report: rows can only be upserted`,
      {
        details: { table },
        next: 'Use upsert: changed reports become new versions.',
      },
    )
  }

  /** Creates a standard table unless it is there. */
  async ensureStandard(table: string): Promise<void> {
    const definition = this.has(table) ? undefined : standardTable(table)
    if (definition) await this.ensure(definition)
  }

  async #stage(table: string, operation: TableOperation): Promise<RowCounts> {
    const work = await this.work(table)
    checkTableWritable(this.#store, this.base, work)
    const checked = keepingOneSource(operation)
    const next = await restageOperation(this.#store, this.#session, work, checked)
    this.works.set(table, next)
    return next.counts
  }

  async #mountTables(sql: string): Promise<void> {
    const named = tableNamesOf(await parseSelects(this.#session, sql))
    const known = [...this.works.keys(), ...Object.keys(this.base.tables)]
    for (const name of new Set(known)) {
      if (!named.has(name.toLowerCase()) || !this.has(name)) continue
      const { directory, current } = await this.work(name)
      const entry = this.base.tables[name]
      if (entry) this.reads.set(name, entry)
      const select = snapshotSql(directory, current)
      await this.#session.run(`CREATE OR REPLACE TEMP VIEW ${identifier(name)} AS ${select}`)
    }
  }
}

/** Stages an operation on top of what was staged for a table before. */
export function restageOperation(
  store: Store,
  session: Session,
  work: TableWork,
  operation: TableOperation,
): Promise<TableWork> {
  const { files, effects } = store
  return stageOperation(store, { files, session, effects }, work, operation)
}

function keyless(table: string): LakeError {
  return new LakeError(
    'INVALID_ARGUMENT',
    `table ${table} has no key, so rows cannot be upserted`,
    {
      details: { table },
      next: 'Append to it, or load the rows into a table with a key.',
    },
  )
}
