/** Tables of a lake: claiming a directory for a new one, its metadata, and checks before a write. */
import { dirname, join } from 'node:path'
import { intervalText } from '../../model/duration.ts'
import { LakeError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { missingFields, schemaOf, typeText } from '../../model/schema.ts'
import type { TableDefinition } from '../../model/table.ts'
import { checkTable, partitionColumnsOf, shapeConfiguration } from '../../model/table.ts'
import type { Metadata } from '../delta/actions.ts'
import { columnTypes, newMetadata, widenedMetadata, withColumnTypes } from '../delta/metadata.ts'
import { LOG_DIRECTORY } from '../delta/names.ts'
import { checkWritable, protocolFor, widenedProtocol } from '../delta/protocol.ts'
import type { Snapshot } from '../delta/replay.ts'
import type { LakeRecord, TableEntry } from './record.ts'
import type { Frozen, Store } from './store.ts'
import { tableDirectory } from './store.ts'
import type { MetadataChange, TableWork } from './table-work.ts'
import { newWork } from './table-work.ts'

/** The Delta property that says to which lake a table belongs. */
export const LAKE_ID = 'marketlake.lakeId'
/** Delta commits between two checkpoints. */
export const CHECKPOINT_INTERVAL = 20

/** A new table: its directory claimed, its metadata made, nothing published. */
export async function claimTable(
  store: Store,
  head: LakeRecord,
  definition: TableDefinition,
): Promise<TableWork> {
  checkTable(definition)
  checkTwin(head, definition.name)
  const path = await claimDirectory(store, head, definition)
  const metadata = tableMetadata(store, definition)
  const protocol = protocolFor(definition.schema)
  return newWork({
    name: definition.name,
    path,
    directory: tableDirectory(store, path),
    shape: definition,
    base: emptySnapshot(metadata, definition),
    definition,
    metadata,
    protocol,
  })
}

/** Names that differ only in case would share a view. */
function checkTwin(head: LakeRecord, name: string): void {
  const twin = Object.keys(head.tables).find((other) => other.toLowerCase() === name.toLowerCase())
  if (twin === undefined) return
  throw new LakeError('TABLE_EXISTS', `the lake has a table ${twin} already`, {
    details: { table: name, existing: twin },
    next: 'Write to that table, or choose another name.',
  })
}

/** The name is claimed by `mkdir`; a directory that is taken gets a suffix, another's table is refused. */
async function claimDirectory(
  store: Store,
  head: LakeRecord,
  definition: TableDefinition,
): Promise<string> {
  await makeParents(store, definition.path)
  const directory = tableDirectory(store, definition.path)
  if ((await store.files.makeDirectory(directory)) === 'made') {
    await store.files.sync(dirname(directory))
    return definition.path
  }
  const mapped = Object.values(head.tables).some((entry) => entry.path === definition.path)
  const log = await store.files.list(join(directory, LOG_DIRECTORY))
  if (!mapped && log.length > 0 && !(await isOurs(store, directory))) throw taken(definition)
  const path = `${definition.path}.${store.effects.uuid().slice(0, 8)}`
  await store.files.makeDirectory(tableDirectory(store, path))
  await store.files.sync(dirname(directory))
  return path
}

/** True for a directory that no other table can ever get. */
export function hasSuffix(directory: string): boolean {
  return /\.[0-9a-f]{8}$/.test(directory)
}

async function makeParents(store: Store, path: string): Promise<void> {
  const parts = path.split('/').slice(0, -1)
  for (let depth = 1; depth <= parts.length; depth++) {
    const directory = join(store.root, ...parts.slice(0, depth))
    await store.files.makeDirectory(directory)
    await store.files.sync(dirname(directory))
  }
}

/** A directory that a dropped table or an unfinished transaction of this lake left behind. */
async function isOurs(store: Store, directory: string): Promise<boolean> {
  const { loadSnapshot } = await import('../delta/load.ts')
  const snapshot = await loadSnapshot(store.files, directory).catch(() => undefined)
  return snapshot?.metadata.configuration[LAKE_ID] === store.lakeId
}

function taken(definition: TableDefinition): LakeError {
  return new LakeError('TABLE_EXISTS', `another engine's table stands in ${definition.path}`, {
    details: { table: definition.name, path: definition.path },
    next: 'Bring it into the lake with `marketlake migrate adopt`, or move it away.',
  })
}

function tableMetadata(store: Store, definition: TableDefinition): Metadata {
  const retention = intervalText(Math.max(store.retention.versionsMs, store.retention.filesMs))
  const metadata = newMetadata(
    {
      name: definition.name,
      schema: definition.schema,
      partitionColumns: partitionColumnsOf(definition),
      configuration: {
        ...shapeConfiguration(definition),
        [LAKE_ID]: store.lakeId,
        'delta.checkpointInterval': String(CHECKPOINT_INTERVAL),
        // Cleanup by other engines would not know which lake versions are kept.
        'delta.enableExpiredLogCleanup': 'false',
        'delta.logRetentionDuration': retention,
        'delta.deletedFileRetentionDuration': retention,
      },
    },
    store.effects,
  )
  return withColumnTypes(metadata)
}

function emptySnapshot(metadata: Metadata, definition: TableDefinition): Snapshot {
  return {
    version: -1,
    protocol: protocolFor(definition.schema),
    metadata,
    schema: definition.schema,
    files: new Map(),
    tombstones: new Map(),
    txns: new Map(),
    domains: new Map(),
  }
}

/** Throws unless this lake may write to a table: it is ours, not frozen, and its features are understood. */
export function checkTableWritable(
  store: Store,
  record: Pick<LakeRecord, 'tables'>,
  work: Pick<TableWork, 'name' | 'path' | 'base'>,
): void {
  const { name, base } = work
  const owner = base.metadata.configuration[LAKE_ID]
  if (owner !== undefined && owner !== store.lakeId) {
    throw new LakeError('TABLE_FROZEN', `table ${name} belongs to another lake`, {
      details: { table: name, lakeId: owner },
      next: 'Write to it through its own lake, or load its rows into a new table.',
    })
  }
  checkNotFrozen(store, record, work)
  checkWritable(base.protocol, base.metadata, name)
}

/** Throws if this process found the table frozen, or another one did and the record says so. */
export function checkNotFrozen(
  store: Store,
  { tables }: Pick<LakeRecord, 'tables'>,
  { name, path }: Pick<TableWork, 'name' | 'path'>,
): void {
  const frozen = store.frozen.get(path) ?? frozenBy(tables[name], path)
  if (!frozen) return
  throw new LakeError(
    'TABLE_FROZEN',
    `table ${name} is frozen by version ${frozen.version} of its Delta log: ${frozen.reason}`,
    {
      details: { table: name, version: frozen.version, reason: frozen.reason },
      next: 'Reading goes on. `marketlake doctor --fix` gives the table a log of its own again.',
    },
  )
}

/** What the mapping tells of a frozen table: a commit of another engine stands where one of the lake belongs. */
export function frozenBy(entry: TableEntry | undefined, path: string): Frozen | undefined {
  if (entry?.over === undefined || entry.path !== path) return undefined
  const reason = `another engine's commit stands in the place of lake version ${entry.over}`
  return { version: entry.version + 1, reason }
}

/** The metadata that adds these columns, if any is new; a known name with another type is an error. */
export function widening(
  snapshot: Snapshot,
  wanted: readonly Field[],
  table: string,
): MetadataChange | undefined {
  const missing = missingFields(snapshot.schema, schemaOf(wanted), table)
  if (missing.length === 0) return undefined
  const known = columnTypes(snapshot.metadata)
  for (const column of missing) checkOldType(known, column, table)
  const metadata = withColumnTypes(widenedMetadata(snapshot.metadata, snapshot.schema, missing))
  const protocol = widenedProtocol(snapshot.protocol, schemaOf(missing))
  return protocol ? { metadata, protocol } : { metadata }
}

/** A name that a table had in an earlier version keeps its type: files of then may become live again. */
function checkOldType(known: Readonly<Record<string, string>>, column: Field, table: string): void {
  const name = Object.keys(known).find((n) => n.toLowerCase() === column.name.toLowerCase())
  if (name === undefined || known[name] === typeText(column.type)) return
  throw new LakeError('TYPE_MISMATCH', `column ${name} of table ${table} once was ${known[name]}`, {
    details: { table, column: name, expected: known[name], found: column.type },
    next: 'Store the new values under another name.',
  })
}
