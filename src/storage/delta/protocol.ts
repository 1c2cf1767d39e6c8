/** The gate: which tables may be read and written; what is not understood is refused by its name. */
import { LakeError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { usesTimestampNtz } from '../../model/schema.ts'
import type { Metadata, Protocol } from './actions.ts'

/** Features that change how a table is read, and that we read. */
const READABLE = new Set([
  'columnMapping',
  'deletionVectors',
  'timestampNtz',
  'typeWidening',
  'typeWidening-preview',
  'v2Checkpoint',
  'vacuumProtocolCheck',
])
/** Features that bind writers, and that we obey. */
const WRITABLE = new Set(['appendOnly', 'timestampNtz', 'domainMetadata', 'vacuumProtocolCheck'])
const READER_VERSION_MAX = 3
const WRITER_VERSION_MAX = 7

/** The widest protocol: everything reads and writes it. */
export const basicProtocol: Protocol = { minReaderVersion: 1, minWriterVersion: 2 }

/** The protocol a new table of this schema needs; a feature only where a column asks for it. */
export function protocolFor(schema: Schema): Protocol {
  if (!usesTimestampNtz(schema)) return basicProtocol
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['timestampNtz'],
    writerFeatures: ['timestampNtz', 'appendOnly', 'invariants'],
  }
}

/**
 * The protocol a table needs after it got columns of this schema; undefined if it needs no other. What the legacy
 * versions implied is spelled out, so that nothing is lost.
 */
export function widenedProtocol(protocol: Protocol, schema: Schema): Protocol | undefined {
  const readers = readerFeatures(protocol)
  if (!usesTimestampNtz(schema) || readers.includes('timestampNtz')) return undefined
  return {
    minReaderVersion: READER_VERSION_MAX,
    minWriterVersion: WRITER_VERSION_MAX,
    readerFeatures: [...readers, 'timestampNtz'],
    writerFeatures: [...new Set([...writerFeatures(protocol), ...readers, 'timestampNtz'])],
  }
}

/** Features that a reader must understand, legacy versions spelled out. */
export function readerFeatures(protocol: Protocol): string[] {
  if (protocol.minReaderVersion === 3) return [...(protocol.readerFeatures ?? [])]
  return protocol.minReaderVersion === 2 ? ['columnMapping'] : []
}

const LEGACY_WRITER: readonly (readonly [number, readonly string[]])[] = [
  [2, ['appendOnly', 'invariants']],
  [3, ['checkConstraints']],
  [4, ['changeDataFeed', 'generatedColumns']],
  [5, ['columnMapping']],
  [6, ['identityColumns']],
]

/** Features that a writer must obey, legacy versions spelled out. */
export function writerFeatures(protocol: Protocol): string[] {
  if (protocol.minWriterVersion === 7) return [...(protocol.writerFeatures ?? [])]
  return LEGACY_WRITER.flatMap(([version, features]) =>
    protocol.minWriterVersion >= version ? features : [],
  )
}

/** Why a table cannot be read, as feature names; empty if it can. */
export function unreadableFeatures(protocol: Protocol, metadata: Metadata): string[] {
  if (protocol.minReaderVersion > READER_VERSION_MAX || protocol.minReaderVersion < 1) {
    return [`minReaderVersion ${protocol.minReaderVersion}`]
  }
  return readerFeatures(protocol).filter((name) => !READABLE.has(name) && inUse(name, metadata))
}

/** Why a table cannot be written, as feature names; empty if it can. */
export function unwritableFeatures(protocol: Protocol, metadata: Metadata): string[] {
  const unreadable = unreadableFeatures(protocol, metadata)
  if (unreadable.length > 0) return unreadable
  if (protocol.minWriterVersion > WRITER_VERSION_MAX || protocol.minWriterVersion < 1) {
    return [`minWriterVersion ${protocol.minWriterVersion}`]
  }
  const features = [...new Set([...readerFeatures(protocol), ...writerFeatures(protocol)])]
  return features.filter((name) => !WRITABLE.has(name) && inUse(name, metadata))
}

/**
 * Some features bind only tables that use them: legacy versions imply them for every table. A feature without a
 * visible sign of use counts as used.
 */
function inUse(name: string, metadata: Metadata): boolean {
  const configuration = metadata.configuration
  switch (name) {
    case 'columnMapping':
      return (configuration['delta.columnMapping.mode'] ?? 'none') !== 'none'
    case 'checkConstraints':
      return Object.keys(configuration).some((key) => key.startsWith('delta.constraints.'))
    case 'changeDataFeed':
      return configuration['delta.enableChangeDataFeed'] === 'true'
    case 'generatedColumns':
      return usesColumnKey(metadata, /^delta\.generationExpression$/)
    case 'identityColumns':
      return usesColumnKey(metadata, /^delta\.identity\./)
    case 'invariants':
      return usesColumnKey(metadata, /^delta\.invariants$/)
    case 'allowColumnDefaults':
      return usesColumnKey(metadata, /^CURRENT_DEFAULT$/)
    default:
      return true
  }
}

/** Column metadata stands as JSON inside the schema text. */
function usesColumnKey(metadata: Metadata, key: RegExp): boolean {
  const seen = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) return false
    return Object.entries(value).some(([name, child]) => key.test(name) || seen(child))
  }
  return seen(JSON.parse(metadata.schemaString))
}

/** Throws `UNSUPPORTED_FEATURE` unless the table can be read. */
export function checkReadable(protocol: Protocol, metadata: Metadata, where: string): void {
  checkFeatureLists(protocol, where)
  const features = unreadableFeatures(protocol, metadata)
  if (features.length > 0) throw unsupported('reading', features, where)
}

/** Throws `UNSUPPORTED_FEATURE` unless the table can be written. */
export function checkWritable(protocol: Protocol, metadata: Metadata, where: string): void {
  const features = unwritableFeatures(protocol, metadata)
  if (features.length > 0) throw unsupported('writing', features, where)
}

function checkFeatureLists(protocol: Protocol, where: string): void {
  const readers = protocol.readerFeatures
  if ((protocol.minReaderVersion === 3) !== (readers !== undefined)) {
    if (protocol.minReaderVersion === 3 || (readers?.length ?? 0) > 0) {
      throw unsupported(
        'reading',
        ['a protocol whose readerFeatures do not fit its version'],
        where,
      )
    }
  }
}

function unsupported(doing: string, features: readonly string[], where: string): LakeError {
  return new LakeError('UNSUPPORTED_FEATURE', `${doing} ${where} needs: ${features.join(', ')}`, {
    details: { table: where, features },
    next: 'Use the engine that wrote the table, or a newer version of marketlake.',
  })
}
