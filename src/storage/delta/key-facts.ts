/** What the keys of incoming rows are like: how many, how many alike, how many NULL, and what they span. */
import type { Field, Schema } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
import type { Session } from '../parquet/database.ts'
import { identifier, identifiers } from '../parquet/sql.ts'
import type { Row, Value } from '../parquet/values.ts'
import type { Range } from './prune.ts'

/** A temporary table of rows, and the columns it has. */
interface Rows {
  readonly name: string
  readonly schema: Schema
  readonly rows: number
}

/** Facts about keys. */
export interface KeyFacts {
  readonly rows: number
  readonly distinct: number
  /** Rows with a NULL in the key. */
  readonly nulls: number
  /** Known where no key is NULL. */
  readonly spans: readonly Range[]
}

/** Looks at all keys. */
export async function keyFacts(
  session: Session,
  incoming: Rows,
  key: readonly string[],
): Promise<KeyFacts> {
  return (await factsOfFew(session, incoming, key)) ?? factsOfMany(session, incoming, key)
}

/** Up to a vector of keys is looked at here: a grouping of the engine takes longer to begin than they take to hand out. */
const FEW_ROWS_MAX = 2048
const DAY = /^\d{4}-\d{2}-\d{2}$/
/** Such texts compare here as they do in files. */
// oxlint-disable-next-line no-control-regex
const ASCII = /^[\0-\x7f]*$/
/** Types whose values are alike here if they are in the engine. */
const EXACT = new Set(['string', 'date', 'byte', 'short', 'integer', 'long'])

/** Undefined where the engine has to look at them: many keys, or values that do not compare here as they do there. */
async function factsOfFew(
  session: Session,
  incoming: Rows,
  key: readonly string[],
): Promise<KeyFacts | undefined> {
  const types = key.map((name) => findField(incoming.schema, name)?.type)
  const exact = types.every((type) => typeof type === 'string' && EXACT.has(type))
  if (!exact || incoming.rows === 0 || incoming.rows > FEW_ROWS_MAX) return undefined
  // By place: a table of a caller may spell its columns otherwise.
  const { rows: keys } = await session.table(
    `SELECT ${identifiers(key)} FROM ${identifier(incoming.name)}`,
  )
  if (!arePlain(keys, types)) return undefined
  const known = keys.filter((values) => !values.includes(null))
  return {
    rows: keys.length,
    distinct: new Set(keys.map((values) => JSON.stringify(values.map(exactText)))).size,
    nulls: keys.length - known.length,
    spans: known.length === keys.length ? spansOfKeys(incoming, key, keys) : [],
  }
}

type Plain = string | number | bigint | null

function arePlain(
  keys: readonly (readonly Value[])[],
  types: readonly unknown[],
): keys is readonly (readonly Plain[])[] {
  return keys.every((values) =>
    values.every((value, i) => {
      if (typeof value === 'string') return (types[i] === 'date' ? DAY : ASCII).test(value)
      return value === null || typeof value === 'number' || typeof value === 'bigint'
    }),
  )
}

function exactText(value: Plain): string | null {
  return value === null ? null : String(value)
}

function spansOfKeys(
  incoming: Rows,
  key: readonly string[],
  keys: readonly (readonly Plain[])[],
): Range[] {
  return spannedFields(incoming, key).map(({ name }) => {
    const values = keys.map((row) => row[key.indexOf(name)] as string | number)
    const least = values.reduce((a, b) => (b < a ? b : a))
    const most = values.reduce((a, b) => (b > a ? b : a))
    return { column: name, min: least, max: most }
  })
}

/** No column of a user has this name. */
const COUNT = 'marketlake_count'

async function factsOfMany(
  session: Session,
  incoming: Rows,
  key: readonly string[],
): Promise<KeyFacts> {
  const anyNull = key.map((name) => `${identifier(name)} IS NULL`).join(' OR ')
  const spans = spanColumns(incoming, key).map((column) => `, ${column}`)
  const row = await session.row<Row & Record<'rows' | 'distinct' | 'nulls', bigint>>(
    `SELECT CAST(coalesce(sum(${COUNT}), 0) AS BIGINT) AS rows, count(*) AS distinct,
            CAST(coalesce(sum(${COUNT}) FILTER (${anyNull}), 0) AS BIGINT) AS nulls${spans.join('')}
     FROM (SELECT ${identifiers(key)}, count(*) AS ${COUNT} FROM ${identifier(incoming.name)} GROUP BY ALL)`,
  )
  return {
    rows: Number(row.rows),
    distinct: Number(row.distinct),
    nulls: Number(row.nulls),
    spans: spansOf(incoming, key, row),
  }
}

const SPANNED = new Set(['string', 'date', 'byte', 'short', 'integer'])

function spannedFields(incoming: Rows, key: readonly string[]): Field[] {
  const fields = key.flatMap((name) => findField(incoming.schema, name) ?? [])
  return fields.filter((f) => typeof f.type === 'string' && SPANNED.has(f.type))
}

function spanColumns(incoming: Rows, key: readonly string[]): string[] {
  return spannedFields(incoming, key).map(({ name }, i) => {
    const column = identifier(name)
    return `min(${column}) AS least_${i}, max(${column}) AS most_${i}`
  })
}

function spansOf(incoming: Rows, key: readonly string[], row: Row): Range[] {
  return spannedFields(incoming, key).flatMap((f, i) => {
    const [min, max] = [row[`least_${i}`] as string | number, row[`most_${i}`] as string | number]
    // Dates outside four-digit years do not compare as text.
    const plain = f.type !== 'date' || [min, max].every((day) => /^\d{4}-/.test(String(day)))
    return plain ? [{ column: f.name, min, max }] : []
  })
}

/** What rows span, asked where their keys were not looked at. */
export async function spansOfRows(
  session: Session,
  incoming: Rows,
  key: readonly string[],
): Promise<readonly Range[]> {
  const columns = spanColumns(incoming, key)
  if (columns.length === 0) return []
  const sql = `SELECT ${columns.join(', ')} FROM ${identifier(incoming.name)}`
  return spansOf(incoming, key, await session.row(sql))
}
