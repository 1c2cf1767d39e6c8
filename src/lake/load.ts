/** Loads files of users into a table: created from the file when absent, checked against the table when not. */
import { LakeError } from '../model/errors.ts'
import { checkTableName } from '../model/name.ts'
import type { Field, Schema } from '../model/schema.ts'
import { field, fieldOf, findField, schemaOf } from '../model/schema.ts'
import { VINTAGE_COLUMNS, standardTable } from '../model/standard-tables.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { Layout } from '../model/table.ts'
import type { Input, OnDuplicate } from '../storage/delta/incoming.ts'
import { temporaryName } from '../storage/delta/stage.ts'
import type { RowCounts } from '../storage/delta/stage.ts'
import type { LakeOutcome } from '../storage/lake/outcome.ts'
import type { Transaction } from '../storage/lake/transaction.ts'
import { localFiles } from '../storage/files/local.ts'
import type { Session } from '../storage/parquet/database.ts'
import { relationSchema } from '../storage/parquet/inspect.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { inferTypes } from './cell-types.ts'
import { parseCell } from './cell-values.ts'
import { csvError } from './csv-file.ts'
import {
  checkCells,
  checkInputFile,
  formatOf,
  inputRelation,
  refuseNanoseconds,
  storableTypes,
  withTimezone,
} from './input-file.ts'
import { isEncodingError, withUtf8Copies } from './gbk-file.ts'
import { refuseRounded } from './json-file.ts'
import type { Lake } from './lake.ts'

/** How files are loaded. */
export interface LoadOptions {
  readonly mode?: 'upsert' | 'append' | 'replace'
  /** Columns that identify a row; needed for a new table unless it is append-only. */
  readonly key?: readonly string[]
  readonly onDuplicate?: OnDuplicate
  /** How a new table is laid out; by default as lake.toml says where it has a column symbol. */
  readonly layout?: Layout
  /** Zone of timestamps that have none, or `ntz` to keep them without. */
  readonly timezone?: string
  readonly timeoutMs?: number
}

/** What a load did. */
export interface LoadResult {
  readonly outcome: LakeOutcome
  /** Columns that the table did not have before. */
  readonly addedColumns: readonly string[]
  readonly created: boolean
}

