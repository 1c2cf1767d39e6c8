/** New tables: their first commit, and the directory that must be free for it. */
import { dirname, join } from 'node:path'
import type { Effects } from '../../model/effects.ts'
import { LakeError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { checkSchema, fieldOf } from '../../model/schema.ts'
import type { Layout, PeriodColumn, TableShape } from '../../model/table.ts'
import { checkShape, defaultShape, shapeConfiguration } from '../../model/table.ts'
import type { Files } from '../files/files.ts'
import { probeLinks } from '../files/probe.ts'
import { commitChange } from './commit.ts'
import { loadSnapshot } from './load.ts'
import { newMetadata } from './metadata.ts'
import { LOG_DIRECTORY } from './names.ts'
import { checkPartitionType } from './partition.ts'
import { checkProperties } from './properties.ts'
import { protocolFor } from './protocol.ts'
import type { Snapshot } from './replay.ts'

/** What a new table is. */
export interface NewTable {
  readonly schema: Schema
  readonly name?: string
  readonly partitionColumns?: readonly string[]
  /** Columns that identify a row; needed for `upsert`. */
  readonly key?: readonly string[]
  readonly clustering?: readonly string[]
  readonly period?: PeriodColumn
  readonly layout?: Layout
  /** Delta table properties. */
  readonly properties?: Readonly<Record<string, string>>
}

/** Publishes version 0 of a table. */
export async function createTable(
  files: Files,
  root: string,
  table: NewTable,
  effects: Effects,
): Promise<void> {
  const empty = emptyTable(table, effects)
  await makeLog(files, root, effects)
  const outcome = await commitChange(
    { files, effects, directory: root, rows: noRowTest },
    {
      mode: 'create',
      key: [],
      adds: [],
      removes: [],
      protocol: empty.protocol,
      metadata: empty.metadata,
      operation: { name: 'CREATE TABLE' },
    },
    empty,
  )
  if (outcome.kind !== 'committed') throw exists(root)
}

const noRowTest = {
  keysOverlap: () => Promise.resolve(false),
  matches: () => Promise.resolve(false),
}

function emptyTable(table: NewTable, effects: Effects): Snapshot {
  const schema = checkSchema(table.schema)
  checkProperties(table.properties ?? {})
  const partitionColumns = partitionColumnsOf(table, schema)
  const shape = { ...defaultShape(schema, table.key ?? [], table.layout), ...pickShape(table) }
  checkShape(shape, schema, table.name ?? 'new')
  const configuration = { ...(isShaped(table) && shapeConfiguration(shape)), ...table.properties }
  return {
    version: -1,
    protocol: protocolFor(schema),
    metadata: newMetadata(
      {
        ...(table.name !== undefined && { name: table.name }),
        schema,
        partitionColumns,
        configuration,
      },
      effects,
    ),
    schema,
    files: new Map(),
    tombstones: new Map(),
    txns: new Map(),
    domains: new Map(),
  }
}

function partitionColumnsOf(table: NewTable, schema: Schema): readonly string[] {
  const names = table.partitionColumns ?? (table.layout === 'per-symbol' ? ['symbol'] : [])
  for (const name of names) checkPartitionType(exactField(schema, name))
  if (new Set(names).size === names.length && names.length < schema.fields.length) return names
  throw new LakeError('INVALID_ARGUMENT', 'a table cannot be partitioned like this', {
    details: { partitionColumns: names },
    next: 'Name each partition column once, and leave at least one column for the files.',
  })
}

/** Partition columns stand in the log in the case of the schema. */
function exactField(schema: Schema, name: string): Field {
  const found = fieldOf(schema, name, 'new')
  if (found.name === name) return found
  throw new LakeError('COLUMN_NOT_FOUND', `the column is called ${found.name}, not ${name}`, {
    details: { column: name, columns: [found.name] },
  })
}

function pickShape(table: NewTable): Partial<TableShape> {
  return {
    ...(table.clustering && { clustering: table.clustering }),
    ...(table.period && { period: table.period }),
  }
}

/** A plain Delta table carries none of our properties. */
function isShaped(table: NewTable): boolean {
  return Boolean(table.key ?? table.clustering ?? table.period ?? table.layout)
}

async function makeLog(files: Files, root: string, effects: Effects): Promise<void> {
  const missing = [root, join(root, LOG_DIRECTORY)]
  while (!(await files.stat(dirname(missing[0]!)))) missing.unshift(dirname(missing[0]!))
  for (const directory of missing) {
    if ((await files.makeDirectory(directory)) === 'made') await files.sync(dirname(directory))
  }
  await probeLinks(files, join(root, LOG_DIRECTORY), effects)
  if (await loadSnapshot(files, root)) throw exists(root)
}

function exists(root: string): LakeError {
  return new LakeError('TABLE_EXISTS', `there is a table already: ${root}`, {
    details: { directory: root },
    next: 'Open it, or choose another directory.',
  })
}
