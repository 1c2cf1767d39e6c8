/** A Delta table by itself, without a lake: opened by its directory, read, written and maintained. */
import { join, resolve } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { realEffects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { missingFields, schemaOf } from '../../model/schema.ts'
import { shapeOf } from '../../model/table.ts'
import type { Files } from '../files/files.ts'
import { localFiles } from '../files/local.ts'
import { probeLinks } from '../files/probe.ts'
import type { Parameters } from '../parquet/bind.ts'
import { Database } from '../parquet/database.ts'
import type { DatabaseOptions, ResultTable, Session } from '../parquet/database.ts'
import type { Row } from '../parquet/values.ts'
import type { Transaction } from './actions.ts'
import { writeCheckpoint } from './checkpoint-write.ts'
import type { Operation } from './commit.ts'
import type { CommitMode } from './conflict.ts'
import { loadDeletions } from './deletion-vector.ts'
import { checkFit } from './fit.ts'
import type { TableCommitInfo } from './history.ts'
import { tableHistory, versionAtTime } from './history.ts'
import type { Input, OnDuplicate } from './incoming.ts'
import { loadSnapshot, updateSnapshot } from './load.ts'
import { widenedMetadata } from './metadata.ts'
import { LOG_DIRECTORY } from './names.ts'
import { createTable } from './new-table.ts'
import type { NewTable } from './new-table.ts'
import { stageOptimize } from './optimize.ts'
import { partitionPredicate } from './partition.ts'
import type { PartitionKey } from './partition.ts'
import { checkProperties } from './properties.ts'
import { checkWritable, widenedProtocol } from './protocol.ts'
import { snapshotSql } from './relation.ts'
import type { Snapshot } from './replay.ts'
import { stageRestore } from './restore.ts'
import { stageAppend, stageDelete, stageReplace, stageReplaceWhere } from './rewrite.ts'
import { noTable } from './segment.ts'
import { noRows } from './stage.ts'
import { writeTable } from './table-write.ts'
import type { TableStage, TableStaged, WriteOutcome } from './table-write.ts'
import { stageUpsert } from './upsert.ts'

/** How a table is opened. */
export interface TableOptions extends DatabaseOptions {
  /** An older version; then the table is read only. */
  readonly version?: number
  /** The newest version at or before a moment; then the table is read only. */
  readonly timestamp?: Date
  readonly files?: Files
  readonly effects?: Effects
}

/** How rows are written. */
export interface TableWriteOptions {
  readonly onDuplicate?: OnDuplicate
  /** Marks the batch of an application, so that it is written once: a lower or equal version is skipped. */
  readonly txn?: Pick<Transaction, 'appId' | 'version'>
}

/** The name under which `query` knows the table. */
export const TABLE_VIEW = 'delta_table'
const CHECKPOINT_INTERVAL = 20

/** An open Delta table. It must be closed. */
export class DeltaTable {
  readonly directory: string
  readonly #files: Files
  readonly #effects: Effects
  readonly #database: Database
  readonly #pinned: boolean
  #snapshot: Snapshot
  #probed = false

  private constructor(
    directory: string,
    snapshot: Snapshot,
    database: Database,
    options: TableOptions,
  ) {
    this.directory = directory
    this.#snapshot = snapshot
    this.#database = database
    this.#files = options.files ?? localFiles
    this.#effects = options.effects ?? realEffects
    this.#pinned = options.version !== undefined || options.timestamp !== undefined
  }

  /** Opens the table in a directory. */
  static async open(directory: string, options: TableOptions = {}): Promise<DeltaTable> {
    const files = options.files ?? localFiles
    const root = resolve(directory)
    const version =
      options.timestamp === undefined
        ? options.version
        : await versionAtTime(files, root, options.timestamp.getTime())
    const snapshot = await loadSnapshot(files, root, version)
    if (!snapshot) throw noTable(root)
    await loadDeletions(files, root, snapshot.files.values())
    return new DeltaTable(root, snapshot, await Database.open(options), options)
  }

  /** Makes a table in a directory that is absent, empty, or holds no table. */
  static async create(
    directory: string,
    table: NewTable,
    options: TableOptions = {},
  ): Promise<DeltaTable> {
    const root = resolve(directory)
    await createTable(options.files ?? localFiles, root, table, options.effects ?? realEffects)
    return DeltaTable.open(root, options)
  }

  /** The state that is shown: the newest when it was opened, written or refreshed last. */
  get snapshot(): Snapshot {
    return this.#snapshot
  }

  get version(): number {
    return this.#snapshot.version
  }

  get schema(): Schema {
    return this.#snapshot.schema
  }

  /** Moves to the newest version. */
  async refresh(): Promise<number> {
    if (!this.#pinned)
      await this.#move(await updateSnapshot(this.#files, this.directory, this.#snapshot))
    return this.version
  }

  /** All rows as objects. */
  rows(): Promise<Row[]> {
    return this.query(`SELECT * FROM ${TABLE_VIEW}`)
  }

  /** Runs SQL in which the table is called `delta_table`. */
  query<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]> {
    return this.#database.using(async (session) => {
      await this.#mount(session)
      return session.rows<T>(sql, parameters)
    })
  }

  /** Rows as they come, for results that do not fit into memory. */
  async *stream(
    sql: string = `SELECT * FROM ${TABLE_VIEW}`,
    parameters?: Parameters,
  ): AsyncGenerator<ResultTable, void, undefined> {
    const session = await this.#database.connect()
    try {
      await this.#mount(session)
      yield* session.stream(sql, parameters)
    } finally {
      await session.close()
    }
  }

  /** Adds rows; on a table with a key, a key that is already there is refused. */
  append(input: Input, options: TableWriteOptions = {}): Promise<WriteOutcome> {
    const operation = { name: 'WRITE', parameters: { mode: '"Append"' } }
    return this.#write('append', operation, options, (c) =>
      stageAppend(c, input, options.onDuplicate),
    )
  }

  /** Replaces all rows. */
  overwrite(input: Input, options: TableWriteOptions = {}): Promise<WriteOutcome> {
    const operation = { name: 'WRITE', parameters: { mode: '"Overwrite"' } }
    return this.#write('replace', operation, options, (c) =>
      stageReplace(c, input, options.onDuplicate),
    )
  }

  /** Replaces the rows that satisfy a SQL condition; the new rows must satisfy it too. */
  replaceWhere(
    predicate: string,
    input: Input,
    options: TableWriteOptions = {},
  ): Promise<WriteOutcome> {
    const operation = { name: 'WRITE', parameters: { mode: '"Overwrite"', predicate } }
    return this.#write(
      'replaceWhere',
      operation,
      options,
      (c) => stageReplaceWhere(c, predicate, input, [], options.onDuplicate),
      predicate,
    )
  }

  /** Replaces one partition, or all that share some of its values; the new rows must lie in it. */
  replacePartition(
    values: PartitionKey,
    input: Input,
    options: TableWriteOptions = {},
  ): Promise<WriteOutcome> {
    return this.replaceWhere(partitionPredicate(this.#snapshot, values), input, options)
  }

  /** Inserts rows with new keys, updates rows whose values differ, leaves the others alone. */
  upsert(input: Input, options: TableWriteOptions = {}): Promise<WriteOutcome> {
    const { key } = shapeOf(this.#snapshot.metadata.configuration)
    if (key.length === 0) throw keyless(this.directory)
    return this.#write('upsert', { name: 'MERGE' }, options, (c) =>
      stageUpsert(c, input, options.onDuplicate),
    )
  }

  /** Deletes the rows that satisfy a SQL condition. */
  delete(predicate: string): Promise<WriteOutcome> {
    const operation = { name: 'DELETE', parameters: { predicate: JSON.stringify([predicate]) } }
    return this.#write('delete', operation, {}, (c) => stageDelete(c, predicate), predicate)
  }

  /** Adds nullable columns at the end. */
  addColumns(fields: readonly Field[]): Promise<WriteOutcome> {
    return this.#changeMetadata('ADD COLUMNS', ({ metadata, schema, protocol }) => {
      const added = missingFields(schema, schemaOf(fields), this.directory)
      if (added.length === 0) return {}
      const widened = widenedProtocol(protocol, schemaOf(added))
      return {
        metadata: widenedMetadata(metadata, schema, added),
        ...(widened && { protocol: widened }),
      }
    })
  }

  /** Sets table properties; undefined takes one away. */
  setProperties(properties: Readonly<Record<string, string | undefined>>): Promise<WriteOutcome> {
    checkProperties(properties)
    return this.#changeMetadata('SET TBLPROPERTIES', ({ metadata }) => {
      const merged = Object.entries({ ...metadata.configuration, ...properties })
      const configuration = Object.fromEntries(merged.filter(([, value]) => value !== undefined))
      return { metadata: { ...metadata, configuration: configuration as Record<string, string> } }
    })
  }

  /** Makes a new version that holds what an older one held. */
  async restore(version: number): Promise<WriteOutcome> {
    const then = await loadSnapshot(this.#files, this.directory, version)
    if (!then) throw noTable(this.directory)
    const operation = { name: 'RESTORE', parameters: { version: String(version) } }
    return this.#write('restore', operation, {}, (c) => stageRestore(c, then))
  }

  /** Folds small files without changing a row. */
  optimize(): Promise<WriteOutcome> {
    return this.#write('optimize', { name: 'OPTIMIZE' }, {}, (c) => stageOptimize(c, { all: true }))
  }

  /** Writes a checkpoint of the version that is shown. A table that we may not write gets none from us either. */
  async checkpoint(): Promise<void> {
    const { protocol, metadata } = this.#snapshot
    checkWritable(protocol, metadata, this.directory)
    await this.#database.using((session) =>
      writeCheckpoint(
        { files: this.#files, effects: this.#effects, session, directory: this.directory },
        this.#snapshot,
      ),
    )
  }

  /** Commits, newest first. */
  history(limit?: number): Promise<TableCommitInfo[]> {
    return tableHistory(this.#files, this.directory, limit)
  }

  /** Interrupts what runs and lets go of everything. */
  async close(): Promise<void> {
    await this.#database.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #mount(session: Session): Promise<void> {
    await checkFit(session, this.directory, this.#snapshot)
    const select = snapshotSql(this.directory, this.#snapshot)
    await session.run(`CREATE OR REPLACE TEMP VIEW ${TABLE_VIEW} AS ${select}`)
  }

  /** Never back: of two writes at a time the first may end last. */
  async #move(snapshot: Snapshot): Promise<void> {
    await loadDeletions(this.#files, this.directory, snapshot.files.values())
    if (snapshot.version > this.version) this.#snapshot = snapshot
  }

  #changeMetadata(
    name: string,
    change: (snapshot: Snapshot) => Pick<TableStaged, 'metadata' | 'protocol'>,
  ): Promise<WriteOutcome> {
    return this.#write('metadata', { name }, {}, async ({ snapshot }) => ({
      adds: [],
      removes: [],
      counts: noRows,
      ...change(snapshot),
    }))
  }

  /** Stages on the newest version and commits; what clashes is staged again, with jitter and a limit. */
  async #write(
    mode: CommitMode,
    operation: Operation,
    options: TableWriteOptions,
    stage: TableStage,
    predicate?: string,
  ): Promise<WriteOutcome> {
    await this.#prepareWrite()
    return this.#database.using(async (session) => {
      const outcome = await writeTable({
        files: this.#files,
        effects: this.#effects,
        directory: this.directory,
        session,
        mode,
        operation,
        stage,
        newest: async () => {
          await this.refresh()
          await checkFit(session, this.directory, this.#snapshot)
          return this.#snapshot
        },
        ...(predicate !== undefined && { predicate }),
        ...(options.txn && { txn: options.txn }),
      })
      if (outcome.kind !== 'committed') return outcome
      const moved = outcome.version !== this.version
      await this.#move(outcome.snapshot)
      return moved ? { ...outcome, warnings: await this.#afterCommit() } : outcome
    })
  }

  /** A checkpoint that fails only makes the next opening slower. */
  async #afterCommit(): Promise<string[]> {
    const text = this.#snapshot.metadata.configuration['delta.checkpointInterval']
    const interval = Number(text ?? CHECKPOINT_INTERVAL)
    if (!(interval > 0) || this.version % interval !== 0) return []
    try {
      await this.checkpoint()
      return []
    } catch (error) {
      return [`no checkpoint was written: ${String(error)}`]
    }
  }

  async #prepareWrite(): Promise<void> {
    if (this.#pinned) {
      throw new LakeError('INVALID_ARGUMENT', `${this.directory} was opened at an older version`, {
        next: 'Open it without version and timestamp to write.',
      })
    }
    if (this.#probed) return
    await probeLinks(this.#files, join(this.directory, LOG_DIRECTORY), this.#effects)
    this.#probed = true
  }
}

function keyless(directory: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `${directory} has no key, so rows cannot be upserted`, {
    next: 'Create the table with a key.',
  })
}
