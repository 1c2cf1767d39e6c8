/** Writes classic checkpoints: complete, checked and synced before their name exists. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import { parseInterval } from '../../model/duration.ts'
import type { DataType, Field } from '../../model/schema.ts'
import { field, schemaOf } from '../../model/schema.ts'
import type { Files } from '../files/files.ts'
import { replace } from '../files/publish.ts'
import type { Session } from '../parquet/database.ts'
import { appendRows, createTemporary } from '../parquet/ingest.ts'
import { parquetRows } from '../parquet/rows-file.ts'
import { identifier } from '../parquet/sql.ts'
import { writeParquetAs } from '../parquet/write.ts'
import type { AddFile, Metadata, Protocol, RemoveFile } from './actions.ts'
import { LAST_CHECKPOINT, LOG_DIRECTORY, checkpointName } from './names.ts'
import type { Snapshot } from './replay.ts'

/** What is needed to write a checkpoint. */
export interface CheckpointContext {
  readonly files: Files
  readonly session: Session
  readonly effects: Effects
  /** The table root. */
  readonly directory: string
}

/**
 * Writes the checkpoint of a snapshot, unless there is one, and then the hint. Returns its number of actions. A
 * checkpoint of another writer is left alone, and so is the hint: what we did not read back we do not recommend.
 */
export async function writeCheckpoint(
  context: CheckpointContext,
  snapshot: Snapshot,
): Promise<number> {
  const { files, effects } = context
  const log = join(context.directory, LOG_DIRECTORY)
  const name = checkpointName(snapshot.version)
  const temporary = join(log, `.${name}.${effects.uuid()}.tmp`)
  const rows = checkpointRows(snapshot, effects.now())
  try {
    const sizeBytes = await writeRows(context, temporary, rows)
    await verify(files, temporary, snapshot, rows.length)
    await files.sync(log)
    const linked = await files.link(temporary, join(log, name))
    await files.sync(log)
    if (linked === 'exists') return rows.length
    await writeHint(files, log, effects, {
      version: snapshot.version,
      size: rows.length,
      sizeInBytes: sizeBytes,
      numOfAddFiles: snapshot.files.size,
    })
  } finally {
    await files.remove(temporary).catch(() => undefined)
  }
  return rows.length
}

const TEMPORARY_TABLE = 'marketlake_checkpoint'

async function writeRows(
  context: CheckpointContext,
  path: string,
  rows: readonly CheckpointRow[],
): Promise<number> {
  const { session, files } = context
  await createTemporary(session, TEMPORARY_TABLE, CHECKPOINT_SCHEMA)
  try {
    await appendRows(session, TEMPORARY_TABLE, CHECKPOINT_SCHEMA, rows, 'checkpoint')
    const sql = `SELECT * FROM ${identifier(TEMPORARY_TABLE)}`
    const written = await writeParquetAs(session, files, path, { sql, schema: CHECKPOINT_SCHEMA })
    return written!.sealed.sizeBytes
  } finally {
    await session.run(`DROP TABLE ${identifier(TEMPORARY_TABLE)}`)
  }
}

/** A checkpoint that was cut short would hide files for ever: what stands on disk is read back. */
async function verify(
  files: Files,
  path: string,
  snapshot: Snapshot,
  count: number,
): Promise<void> {
  const rows = await parquetRows((await files.read(path)) ?? new Uint8Array(), path)
  const with_ = (name: string): number => rows.filter((row) => row[name]).length
  const sound =
    rows.length === count &&
    with_('protocol') === 1 &&
    with_('metaData') === 1 &&
    with_('add') === snapshot.files.size
  if (!sound)
    throw new LakeError('CORRUPT_FILE', `the checkpoint just written does not read back: ${path}`)
}

type CheckpointRow = Readonly<Record<string, unknown>>

function checkpointRows(snapshot: Snapshot, nowMs: number): CheckpointRow[] {
  return [
    { protocol: protocolRow(snapshot.protocol) },
    { metaData: metadataRow(snapshot.metadata) },
    ...[...snapshot.txns.values()].map((txn) => ({
      txn: pick(txn, ['appId', 'version', 'lastUpdated']),
    })),
    ...[...snapshot.domains.values()].map((domainMetadata) => ({ domainMetadata })),
    ...unexpired(snapshot, nowMs).map((remove) => ({ remove: removeRow(remove) })),
    ...[...snapshot.files.values()].map((add) => ({ add: addRow(add) })),
  ]
}

const WEEK_MS = 604_800_000

/** Tombstones within the retention of the table; a vacuum still needs them. */
function unexpired(snapshot: Snapshot, nowMs: number): RemoveFile[] {
  const text = snapshot.metadata.configuration['delta.deletedFileRetentionDuration']
  const retentionMs = (text === undefined ? undefined : parseInterval(text)) ?? WEEK_MS
  return [...snapshot.tombstones.values()].filter(
    (remove) => (remove.deletionTimestamp ?? 0) > nowMs - retentionMs,
  )
}

function pick(source: object, names: readonly string[]): Record<string, unknown> {
  const node = source as Readonly<Record<string, unknown>>
  return Object.fromEntries(names.map((name) => [name, node[name] ?? null]))
}

function entries(map: Readonly<Record<string, unknown>> | undefined): unknown {
  return map && Object.entries(map).map(([key, value]) => ({ key, value }))
}

