/** The outbox in the old file: batches enter it in the transaction that writes the old tables, and leave for the lake. */
import { LakeError } from '../model/errors.ts'
import { findField } from '../model/schema.ts'
import type { Schema } from '../model/schema.ts'
import { temporaryName } from '../storage/delta/stage.ts'
import type { Migration } from '../storage/lake/migration-state.ts'
import type { Session } from '../storage/parquet/database.ts'
import type { InputColumns, InputRow } from '../storage/parquet/ingest.ts'
import { receiveInput } from '../storage/parquet/ingest.ts'
import { relationSchema } from '../storage/parquet/inspect.ts'
import { equalOn, identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import { OLD, oldTable } from './old-file.ts'
import { prepareSymbols } from './sides.ts'

/** The schema of ours in the old file. */
export const OUTBOX_SCHEMA = 'marketlake'

/** Rows for one old table, by the old file's names. */
export interface OldRows {
  readonly table: string
  readonly mode: 'upsert' | 'append'
  readonly key: readonly string[]
  /** Columns that must hold stock symbols, because the lake stores these in another form. */
  readonly symbols: readonly string[]
  readonly rows: readonly InputRow[] | InputColumns
}

/** A part of a batch that waits for the lake. */
export interface PendingPart {
  readonly seq: number
  readonly table: string
  readonly mode: 'upsert' | 'append'
  readonly columns: readonly string[]
  readonly rows: number
}

/** A batch that waits for the lake. */
export interface PendingBatch {
  readonly outbox: string
  readonly seq: number
  readonly parts: readonly PendingPart[]
}

const IN_OUTBOX = `${identifier(OLD)}.${OUTBOX_SCHEMA}`
const SEQ = 'marketlake_seq'

/**
 * Makes the outbox in a file that is attached for writing. A file that came back from a backup counts on after the
 * newest batch that the lake has of it: a number that was given once would be taken for a batch that the lake has.
 */
export async function ensureOutbox(
  session: Session,
  outbox: string,
  applied: Migration['batch'],
): Promise<void> {
  await session.run(
    `CREATE SCHEMA IF NOT EXISTS ${IN_OUTBOX};
     CREATE TABLE IF NOT EXISTS ${IN_OUTBOX}.outbox (outbox VARCHAR, seq BIGINT);
     CREATE TABLE IF NOT EXISTS ${IN_OUTBOX}.parts
       (seq BIGINT, "table" VARCHAR, mode VARCHAR, columns VARCHAR[], "rows" BIGINT, written_at TIMESTAMPTZ);
     INSERT INTO ${IN_OUTBOX}.outbox SELECT ${literal(outbox)}, 0
       WHERE NOT EXISTS (SELECT 1 FROM ${IN_OUTBOX}.outbox)`,
  )
  if (!applied) return
  const { outbox: same, seq } = applied
  await session.run(
    `UPDATE ${IN_OUTBOX}.outbox SET seq = ${seq} WHERE outbox = ${literal(same)} AND seq < ${seq}`,
  )
}

/** Batches that the lake has not, oldest first; also of a file that is attached for reading. */
export async function pendingBatches(
  session: Session,
  applied: Migration['batch'],
): Promise<PendingBatch[]> {
  const { n } = await session.row<{ n: bigint }>(
    `SELECT count(*) AS n FROM duckdb_tables() WHERE database_name = ${literal(OLD)}
     AND schema_name = '${OUTBOX_SCHEMA}' AND table_name IN ('outbox', 'parts')`,
  )
  if (n !== 2n) return []
  const [made] = await session.rows<{ outbox: string }>(`SELECT outbox FROM ${IN_OUTBOX}.outbox`)
  // Who made it was killed before its only row.
  if (!made) return []
  const { outbox } = made
  const after = applied?.outbox === outbox ? applied.seq : 0
  const parts = await session.rows<{
    seq: bigint
    table: string
    mode: 'upsert' | 'append'
    columns: string[]
    rows: bigint
  }>(
    `SELECT seq, "table", mode, columns, "rows" FROM ${IN_OUTBOX}.parts WHERE seq > ${after} ORDER BY seq`,
  )
  const batches = new Map<number, PendingPart[]>()
  for (const part of parts) {
    const seq = Number(part.seq)
    const one = { ...part, seq, rows: Number(part.rows) }
    batches.set(seq, [...(batches.get(seq) ?? []), one])
  }
  return [...batches].map(([seq, list]) => ({ outbox, seq, parts: list }))
}

/** Forgets batches that the lake holds. */
export async function forgetBatches(session: Session, upTo: number): Promise<void> {
  const tables = await session.rows<{ table: string }>(
    `SELECT DISTINCT "table" FROM ${IN_OUTBOX}.parts WHERE seq <= ${upTo}`,
  )
  if (tables.length === 0) return
  const deletes = tables.map(
    ({ table }) => `DELETE FROM ${rowsTable(table)} WHERE ${SEQ} <= ${upTo}`,
  )
  await transaction(session, async () => {
    await session.run(
      [...deletes, `DELETE FROM ${IN_OUTBOX}.parts WHERE seq <= ${upTo}`].join('; '),
    )
  })
}

/** Writes rows into old tables and into the outbox, in one transaction. Returns the number of the batch. */
export async function writeBatch(session: Session, parts: readonly OldRows[]): Promise<number> {
  const received: Received[] = []
  try {
    for (const part of parts) received.push(await receive(session, part))
    return await transaction(session, async () => {
      const { seq } = await session.row<{ seq: bigint }>(
        `UPDATE ${IN_OUTBOX}.outbox SET seq = seq + 1 RETURNING seq`,
      )
      for (const part of received) {
        await writeOld(session, part)
        await enqueue(session, part, seq)
      }
      return Number(seq)
    })
  } finally {
    const drops = received.map(({ name }) => `DROP TABLE IF EXISTS ${identifier(name)}`)
    if (drops.length > 0) await session.run(drops.join('; '))
  }
}

/** A SELECT of the rows of a part of a batch. */
export function pendingRows(part: PendingPart): string {
  return `SELECT ${identifiers(part.columns)} FROM ${rowsTable(part.table)} WHERE ${SEQ} = ${part.seq}`
}

function rowsTable(table: string): string {
  return `${IN_OUTBOX}.${identifier(`rows ${table}`)}`
}

async function transaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.run('BEGIN')
  try {
    const result = await work()
    await session.run('COMMIT')
    return result
  } catch (error) {
    await session.run('ROLLBACK').catch(() => undefined)
    throw error
  }
}

