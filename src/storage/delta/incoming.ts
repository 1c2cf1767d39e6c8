/** Rows on their way in: a temporary table with columns of the table, its keys checked. */
import { LakeError } from '../../model/errors.ts'
import { refuseRowNumber } from '../../model/name.ts'
import type { Schema } from '../../model/schema.ts'
import { fieldOf, findField, typeText } from '../../model/schema.ts'
import type { Session } from '../parquet/database.ts'
import type { InputColumns, InputRow } from '../parquet/ingest.ts'
import { columnsNamed, columnsOfRows, receiveInput } from '../parquet/ingest.ts'
import { relationSchema } from '../parquet/inspect.ts'
import { identifier, identifiers } from '../parquet/sql.ts'
import { castColumn, duckdbType, losslessCast } from '../parquet/types.ts'
import type { Value } from '../parquet/values.ts'
import { keyFacts } from './key-facts.ts'
import type { Range } from './prune.ts'
import { checkRequired } from './required.ts'
import type { StageContext } from './stage.ts'
import { temporaryName } from './stage.ts'

/**
 * Rows as objects, as whole columns, as a SELECT that the transaction's connection can run, or as a temporary table
 * of that connection, which is read where it stands and left alone.
 */
export type Input =
  | readonly InputRow[]
  | InputColumns
  | { readonly sql: string }
  | { readonly temporaryTable: string }

/** What to do with two rows of one key in one batch. */
export type OnDuplicate = 'error' | 'last'

/** A temporary table of rows; `schema` is the part of the table's columns that it has. */
export interface Incoming {
  readonly name: string
  readonly schema: Schema
  readonly rows: number
  /** The table is the caller's and is not dropped. */
  readonly kept?: boolean
  /** The rows stand in the order of the table's clustering. */
  readonly sorted?: boolean
  /** What the rows span on columns of the key whose values compare in files as they do here. */
  readonly spans?: readonly Range[]
}

/** Puts rows into a temporary table with the types of the table. */
export async function receive(context: StageContext, input: Input): Promise<Incoming> {
  const incoming = await fill(context, input)
  try {
    refuseRowNumber(incoming.schema.fields.map((f) => f.name))
    await checkRequired(context, incoming)
  } catch (error) {
    forget(context.session, incoming)
    throw error
  }
  return incoming
}

async function fill(context: StageContext, input: Input): Promise<Incoming> {
  const { session, snapshot, table } = context
  const name = temporaryName('incoming')
  if ('sql' in input) return receiveSql(context, name, input.sql)
  if ('temporaryTable' in input) {
    const rows = await countOf(session, input.temporaryTable)
    return receiveTable(context, name, input.temporaryTable, rows)
  }
  if (!('columns' in input) && input.length === 0)
    return { name, schema: columnsOfRows(snapshot.schema, input, table), rows: 0 }
  return { name, ...(await receiveInput(session, name, snapshot.schema, input, table)) }
}

/** A SELECT is bound and run once; only where its types are not the table's it is copied with casts. */
async function receiveSql(context: StageContext, name: string, sql: string): Promise<Incoming> {
  const { session } = context
  const raw = temporaryName('selected')
  const rows = await session.share(raw, `SELECT * FROM (${sql})`)
  let received: Incoming | undefined
  try {
    received = await receiveTable(context, name, raw, rows)
    return { ...received, kept: false }
  } finally {
    if (received?.name !== raw) forget(session, { name: raw })
  }
}

/** A temporary table as it stands where its types are the table's, else a copy with casts. */
async function receiveTable(
  context: StageContext,
  name: string,
  from: string,
  rows: number,
): Promise<Incoming> {
  const { session, snapshot, table } = context
  const source = await relationSchema(session, `SELECT * FROM ${identifier(from)}`)
  const names = source.columns.map((column) => column.name)
  const schema = columnsNamed(snapshot.schema, names, table)
  checkTypes(source.schema, schema, table)
  const typed = source.columns.every(
    (column) => column.duckdbType === duckdbType(fieldOf(schema, column.name, table).type),
  )
  if (typed) return { name: from, schema, rows, kept: true }
  const casts = schema.fields.map((f) => castColumn(f)).join(', ')
  await session.share(name, `SELECT ${casts} FROM ${identifier(from)}`)
  return { name, schema, rows }
}

