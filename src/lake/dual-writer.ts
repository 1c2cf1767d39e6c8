/** The writer of a migration: old sync code calls it instead of its insert, and both sides are written. */
import { catchUp } from '../migration/catch-up.ts'
import { withOldFile } from '../migration/old-file.ts'
import type { OldRows } from '../migration/outbox.ts'
import { ensureOutbox, pendingBatches, writeBatch } from '../migration/outbox.ts'
import { requireMigration } from '../migration/verify.ts'
import { writeToLake } from '../migration/write-lake.ts'
import { LakeError, messageOf } from '../model/errors.ts'
import type { Migration } from '../storage/lake/migration-state.ts'
import { columnsOf, oldKey } from '../storage/lake/migration-state.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import { Database } from '../storage/parquet/database.ts'
import type { Session } from '../storage/parquet/database.ts'
import type { InputColumns, InputRow } from '../storage/parquet/ingest.ts'
import type { Lake } from './lake.ts'
import { openLake } from './lake.ts'

/** How a dual writer is opened. */
export interface DualWriterOptions {
  /** The directory of the lake. */
  readonly lake: string
  /** The old file, for when the lake cannot be read; by default the one the migration knows. */
  readonly old?: string
  /** Throw when the lake could not be written. By default the old path goes on, and the lake catches up later. */
  readonly strict?: boolean
  /** How long to wait for others to let go of the old file; one minute by default. */
  readonly waitMs?: number
  /** Bounds of the engine. */
  readonly memoryLimit?: string
  readonly threads?: number
}

/** Rows of one table, under the names of the old file. */
export type DualRows =
  | readonly InputRow[]
  | InputColumns
  | { readonly append: readonly InputRow[] | InputColumns }

/** What became of the rows in the old file. */
export type OldOutcome =
  /** Durable in the old file, and in its outbox for the lake. */
  | { readonly kind: 'written'; readonly batch: number }
  /** After the cut-over nothing is written there. */
  | { readonly kind: 'stopped' }

/** What became of the rows in the lake. */
export type LakeSide =
  | LakeOutcome
  /** They wait in the outbox; the next write or `migrate dual-write` brings them in. */
  | { readonly kind: 'behind'; readonly batches: number; readonly reason: string }

/** Which of the two sides has the rows. An error that is thrown instead means: neither. */
export interface DualOutcome {
  readonly old: OldOutcome
  readonly lake: LakeSide
}

const WAIT_MS = 60_000

/** Writes both sides. It must be closed. The old file is open, and so locked, only while rows are written. */
export class DualWriter {
  readonly #options: DualWriterOptions
  readonly #database: Database
  #lake: Lake | undefined
  #migration: Migration | undefined
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(options: DualWriterOptions, database: Database) {
    this.#options = options
    this.#database = database
  }