interface Received extends Omit<OldRows, 'rows'> {
  /** A temporary table. */
  readonly name: string
  readonly columns: readonly string[]
  readonly count: number
}

/** Rows as a temporary table. What the lake would refuse later is refused before anything is written. */
async function receive(session: Session, part: OldRows): Promise<Received> {
  const { schema: whole } = await relationSchema(session, `SELECT * FROM ${oldTable(part.table)}`)
  const name = temporaryName('old_rows')
  const { schema, rows: count } = await receiveInput(session, name, whole, part.rows, part.table)
  const columns = schema.fields.map((f) => f.name)
  const received = { ...part, name, columns, count }
  if (part.key.length > 0) await checkKey(session, received, schema)
  for (const column of part.symbols) await checkSymbols(session, received, column)
  return received
}

async function checkKey(session: Session, part: Received, schema: Schema): Promise<void> {
  const missing = part.key.find((column) => !findField(schema, column))
  if (missing !== undefined) {
    throw new LakeError(
      'COLUMN_NOT_FOUND',
      `the rows for ${part.table} have no key column ${missing}`,
      {
        details: { table: part.table, column: missing, key: part.key },
        next: `Every row needs the key (${part.key.join(', ')}).`,
      },
    )
  }
  const key = identifiers(part.key)
  const isNull = part.key.map((name) => `${identifier(name)} IS NULL`).join(' OR ')
  const [without] = await session.rows(
    `SELECT ${key} FROM ${identifier(part.name)} WHERE ${isNull} LIMIT 1`,
  )
  if (without) {
    throw new LakeError('NULL_KEY', `a row for ${part.table} has NULL in its key`, {
      details: { table: part.table, key: part.key, row: without },
      next: `Give every row a key (${part.key.join(', ')}).`,
    })
  }
  const twice = await session.rows(
    `SELECT ${key}, count(*) AS n FROM ${identifier(part.name)} GROUP BY ALL HAVING count(*) > 1 LIMIT 3`,
  )
  if (twice.length === 0) return
  throw new LakeError('DUPLICATE_KEY', `two rows of one key for ${part.table}`, {
    details: { table: part.table, key: part.key, examples: twice },
    next: 'Give each key once in a batch.',
  })
}