async function countOf(session: Session, table: string): Promise<number> {
  const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${identifier(table)}`)
  return Number(n)
}

/** Only widening without loss: integer to a larger integer, float to double, decimals that hold more. */
function checkTypes(source: Schema, target: Schema, table: string): void {
  for (const want of target.fields) {
    const have = fieldOf(source, want.name, 'input')
    if (losslessCast(have.type, want.type)) continue
    const message = `column ${want.name} is ${typeText(have.type)}, table ${table} has ${typeText(want.type)}`
    throw new LakeError('TYPE_MISMATCH', message, {
      details: { table, column: want.name, expected: want.type, found: have.type },
      next: 'Cast the column to the type of the table first.',
    })
  }
}

/** Drops temporary tables, those of a caller apart, without waiting for it. */
export function forget(
  session: Session,
  ...tables: readonly Pick<Incoming, 'name' | 'kept'>[]
): void {
  session.dropLater(tables.flatMap(({ name, kept }) => (kept ? [] : [name])))
}

/** Refuses NULL in a key and, by mode, refuses or resolves keys that come twice. */
export async function checkKeys(
  context: StageContext,
  incoming: Incoming,
  key: readonly string[],
  onDuplicate: OnDuplicate,
): Promise<Incoming> {
  for (const column of key) {
    if (!findField(incoming.schema, column)) {
      throw new LakeError(
        'COLUMN_NOT_FOUND',
        `the rows for ${context.table} have no key column ${column}`,
        {
          details: { table: context.table, column, key },
          next: `Every row needs the key (${key.join(', ')}).`,
        },
      )
    }
  }
  const order = await orderOf(context, incoming)
  if (order === 'increasing' && sameNames(key, context.shape.clustering))
    return { ...incoming, sorted: true }
  const facts = await keyFacts(context.session, incoming, key)
  if (facts.nulls > 0) throw await nullKey(context, incoming, key, facts.nulls)
  const { spans } = facts
  if (facts.distinct === facts.rows) return { ...incoming, sorted: order !== 'none', spans }
  if (onDuplicate === 'error')
    throw await duplicateKeys(context, incoming, key, facts.rows - facts.distinct)
  return keepLast(context, incoming, key)
}

/** No column of a user begins with this. */
const BEFORE = 'marketlake_before_'
/** Below this, rows are counted and sorted faster than they are looked at. */
const ORDER_ROWS_MIN = 20_000

/**
 * Whether the rows come in the order of the clustering, as exports mostly do: `increasing` without two alike, which
 * also shows that no key repeats and none is NULL, in a quarter of the time that grouping takes. Each row is held
 * against the one before it. Exactly one row has none before it: were the rows ever looked at in several runs, there
 * would be several such rows, and nothing is taken for sorted.
 */
async function orderOf(
  context: StageContext,
  incoming: Incoming,
): Promise<'increasing' | 'sorted' | 'none'> {
  const columns = context.shape.clustering
  const all = columns.length > 0 && columns.every((name) => findField(incoming.schema, name))
  if (!all || incoming.rows < ORDER_ROWS_MIN) return 'none'
  const now = columns.map((name) => identifier(name))
  const before = now.map((_, i) => `${BEFORE}${i}`)
  const known = now.map((name) => `${name} IS NOT NULL`).join(' AND ')
  const { unordered, repeated } = await context.session.row<{
    unordered: bigint
    repeated: bigint
  }>(
    `SELECT count(*) FILTER (step IS NULL OR step < 0) AS unordered,
            count(*) FILTER (step IS NULL OR step <= 0) AS repeated
     FROM (SELECT CASE WHEN ${known} THEN ${stepSql(now, before)} END AS step
           FROM (SELECT ${now.map((name, i) => `${name}, lag(${name}) OVER () AS ${before[i]!}`).join(', ')}
                 FROM ${identifier(incoming.name)}))`,
  )
  if (unordered !== 1n) return 'none'
  return repeated === 1n ? 'increasing' : 'sorted'
}

/** 1 where one tuple is after another, 0 where they are alike, -1 where it is before it; NULL where one is not known. */
function stepSql(now: readonly string[], before: readonly string[]): string {
  return now.reduceRight(
    (rest, name, i) =>
      `CASE WHEN ${name} = ${before[i]!} THEN ${rest} WHEN ${name} > ${before[i]!} THEN 1 WHEN ${name} < ${before[i]!} THEN -1 END`,
    '0',
  )
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}

async function nullKey(
  context: StageContext,
  incoming: Incoming,
  key: readonly string[],
  count: number,
): Promise<LakeError> {
  const anyNull = key.map((name) => `${identifier(name)} IS NULL`).join(' OR ')
  const { first } = await context.session.row<{ first: bigint }>(
    `SELECT min(rowid) + 1 AS first FROM ${identifier(incoming.name)} WHERE ${anyNull}`,
  )
  const message = `NULL in the key (${key.join(', ')}) of ${rowCount(count)} for ${context.table}; first: row ${first}`
  return new LakeError('NULL_KEY', message, {
    details: { table: context.table, key, count, row: Number(first) },
    next: 'Fill or remove these rows.',
  })
}

async function duplicateKeys(
  context: StageContext,
  incoming: Incoming,
  key: readonly string[],
  count: number,
): Promise<LakeError> {
  const examples = await context.session.rows<Readonly<Record<string, Value>>>(
    `SELECT ${identifiers(key)} FROM ${identifier(incoming.name)} GROUP BY ALL HAVING count(*) > 1
     ORDER BY ALL LIMIT 3`,
  )
  const shown = examples.map((row) => key.map((name) => cellText(row[name] ?? null)).join(' '))
  const message = `${rowCount(count)} for ${context.table} repeat a key (${key.join(', ')}), for example: ${shown.join('; ')}`
  return new LakeError('DUPLICATE_KEY', message, {
    details: { table: context.table, key, count, examples: shown },
    next: 'Remove the repetitions, or take the last of each with `--on-duplicate last`.',
  })
}

function cellText(value: Value): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

async function keepLast(
  context: StageContext,
  incoming: Incoming,
  key: readonly string[],
): Promise<Incoming> {
  const name = temporaryName('distinct')
  await context.session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS SELECT ${identifiers(incoming.schema.fields.map((f) => f.name))}
     FROM ${identifier(incoming.name)}
     QUALIFY row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY rowid DESC) = 1`,
  )
  forget(context.session, incoming)
  return { name, schema: incoming.schema, rows: await countOf(context.session, name) }
}

/** A SELECT over incoming rows with all columns of the table; those that did not come are NULL. */
export function completeSql(schema: Schema, incoming: Incoming, where = ''): string {
  const columns = schema.fields.map((f) =>
    findField(incoming.schema, f.name) ? identifier(f.name) : castColumn(f, 'NULL'),
  )
  return `SELECT ${columns.join(', ')} FROM ${identifier(incoming.name)}${where && ` WHERE ${where}`}`
}

function rowCount(count: unknown): string {
  return `${String(count)} ${Number(count) === 1 ? 'row' : 'rows'}`
}