/** Loads files of one format into a table, all in one commit. */
export async function loadFiles(
  lake: Lake,
  table: string,
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<LoadResult> {
  checkTableName(table)
  if (paths.length === 0) throw new LakeError('INVALID_ARGUMENT', 'name at least one file to load')
  for (const path of paths) await checkInputFile(lake.store.files, path)
  const result = { addedColumns: [] as string[], created: false }
  const defaultLayout = lake.config.tables.layout
  const outcome = await lake.write(
    `${table} from ${paths.length === 1 ? paths[0]!.split('/').at(-1) : `${paths.length} files`}`,
    async (tx) => {
      const load = (): ReturnType<typeof loadInto> =>
        loadInto(tx, table, paths, { ...options, defaultLayout })
      const done = await hurried(lake, load)
      Object.assign(result, { addedColumns: done.addedColumns, created: done.created })
    },
    { operation: 'LOAD', timeoutMs: options.timeoutMs ?? 600_000 },
  )
  return { outcome, ...result }
}

/** A load is waited for: unless lake.toml says how many threads there are, it gets all cores. */
async function hurried<T>(lake: Lake, work: () => Promise<T>): Promise<T> {
  if (lake.config.limits.threads !== 0) return work()
  return (await lake.database()).withAllCores(work)
}

/** Stages files of one format into a table, inside a transaction of the caller. */
export async function loadInto(
  tx: Transaction,
  table: string,
  paths: readonly string[],
  options: LoadOptions & { readonly defaultLayout: Layout },
): Promise<{ addedColumns: string[]; created: boolean; rows: number }> {
  const { session } = tx
  const sql = await readFiles(session, paths, options)
  const target = await targetSchema(tx, table)
  const source = await typedSource(session, sql, target, table, options.timezone)
  const created = await ensureTable(tx, table, source.schema, options)
  checkKeyOption(await shapeKey(tx, table), options, table)
  const added = created ? [] : await widen(tx, table, source.schema)
  const ready = await forStandardTable(session, table, source)
  const { inserted, updated, unchanged } = await write(tx, table, ready, options)
  return { addedColumns: added, created, rows: inserted + updated + unchanged }
}

/** The files as a temporary table in the order of their rows, so that errors can name rows. */
async function readFiles(
  session: Session,
  paths: readonly string[],
  options: LoadOptions,
): Promise<{ name: string; untyped: boolean }> {
  const formats = new Set(paths.map(formatOf))
  if (formats.size > 1) {
    throw new LakeError(
      'INVALID_ARGUMENT',
      `files of several formats: ${[...formats].join(', ')}`,
      {
        next: 'Load each format apart.',
      },
    )
  }
  try {
    return await materialize(session, paths, options)
  } catch (error) {
    if (!formats.has('csv') || !isEncodingError(error)) throw csvError(error, paths)
    return withUtf8Copies(localFiles, paths, (copies) =>
      materialize(session, copies, options).catch((failed: unknown) =>
        Promise.reject(csvError(failed, paths)),
      ),
    )
  }
}

async function materialize(
  session: Session,
  paths: readonly string[],
  options: LoadOptions,
): Promise<{ name: string; untyped: boolean }> {
  const relation = await inputRelation(session, paths, formatOf(paths[0]!))
  const name = temporaryName('file')
  await session.run(`CREATE OR REPLACE TEMP VIEW ${identifier(`${name}_raw`)} AS ${relation.sql}`)
  const raw = `SELECT * FROM ${identifier(`${name}_raw`)}`
  const described = await session.materialize(`${raw} LIMIT 0`)
  const columns = described
    .columnNames()
    .map((column, i) => ({ name: column, duckdbType: described.columnType(i).toString() }))
  refuseRounded(columns, relation.rounded)
  await refuseNanoseconds(session, raw, columns)
  const storable = storableTypes(withTimezone(raw, columns, options.timezone), columns)
  const share = (): Promise<number> => session.share(name, storable)
  await (columns.length >= WIDE_COLUMNS && session.threads <= 2 ? session.apart(share) : share())
  return { name, untyped: relation.untyped }
}

/**
 * Two threads read a wide file no faster than one: what they gain they lose again by putting their parts into one
 * table, which takes up to twice the processor time.
 */
const WIDE_COLUMNS = 32

async function targetSchema(tx: Transaction, table: string): Promise<Schema | undefined> {
  if (tx.has(table)) return (await tx.work(table)).current.schema
  return standardTable(table)?.schema
}

interface Source {
  readonly name: string
  readonly schema: Schema
}

/** Text columns get the type of the table, or the type their values show. */
async function typedSource(
  session: Session,
  file: { readonly name: string; readonly untyped: boolean },
  target: Schema | undefined,
  table: string,
  timezone: string | undefined,
): Promise<Source> {
  const { schema } = await relationSchema(session, `SELECT * FROM ${identifier(file.name)}`)
  if (!file.untyped)
    return datesFromText(session, { name: file.name, schema }, target, table, timezone)
  const names = schema.fields.map((f) => f.name)
  const inferred = await inferTypes(session, file.name, names, timezone)
  const columns = names.map((name) => {
    const known = target && findField(target, name)
    return field(name, known?.type ?? inferred.get(name)!)
  })
  const whole = new Set(
    columns.flatMap(({ name, type }) =>
      type === 'long' && !(target && findField(target, name)) ? [name] : [],
    ),
  )
  return parseColumns(session, file.name, columns, { table, timezone, whole })
}

interface Parsing {
  readonly table: string
  readonly timezone: string | undefined
  /** Columns that were found to hold whole numbers and nothing else. */
  readonly whole: ReadonlySet<string>
}

async function parseColumns(
  session: Session,
  name: string,
  columns: readonly Field[],
  { table, timezone, whole }: Parsing,
): Promise<Source> {
  const doubtful = columns.filter((f) => !whole.has(f.name))
  await checkCells(session, name, doubtful, table, timezone)
  const typed = temporaryName('typed')
  const select = columns.map((f) => {
    const text = identifier(f.name)
    return whole.has(f.name)
      ? `CAST(nullif(${text}, '') AS BIGINT) AS ${text}`
      : `${parseCell(f, text, timezone)} AS ${text}`
  })
  await session.share(typed, `SELECT ${select.join(', ')} FROM ${identifier(name)}`)
  return { name: typed, schema: schemaOf(columns) }
}

/** JSON and some Parquet files write dates as text; where the table wants a date, the text is read as one. */
async function datesFromText(
  session: Session,
  source: Source,
  target: Schema | undefined,
  table: string,
  timezone: string | undefined,
): Promise<Source> {
  const columns = source.schema.fields.map((f) => {
    const wanted = target && findField(target, f.name)?.type
    return f.type === 'string' && (wanted === 'date' || wanted === 'timestamp')
      ? { ...f, type: wanted }
      : f
  })
  const parsed = columns.filter((f, i) => f !== source.schema.fields[i])
  if (parsed.length === 0) return source
  await checkCells(session, source.name, parsed, table, timezone)
  const replace = parsed.map(
    (f) => `${parseCell(f, identifier(f.name), timezone)} AS ${identifier(f.name)}`,
  )
  const typed = temporaryName('typed')
  await session.share(
    typed,
    `SELECT * REPLACE (${replace.join(', ')}) FROM ${identifier(source.name)}`,
  )
  return { name: typed, schema: schemaOf(columns) }
}

async function ensureTable(
  tx: Transaction,
  table: string,
  schema: Schema,
  options: LoadOptions & { readonly defaultLayout: Layout },
): Promise<boolean> {
  if (tx.has(table)) return false
  const standard = standardTable(table)
  if (standard) return (await tx.ensure(standard)) === 'created'
  const key = options.key ?? []
  if (key.length === 0 && options.mode !== 'append') {
    throw new LakeError(
      'INVALID_ARGUMENT',
      `table ${table} is new, and nothing says what identifies a row`,
      {
        details: { table, columns: schema.fields.map((f) => f.name) },
        next: 'Name the key (--key symbol,end_date), or append without one (--mode append).',
      },
    )
  }
  const named = key.map((name) => fieldOf(schema, name, table).name)
  const fallback = findField(schema, 'symbol') ? options.defaultLayout : 'clustered'
  const layout = options.layout ?? fallback
  const created = await tx.ensure({
    name: table,
    schema: withoutNullability(schema),
    key: named,
    layout,
  })
  return created === 'created'
}

function withoutNullability(schema: Schema): Schema {
  return schemaOf(schema.fields.map((f) => ({ ...f, nullable: true })))
}

async function shapeKey(tx: Transaction, table: string): Promise<readonly string[]> {
  return (await tx.work(table)).shape.key
}

function checkKeyOption(key: readonly string[], options: LoadOptions, table: string): void {
  const asked = options.key
  if (asked === undefined) return
  const same = asked.map((k) => k.toLowerCase()).join() === key.map((k) => k.toLowerCase()).join()
  if (same) return
  throw new LakeError(
    'INVALID_ARGUMENT',
    `the key of table ${table} is (${key.join(', ')}), not (${asked.join(', ')})`,
    {
      details: { table, key, asked },
      next: 'Leave --key out, or load into another table.',
    },
  )
}

async function widen(tx: Transaction, table: string, schema: Schema): Promise<string[]> {
  const { current, shape } = await tx.work(table)
  const added = schema.fields.filter((f) => !findField(current.schema, f.name))
  const assigned = added.filter((f) => shape.vintage && VINTAGE_COLUMNS.includes(f.name))
  if (added.length > assigned.length) await tx.widen(table, added)
  return added.map((f) => f.name)
}

/** Standard tables store symbols in one form; reports from files say so. */
async function forStandardTable(session: Session, table: string, source: Source): Promise<Input> {
  const standard = standardTable(table)
  if (!standard || !findField(source.schema, 'symbol')) return { temporaryTable: source.name }
  const map = await symbolMap(session, source.name, table)
  const columns = source.schema.fields.map((f) =>
    f.name.toLowerCase() === 'symbol' ? 'm.normal AS symbol' : `s.${identifier(f.name)}`,
  )
  const extra =
    standard.vintage && !findField(source.schema, 'origin') ? `, 'backfill' AS origin` : ''
  return {
    sql: `SELECT ${columns.join(', ')}${extra} FROM ${identifier(source.name)} s
          LEFT JOIN ${identifier(map)} m ON s.symbol = m.given`,
  }
}

async function symbolMap(session: Session, source: string, table: string): Promise<string> {
  const given = await session.rows<{ symbol: string }>(
    `SELECT DISTINCT symbol FROM ${identifier(source)} WHERE symbol IS NOT NULL`,
  )
  const pairs = given.map(({ symbol }) => {
    const normal = parseSymbol(symbol)
    if (normal !== undefined) return `(${literal(symbol)}, ${literal(normal)})`
    throw new LakeError(
      'TYPE_MISMATCH',
      `${table}.symbol: ${JSON.stringify(symbol)} is no stock symbol`,
      {
        details: { table, column: 'symbol', value: symbol },
        next: 'Write 600519, 600519.SH or sh600519; other instruments go into a table of their own.',
      },
    )
  })
  const name = temporaryName('symbols')
  const values = pairs.length > 0 ? `VALUES ${pairs.join(', ')}` : 'SELECT NULL, NULL WHERE false'
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS SELECT * FROM (${values}) t(given, normal)`,
  )
  return name
}

async function write(
  tx: Transaction,
  table: string,
  input: Input,
  options: LoadOptions,
): Promise<RowCounts> {
  const how = { onDuplicate: options.onDuplicate ?? ('error' as const) }
  switch (options.mode ?? 'upsert') {
    case 'upsert':
      return tx.upsert(table, input, how)
    case 'append':
      return tx.append(table, input, how)
    case 'replace':
      return tx.replace(table, input, how)
  }
}