  /** Opens a writer. A lake that cannot be opened now is tried again at every write. */
  static async open(options: DualWriterOptions): Promise<DualWriter> {
    const { memoryLimit = '1GB', threads = 0 } = options
    const writer = new DualWriter(options, await Database.open({ memoryLimit, threads }))
    try {
      const reason = await writer.#look()
      if (reason !== undefined && options.strict) throw lakeDown(reason)
      if (!writer.#migration && options.old === undefined) throw lakeDown(reason ?? 'no migration')
      return writer
    } catch (error) {
      await writer.close()
      throw error
    }
  }

  /**
   * Writes rows of some tables: into the old file, with its outbox, in one transaction of DuckDB; then from there into
   * the lake, in one commit. After the cut-over into the lake only.
   */
  write(tables: Readonly<Record<string, DualRows>>): Promise<DualOutcome> {
    return this.#inTurn(() => this.#write(tables))
  }

  /** Batches that wait for the lake, brought in now; the number that still waits. */
  catchUp(): Promise<LakeSide | undefined> {
    return this.#inTurn(() =>
      this.#held(async (session) => {
        await this.#look()
        return this.#push(session)
      }),
    )
  }

  /** One after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** Waits for what runs and lets go of everything. */
  async close(): Promise<void> {
    await this.#tail
    await this.#lake?.close()
    await this.#database.close()
  }

  /** The lake is looked at while the old file is held, so that a cut-over cannot come in between. */
  async #write(tables: Readonly<Record<string, DualRows>>): Promise<DualOutcome> {
    if (this.#migration?.phase === 'cut-over') {
      const done = await this.#writeCut(tables)
      if (done) return done
    }
    return this.#held(async (session) => {
      const reason = await this.#look()
      if (this.#isCut()) return this.#writeLake(tables)
      await ensureOutbox(session, crypto.randomUUID(), this.#migration?.batch)
      const batch = await writeBatch(session, this.#parts(tables))
      const lake =
        reason === undefined ? await this.#push(session) : await this.#behind(session, reason)
      if (this.#options.strict && lake && lake.kind !== 'committed') throw notInLake(batch, lake)
      return { old: { kind: 'written', batch }, lake: lake! }
    })
  }

  /** Writes the lake only; undefined if a roll-back came before or between, after which both sides are written. */
  async #writeCut(tables: Readonly<Record<string, DualRows>>): Promise<DualOutcome | undefined> {
    const before = await this.#look()
    if (before !== undefined) throw lakeDown(before)
    if (!this.#isCut()) return undefined
    const done = await this.#writeLake(tables)
    if (done.lake.kind !== 'conflict') return done
    await this.#look()
    return this.#isCut() ? done : undefined
  }

  #isCut(): boolean {
    return this.#migration?.phase === 'cut-over'
  }

  /** Reads the state of the migration; the reason if the lake cannot be read, else undefined. */
  async #look(): Promise<string | undefined> {
    try {
      this.#lake ??= await openLake(this.#options.lake, {
        database: this.#database,
        onWarning: () => undefined,
      })
      const head = await this.#lake.head()
      this.#migration = requireMigration(head)
      return undefined
    } catch (error) {
      await this.#lake?.close().catch(() => undefined)
      this.#lake = undefined
      return messageOf(error)
    }
  }

  /** Brings what waits into the lake, unless dual writing is stopped. */
  async #push(session: Session): Promise<LakeSide | undefined> {
    const lake = this.#lake
    if (!lake) return this.#behind(session, 'the lake cannot be opened')
    if (this.#migration?.phase === 'imported')
      return this.#behind(session, 'dual writing is not started: marketlake migrate dual-write')
    try {
      const done = await catchUp(lake.store, this.#database, session)
      const { outcome } = done
      if (!outcome || outcome.kind !== 'conflict') return outcome
      return { kind: 'behind', batches: done.behind, reason: outcome.reason }
    } catch (error) {
      return this.#behind(session, messageOf(error))
    }
  }

  /** How much waits, as far as is known which batches the lake has. */
  async #behind(session: Session, reason: string): Promise<LakeSide> {
    const pending = await pendingBatches(session, this.#migration?.batch)
    return { kind: 'behind', batches: pending.length, reason }
  }

  async #writeLake(tables: Readonly<Record<string, DualRows>>): Promise<DualOutcome> {
    const { store } = this.#lake!
    const outcome = await writeToLake(store, this.#database, this.#migration!, this.#parts(tables))
    return { old: { kind: 'stopped' }, lake: outcome }
  }

  #held<T>(use: (session: Session) => Promise<T>): Promise<T> {
    const path = this.#migration?.old ?? this.#options.old!
    const { waitMs = WAIT_MS } = this.#options
    return this.#database.using((session) =>
      withOldFile(session, path, { write: true, waitMs }, () => use(session)),
    )
  }

  #parts(tables: Readonly<Record<string, DualRows>>): OldRows[] {
    return Object.entries(tables).map(([table, rows]) => {
      const migrated = this.#migration?.tables.find(
        (t) => t.old.toLowerCase() === table.toLowerCase(),
      )
      if (!migrated) throw unknownTable(table, this.#migration)
      const key = oldKey(migrated)
      const appended = 'append' in rows
      const mode = appended || key.length === 0 ? 'append' : 'upsert'
      const symbols = columnsOf(migrated).flatMap((c) => (c.symbols ? [c.old] : []))
      return { table: migrated.old, mode, key, symbols, rows: appended ? rows.append : rows }
    })
  }
}

function lakeDown(reason: string): LakeError {
  return new LakeError('IO_ERROR', `the lake cannot be written: ${reason}`, {
    details: { old: 'not written', lake: 'not written' },
    next: 'Nothing was written. Bring the lake back and write again.',
  })
}

function notInLake(batch: number, lake: LakeSide): LakeError {
  const reason = 'reason' in lake ? lake.reason : lake.kind
  return new LakeError('WRITE_CONFLICT', `the old file has the rows, the lake not yet: ${reason}`, {
    details: { old: 'written', batch, lake: lake.kind },
    next: 'Do not write the batch again: it waits in the outbox, and the next write or `marketlake migrate dual-write` brings it in.',
  })
}

function unknownTable(table: string, migration: Migration | undefined): LakeError {
  const tables = migration?.tables.map((t) => t.old) ?? []
  return new LakeError('TABLE_NOT_FOUND', `the migration has no table ${table}`, {
    details: { table, tables },
    next:
      tables.length > 0
        ? `Its tables are: ${tables.join(', ')}. Import a new one first.`
        : 'The lake was never reached, so nothing is known of its tables.',
  })
}
