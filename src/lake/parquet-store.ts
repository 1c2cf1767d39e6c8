/** `ParquetStore`: the writer of the request, for those who know it: replace the rows of one partition value. */
import { LakeError, hasCode } from '../model/errors.ts'
import type { Field, PrimitiveType, Schema } from '../model/schema.ts'
import { field, fieldOf, schemaOf } from '../model/schema.ts'
import { parseDay } from '../model/date.ts'
import { STANDARD_TABLES } from '../model/standard-tables.ts'
import type { TableDefinition } from '../model/table.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import type { InputRow } from '../storage/parquet/ingest.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { duckdbType } from '../storage/parquet/types.ts'
import { createLake, openLake } from './lake.ts'
import type { Lake } from './lake.ts'

/** Which rows are replaced, and where. */
export interface WriteAtomicOptions {
  /** The folder below `warehouse`, for example `indicators` or `financial_statements/type=balance`. */
  readonly category: string
  readonly partitionCol: string
  readonly partitionVal: string
}

/** Writes partitions atomically: readers see all of the old rows or all of the new ones. */
export class ParquetStore {
  readonly #lake: Lake

  private constructor(lake: Lake) {
    this.#lake = lake
  }

  /** Opens the lake in a directory, or makes one. */
  static async open(baseDir: string): Promise<ParquetStore> {
    try {
      return new ParquetStore(await openLake(baseDir))
    } catch (error) {
      if (!hasCode(error, 'NO_LAKE')) throw error
    }
    try {
      return new ParquetStore(await createLake(baseDir))
    } catch (error) {
      // Another process made it meanwhile.
      if (!hasCode(error, 'LAKE_EXISTS')) throw error
      return new ParquetStore(await openLake(baseDir))
    }
  }

  /**
   * Replaces exactly the rows whose `partitionCol` is `partitionVal`, in one commit. A table that is absent is
   * made from the rows, one directory a symbol when that is the partition. On a table of report versions the
   * rows are upserted as source `file`.
   */
  writeAtomic(rows: readonly InputRow[], options: WriteAtomicOptions): Promise<LakeOutcome> {
    const note = `${options.category} ${options.partitionCol}=${options.partitionVal}`
    return this.#lake.write(note, (tx) => writePartition(tx, rows, options), { operation: 'WRITE' })
  }

  /** Lets go of the lake. */
  close(): Promise<void> {
    return this.#lake.close()
  }
}

async function writePartition(
  tx: Transaction,
  rows: readonly InputRow[],
  options: WriteAtomicOptions,
): Promise<void> {
  const table = await tableOf(tx, rows, options)
  const { shape, current } = await tx.work(table)
  if (shape.vintage) {
    const own = rows.map((row) => ({ ...row, source: 'file', origin: row['origin'] ?? 'backfill' }))
    await tx.upsert(table, own)
    return
  }
  const column = fieldOf(current.schema, options.partitionCol, table)
  const predicate = `${identifier(column.name)} = CAST(${literal(options.partitionVal)} AS ${duckdbType(column.type)})`
  const ranges =
    column.type === 'string'
      ? [{ column: column.name, min: options.partitionVal, max: options.partitionVal }]
      : []
  await tx.replaceWhere(table, predicate, rows, { ranges })
}

/** The table in a folder below `warehouse`; a new one is named after the folder. */
async function tableOf(
  tx: Transaction,
  rows: readonly InputRow[],
  options: WriteAtomicOptions,
): Promise<string> {
  const path = `warehouse/${options.category}`
  const mapped = Object.entries(tx.base.tables).find(([, entry]) => entry.path === path)
  if (mapped) return mapped[0]
  const standard = STANDARD_TABLES.find((table) => table.path === path)
  const definition = standard ?? newTable(rows, options, path)
  const there = tx.base.tables[definition.name]
  // One that was made again has a suffix.
  if (there && !standard && !there.path.startsWith(`${path}.`))
    throw otherTable(options.category, definition.name, there.path)
  await tx.ensure(definition)
  return definition.name
}

/** `a/b` and `a_b` make the same name: the rows of one may not replace those of the other. */
function otherTable(category: string, table: string, path: string): LakeError {
  return new LakeError(
    'TABLE_EXISTS',
    `the table ${table} is that of ${path}, not of ${category}`,
    {
      details: { category, table, path },
      next: 'Choose another category.',
    },
  )
}

function newTable(
  rows: readonly InputRow[],
  options: WriteAtomicOptions,
  path: string,
): TableDefinition {
  const schema = inferSchema(rows)
  const perSymbol = options.partitionCol === 'symbol'
  return {
    name: options.category.replaceAll(/[^A-Za-z0-9]+/g, '_'),
    path,
    schema,
    key: [],
    clustering: perSymbol ? [] : [fieldOf(schema, options.partitionCol, options.category).name],
    layout: perSymbol ? 'per-symbol' : 'clustered',
    vintage: false,
  }
}

/** Types of JavaScript values: numbers are double, bigints 64-bit integers, ISO dates dates, the rest text. */
export function inferSchema(rows: readonly InputRow[]): Schema {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  if (names.length === 0) {
    throw new LakeError('INVALID_ARGUMENT', 'a new table cannot be made from no rows', {
      next: 'Write some rows first.',
    })
  }
  return schemaOf(names.map((name): Field => field(name, inferType(rows, name))))
}

function inferType(rows: readonly InputRow[], name: string): PrimitiveType {
  const values = rows
    .map((row) => row[name])
    .filter((value) => value !== null && value !== undefined)
  const all = (test: (value: unknown) => boolean): boolean =>
    values.length > 0 && values.every(test)
  if (all((v) => typeof v === 'number')) return 'double'
  if (all((v) => typeof v === 'bigint')) return 'long'
  if (all((v) => typeof v === 'boolean')) return 'boolean'
  if (all((v) => v instanceof Date)) return 'timestamp'
  if (all((v) => v instanceof Uint8Array)) return 'binary'
  return all((v) => typeof v === 'string' && parseDay(v) !== undefined) ? 'date' : 'string'
}