async function checkSymbols(session: Session, part: Received, column: string): Promise<void> {
  if (!part.columns.some((name) => name.toLowerCase() === column.toLowerCase())) return
  await prepareSymbols(session)
  const name = identifier(column)
  const [bad] = await session.rows<{ value: string }>(
    `SELECT ${name} AS value FROM ${identifier(part.name)} WHERE ${name} IS NOT NULL AND sym(${name}) IS NULL LIMIT 1`,
  )
  if (!bad) return
  throw new LakeError('TYPE_MISMATCH', `${part.table}.${column}: ${bad.value} is no stock symbol`, {
    details: { table: part.table, column, value: bad.value },
    next: 'Write 600519, 600519.SH or sh600519.',
  })
}

/** Columns that did not come keep their values, as in the lake. */
async function writeOld(session: Session, part: Received): Promise<void> {
  const [target, source] = [oldTable(part.table), identifier(part.name)]
  if (part.mode === 'append') {
    await session.run(`INSERT INTO ${target} BY NAME SELECT * FROM ${source}`)
    return
  }
  const lower = new Set(part.key.map((name) => name.toLowerCase()))
  const values = part.columns.filter((name) => !lower.has(name.toLowerCase()))
  const sets = values.map((name) => `${identifier(name)} = i.${identifier(name)}`)
  const match = equalOn(part.key, 't', 'i')
  if (sets.length > 0) {
    await session.run(
      `UPDATE ${target} AS t SET ${sets.join(', ')} FROM ${source} i WHERE ${match}`,
    )
  }
  await session.run(
    `INSERT INTO ${target} BY NAME SELECT * FROM ${source} i
     WHERE NOT EXISTS (SELECT 1 FROM ${target} t WHERE ${match})`,
  )
}

async function enqueue(session: Session, part: Received, seq: bigint): Promise<void> {
  await ensureRowsTable(session, part)
  await session.run(
    `INSERT INTO ${rowsTable(part.table)} BY NAME SELECT ${seq} AS ${SEQ}, * FROM ${identifier(part.name)}`,
  )
  const columns = part.columns.map(literal).join(', ')
  await session.run(
    `INSERT INTO ${IN_OUTBOX}.parts VALUES
     (${seq}, ${literal(part.table)}, ${literal(part.mode)}, [${columns}], ${part.count}, now())`,
  )
}

/** As wide as the old table, also when that got columns since. */
async function ensureRowsTable(session: Session, part: Received): Promise<void> {
  const target = rowsTable(part.table)
  await session.run(
    `CREATE TABLE IF NOT EXISTS ${target} AS
     SELECT CAST(0 AS BIGINT) AS ${SEQ}, * FROM ${oldTable(part.table)} LIMIT 0`,
  )
  const [have, want] = [
    await relationSchema(session, `SELECT * FROM ${target}`),
    await relationSchema(session, `SELECT * FROM ${oldTable(part.table)}`),
  ]
  for (const column of want.columns) {
    if (findField(have.schema, column.name)) continue
    await session.run(
      `ALTER TABLE ${target} ADD COLUMN ${identifier(column.name)} ${column.duckdbType}`,
    )
  }
}
