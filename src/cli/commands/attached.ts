/** `query`, `show` and `history` of Delta tables named with `--attach`. */
import type { AnalysisEngine } from '../../analysis/engine.ts'
import { AttachedEngine, attachTable } from '../../analysis/attached.ts'
import type { AttachedTable } from '../../analysis/attached.ts'
import { openLake } from '../../lake/lake.ts'
import { LakeError, hasCode } from '../../model/errors.ts'
import { typeText } from '../../model/schema.ts'
import { shapeOf } from '../../model/table.ts'
import { readerFeatures, unwritableFeatures } from '../../storage/delta/protocol.ts'
import { tableHistory } from '../../storage/delta/history.ts'
import type { TableCommitInfo } from '../../storage/delta/history.ts'
import { rowsOf } from '../../storage/delta/stats.ts'
import { localFiles } from '../../storage/files/local.ts'
import type { Attach } from '../attach.ts'
import type { CliContext } from '../context.ts'
import { writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { tableText } from '../format.ts'
import { columnsText, factsText } from './catalog.ts'

/** Opens the tables that were named. */
export async function openAttached(attached: readonly Attach[] = []): Promise<AttachedTable[]> {
  const tables: AttachedTable[] = []
  for (const { name, directory, version } of attached)
    tables.push(await attachTable(name, directory, version))
  return tables
}

/** An engine over attached tables alone if there is no lake; undefined if there is one. */
export async function engineWithoutLake(
  context: CliContext,
  tables: readonly AttachedTable[],
): Promise<AttachedEngine | undefined> {
  if (tables.length === 0) return undefined
  try {
    await (await openLake(context.lake, { lease: false, maintenance: false })).close()
    return undefined
  } catch (error) {
    if (!hasCode(error, 'NO_LAKE')) throw error
    return AttachedEngine.open(tables)
  }
}

/** What `query` needs of an engine. */
export type Answering = Pick<AnalysisEngine, 'copyTo' | 'stream' | 'table'> &
  Partial<Pick<AnalysisEngine, 'version' | 'txnId'>>

/** The attached table of a name; without a name, the only one. */
function chosen(attached: readonly Attach[], name: string | undefined): Attach {
  const found = attached.filter((a) => name === undefined || a.name === name)
  if (found.length === 1) return found[0]!
  throw new LakeError('INVALID_ARGUMENT', `name one of the attached tables`, {
    details: { attached: attached.map((a) => a.name) },
    next: `They are: ${attached.map((a) => a.name).join(', ')}.`,
  })
}

/** Shows an attached table. */
export async function showAttached(
  context: CliContext,
  attached: readonly Attach[],
  name: string | undefined,
): Promise<number> {
  const [{ directory, snapshot }] = (await openAttached([chosen(attached, name)])) as [
    AttachedTable,
  ]
  const { protocol, metadata, schema } = snapshot
  const files = [...snapshot.files.values()]
  const rows = files.map((file) => rowsOf(file))
  const { key, layout } = shapeOf(metadata.configuration)
  const facts = {
    name: chosen(attached, name).name,
    directory,
    version: snapshot.version,
    rows: rows.reduce<number | null>(
      (sum, n) => (sum === null || n === undefined ? null : sum + n),
      0,
    ),
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    key,
    layout,
    partitions: metadata.partitionColumns,
    reader: protocol.minReaderVersion,
    writer: protocol.minWriterVersion,
    features: [...new Set([...readerFeatures(protocol), ...(protocol.writerFeatures ?? [])])],
    notWritten: unwritableFeatures(protocol, metadata),
  }
  const columns = schema.fields.map((f) => ({
    name: f.name,
    type: typeText(f.type),
    nullable: f.nullable,
  }))
  if (context.json) await writeDocument({ ...facts, columns })
  else await writeData(factsText(facts) + columnsText(columns))
  return EXIT.ok
}

/** Shows the commits of an attached table, newest first. */
export async function attachedHistory(
  context: CliContext,
  attached: readonly Attach[],
  name: string | undefined,
  limit: number | undefined,
): Promise<number> {
  const { directory, version } = chosen(attached, name)
  const table = (await attachTable('attached', directory, version)).directory
  const commits = (await tableHistory(localFiles, table)).filter(
    (commit) => version === undefined || commit.version <= version,
  )
  const shown = commits.slice(0, limit)
  if (context.json) await writeDocument(shown.map(historyEntry))
  else await writeData(historyText(shown))
  return EXIT.ok
}

function historyEntry({ timestampMs, ...commit }: TableCommitInfo): Record<string, unknown> {
  return { ...commit, timestamp: new Date(timestampMs).toISOString() }
}

function historyText(commits: readonly TableCommitInfo[]): string {
  const names = ['version', 'time (UTC)', 'operation', 'rows', 'files', 'engine']
  const columns = names.map((name, i) => ({ name, type: i === 0 ? 'BIGINT' : 'VARCHAR' }))
  const rows = commits.map((c) => [
    c.version,
    new Date(c.timestampMs).toISOString().slice(0, 19).replace('T', ' '),
    c.operation,
    c.rowsAdded === null ? '?' : `+${c.rowsAdded}`,
    `+${c.filesAdded} -${c.filesRemoved}`,
    c.engine,
  ])
  return tableText({ columns, rows })
}