function protocolRow(protocol: Protocol): Record<string, unknown> {
  return pick(protocol, [
    'minReaderVersion',
    'minWriterVersion',
    'readerFeatures',
    'writerFeatures',
  ])
}

function metadataRow(metadata: Metadata): Record<string, unknown> {
  return {
    ...pick(metadata, [
      'id',
      'name',
      'description',
      'schemaString',
      'partitionColumns',
      'createdTime',
    ]),
    format: { provider: metadata.format.provider, options: entries(metadata.format.options ?? {}) },
    configuration: entries(metadata.configuration),
  }
}

function addRow(add: AddFile): Record<string, unknown> {
  return {
    ...pick(add, ['path', 'size', 'modificationTime', 'stats', 'deletionVector']),
    dataChange: false,
    partitionValues: entries(add.partitionValues),
    tags: entries(add.tags) ?? null,
  }
}

function removeRow(remove: RemoveFile): Record<string, unknown> {
  return {
    ...pick(remove, [
      'path',
      'deletionTimestamp',
      'dataChange',
      'extendedFileMetadata',
      'size',
      'deletionVector',
    ]),
    partitionValues: entries(remove.partitionValues) ?? null,
  }
}

const textMap: DataType = {
  type: 'map',
  keyType: 'string',
  valueType: 'string',
  valueContainsNull: true,
}
const texts: DataType = { type: 'array', elementType: 'string', containsNull: true }

function struct(...fields: readonly Field[]): DataType {
  return schemaOf(fields)
}

const deletionVector = field(
  'deletionVector',
  struct(
    field('storageType', 'string'),
    field('pathOrInlineDv', 'string'),
    field('offset', 'integer'),
    field('sizeInBytes', 'integer'),
    field('cardinality', 'long'),
  ),
)

/** As delta-kernel-rs and Spark read it: protocol versions must be 32-bit (PROTOCOL.md, "Checkpoint Schema"). */
const CHECKPOINT_SCHEMA = schemaOf([
  field(
    'txn',
    struct(field('appId', 'string'), field('version', 'long'), field('lastUpdated', 'long')),
  ),
  field(
    'add',
    struct(
      field('path', 'string'),
      field('partitionValues', textMap),
      field('size', 'long'),
      field('modificationTime', 'long'),
      field('dataChange', 'boolean'),
      field('stats', 'string'),
      field('tags', textMap),
      deletionVector,
    ),
  ),
  field(
    'remove',
    struct(
      field('path', 'string'),
      field('deletionTimestamp', 'long'),
      field('dataChange', 'boolean'),
      field('extendedFileMetadata', 'boolean'),
      field('partitionValues', textMap),
      field('size', 'long'),
      deletionVector,
    ),
  ),
  field(
    'metaData',
    struct(
      field('id', 'string'),
      field('name', 'string'),
      field('description', 'string'),
      field('format', struct(field('provider', 'string'), field('options', textMap))),
      field('schemaString', 'string'),
      field('partitionColumns', texts),
      field('configuration', textMap),
      field('createdTime', 'long'),
    ),
  ),
  field(
    'protocol',
    struct(
      field('minReaderVersion', 'integer'),
      field('minWriterVersion', 'integer'),
      field('readerFeatures', texts),
      field('writerFeatures', texts),
    ),
  ),
  field(
    'domainMetadata',
    struct(
      field('domain', 'string'),
      field('configuration', 'string'),
      field('removed', 'boolean'),
    ),
  ),
])

interface Hint {
  readonly version: number
  readonly size: number
  readonly sizeInBytes: number
  readonly numOfAddFiles: number
}

/** The hint never goes back: the checkpoint it names must not be one that cleanup takes away first. */
async function writeHint(files: Files, log: string, effects: Effects, hint: Hint): Promise<void> {
  const existing = hintVersion(await files.read(join(log, LAST_CHECKPOINT)))
  if (existing !== undefined && existing > hint.version) return
  const text = JSON.stringify({ ...hint, checksum: hintChecksum({ ...hint }) })
  await replace(files, log, LAST_CHECKPOINT, text, effects)
}

/** The version a hint names; undefined if there is none or it is garbage. */
export function hintVersion(content: Uint8Array | undefined): number | undefined {
  if (!content) return undefined
  try {
    const { version } = JSON.parse(new TextDecoder().decode(content)) as { version?: unknown }
    return Number.isSafeInteger(version) ? (version as number) : undefined
  } catch {
    return undefined
  }
}

/** The MD5 of a hint's canonical form (PROTOCOL.md, "JSON checksum"). */
export function hintChecksum(hint: Readonly<Record<string, unknown>>): string {
  const pairs = leaves(hint, [])
    .filter(([path]) => path !== '"checksum"')
    .map(([path, value]) => `${path}=${value}`)
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return createHash('md5').update(pairs.join(',')).digest('hex')
}

function leaves(value: unknown, path: readonly string[]): [string, string][] {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, child]) =>
      leaves(child, [...path, Array.isArray(value) ? name : `"${percent(name)}"`]),
    )
  }
  const text = typeof value === 'string' ? `"${percent(value)}"` : JSON.stringify(value)
  return [[path.join('+'), text]]
}

/** Percent-encodes every byte outside `A-Za-z0-9-._~`. */
function percent(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
