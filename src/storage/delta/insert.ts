/** New rows: each goes into a new file, by the layout and the partitions of the table. */
import type { Field } from '../../model/schema.ts'
import type { Session } from '../parquet/database.ts'
import { identifier } from '../parquet/sql.ts'
import type { AddFile, PartitionValues, RemoveFile } from './actions.ts'
import type { Incoming } from './incoming.ts'
import { completeSql } from './incoming.ts'
import { planFiles } from './layout.ts'
import {
  checkPartitionValues,
  partitionCondition,
  partitionDirectory,
  partitionFields,
  partitionText,
} from './partition.ts'
import { relationSql } from './relation.ts'
import { checkComplete } from './required.ts'
import type { FileSpec, StageContext } from './stage.ts'
import { removeOf, writeAll, writeFile } from './stage.ts'

/** Files for which another connection is worth opening. */
const FILES_PER_CONNECTION = 2
/** Each connection holds rows of the files that it writes. */
const CONNECTIONS_MAX = 8

/** Files written for new rows, and files they replace (in the per-symbol layout). */
export interface Inserted {
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
}

/** Writes the rows of a temporary table, none of whose keys is in the table, into new files. */
export async function insertRows(context: StageContext, rows: Incoming): Promise<Inserted> {
  if (rows.rows === 0) return { adds: [], removes: [] }
  checkComplete(context, rows)
  const fields = partitionFields(context.snapshot, context.table)
  return fields.length > 0
    ? insertPartitioned(context, rows, fields)
    : insertClustered(context, rows)
}

async function insertClustered(context: StageContext, rows: Incoming): Promise<Inserted> {
  const { schema } = context.snapshot
  const places = await planFiles(context, rows)
  const sessions = await writersOf(context.session, rows, places.length)
  const write = (): Promise<AddFile[]> =>
    writeAll(sessions, places, (where, _, session) =>
      writeFile(
        { ...context, session },
        { sql: completeSql(schema, rows, where), typed: true, sorted: rows.sorted ?? false },
      ),
    )
  const adds = await (sessions.length > 1 ? context.session.apart(write) : write())
  return { adds, removes: [] }
}

/** A file of ours is too small for several threads, so that many files are written on a connection a core. */
async function writersOf(session: Session, rows: Incoming, files: number): Promise<Session[]> {
  if (!session.isShared(rows.name)) return [session]
  const most = Math.floor(files / FILES_PER_CONNECTION)
  const connections = Math.min(session.threads, most, CONNECTIONS_MAX)
  return [session, ...(await session.siblings(Math.max(connections - 1, 0)))]
}

async function insertPartitioned(
  context: StageContext,
  rows: Incoming,
  fields: readonly Field[],
): Promise<Inserted> {
  const removes: RemoveFile[] = []
  const stored = context.shape.layout === 'per-symbol'
  const partitions = await partitionsOf(context, rows, fields)
  for (const values of partitions) checkPartitionValues(fields, values, context.table)
  const adds = await writeAll([context.session], partitions, (values) => {
    // In the per-symbol layout a symbol keeps one file: new rows are merged into it.
    const old = stored ? filesOf(context, fields, values) : []
    const fresh = completeSql(context.snapshot.schema, rows, partitionCondition(fields, values))
    const kept =
      old.length > 0 ? ` UNION ALL ${relationSql(context.directory, context.snapshot, old)}` : ''
    removes.push(...old.map((file) => removeOf(file, context.effects.now())))
    return writePartition(context, values, `${fresh}${kept}`, { typed: true })
  })
  return { adds, removes }
}

async function partitionsOf(
  context: StageContext,
  rows: Incoming,
  fields: readonly Field[],
): Promise<PartitionValues[]> {
  const texts = fields.map((f) => `${partitionText(f)} AS ${identifier(f.name)}`)
  const sql = completeSql(context.snapshot.schema, rows)
  return context.session.rows<Record<string, string | null>>(
    `SELECT DISTINCT ${texts.join(', ')} FROM (${sql}) ORDER BY ALL`,
  )
}

function filesOf(
  context: StageContext,
  fields: readonly Field[],
  values: PartitionValues,
): AddFile[] {
  return [...context.snapshot.files.values()].filter((file) =>
    fields.every((f) => (file.partitionValues[f.name] ?? null) === (values[f.name] ?? null)),
  )
}

/** Writes a file into the directory of its partition. The file holds the partition columns too. */
export function writePartition(
  context: StageContext,
  values: PartitionValues,
  sql: string,
  options: Pick<FileSpec, 'dataChange' | 'typed'> = {},
): Promise<AddFile | undefined> {
  const columns = context.snapshot.metadata.partitionColumns
  return writeFile(context, {
    sql,
    ...(columns.length > 0 && { subdirectory: partitionDirectory(columns, values) }),
    partitionValues: values,
    ...options,
  })
}
