/** Records of the lake log: the whole state of the lake, and the Delta actions of one lake commit. */
import { createHash } from 'node:crypto'
import { LakeError } from '../../model/errors.ts'
import { isTablePath } from '../../model/name.ts'
import type { Action } from '../delta/actions.ts'
import type { CommitMode } from '../delta/conflict.ts'

/** The format of records; a reader refuses a higher one. */
export const RECORD_FORMAT = 1
/** Names in `requires` that this version understands. */
const UNDERSTOOD = new Set<string>()

/** Which version of a Delta table a lake version shows. */
export interface TableEntry {
  /** Directory below the lake, with forward slashes. */
  readonly path: string
  readonly version: number
  /** The table is frozen: the actions of this lake version are laid over `version`. */
  readonly over?: number
}

/** A name for a lake version. */
export interface Tag {
  readonly version: number
  readonly txnId: string
}

/** Settings that must be the same for everybody, so they are versioned with the lake. */
export interface Settings {
  readonly readSource: 'lake' | 'duckdb'
  /** Sources in order of preference, for views. */
  readonly prefer: readonly string[]
  readonly [name: string]: unknown
}

/** What a sync has stored: one table of one source for one report period or day. */
export interface Unit {
  readonly source: string
  readonly table: string
  readonly period: string
  readonly rows: number
}

/** The Delta commit of one table that belongs to a lake commit. */
export interface TableCommit {
  readonly table: string
  /** The Delta version it is meant for. */
  readonly version: number
  readonly mode: CommitMode
  readonly readVersion: number
  readonly key?: readonly string[]
  readonly predicate?: string
  /** Left out when the record keeps its actions in a file of their own. */
  readonly actions?: readonly Action[]
}

/** A foreign Delta commit that a record made part of the lake, or undid. */
export interface ForeignCommit {
  readonly table: string
  readonly version: number
  readonly engine: string
  readonly operation: string
  readonly undone?: boolean
}

/** One record of the lake log. */
export interface LakeRecord {
  readonly marketlake: number
  readonly requires: readonly string[]
  readonly lakeId: string
  readonly version: number
  readonly txnId: string
  /** Milliseconds since 1970; grows with every version. */
  readonly timestamp: number
  readonly operation: string
  readonly note?: string
  readonly tables: Readonly<Record<string, TableEntry>>
  readonly tags: Readonly<Record<string, Tag>>
  /** The oldest version that may still be opened (tags apart). */
  readonly horizon: number
  /** Unreferenced files older than this may be deleted; milliseconds by the file system's clock. */
  readonly stagedBefore?: number
  readonly settings: Settings
  readonly engine: string
  readonly units: readonly Unit[]
  readonly commits: readonly TableCommit[]
  /** Where the actions are, when they are too many for the record. */
  readonly actionsFile?: { readonly name: string; readonly sha256: string }
  readonly foreign?: readonly ForeignCommit[]
  /** What is left of a record below the horizon: it tells history and nothing else. */
  readonly stub?: boolean
}

/** What ends the text of a record: the hash of all that stands before it. */
const SEAL = /,"sha256":"([0-9a-f]{64})"\}\n$/

/** The text of a record. Its last field is a hash of the others: a digit that a disk changed still is JSON. */
export function recordText(record: LakeRecord): string {
  const body = JSON.stringify(record).slice(0, -1)
  return `${body},"sha256":"${sha256(body)}"}\n`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Parses a record; refuses a torn one, another lake's, and what needs a newer version of this package. */
export function parseRecord(content: Uint8Array, where: string, version: number): LakeRecord {
  const { record, sealed } = parseSealed(content, where)
  // A newer version may seal its records in another way.
  checkUnderstood(record, where)
  if (!sealed) {
    throw corruptRecord(where, 'its content is not what was written (the hash differs)')
  }
  if (record.version !== version)
    throw corruptRecord(where, `it says version ${String(record.version)}`)
  for (const name of ['lakeId', 'txnId', 'operation', 'engine'] as const) {
    if (typeof record[name] !== 'string') throw corruptRecord(where, `${name} is missing`)
  }
  if (!Number.isSafeInteger(record.timestamp)) throw corruptRecord(where, 'timestamp is missing')
  return complete(record as LakeRecord, where)
}

/** The fields of a record, and whether they are what was written. Records made before there was a hash have none. */
function parseSealed(
  content: Uint8Array,
  where: string,
): { readonly record: Partial<LakeRecord>; readonly sealed: boolean } {
  let [text, value]: [string, unknown] = ['', undefined]
  try {
    text = decoder.decode(content)
    value = JSON.parse(text)
  } catch (cause) {
    throw corruptRecord(where, 'it is not JSON; the file is torn', cause)
  }
  if (typeof value !== 'object' || value === null) throw corruptRecord(where, 'it is no object')
  const { sha256: claimed, ...record } = value as Partial<LakeRecord> & { sha256?: unknown }
  const seal = SEAL.exec(text)
  const sealed =
    seal?.[1] === claimed && seal !== null && sha256(text.slice(0, seal.index)) === claimed
  return { record, sealed: claimed === undefined || sealed }
}

/** Fields that older records or stubs have not. */
function complete(record: LakeRecord, where: string): LakeRecord {
  const tables = record.tables ?? {}
  for (const [name, entry] of Object.entries(tables)) {
    if (typeof entry.path !== 'string' || !Number.isSafeInteger(entry.version)) {
      throw corruptRecord(where, `table ${name} has no path or version`)
    }
    if (!isTablePath(entry.path)) throw corruptRecord(where, `table ${name} lies outside the lake`)
  }
  const { name = 'none' } = record.actionsFile ?? {}
  if (!/^[\w-][\w.-]*$/.test(name)) throw corruptRecord(where, 'its actions lie outside the lake')
  return {
    ...record,
    tables,
    tags: record.tags ?? {},
    horizon: record.horizon ?? 0,
    settings: record.settings ?? defaultSettings,
    units: record.units ?? [],
    commits: record.commits ?? [],
  }
}

/** Settings of a new lake. */
export const defaultSettings: Settings = {
  readSource: 'lake',
  prefer: ['eastmoney', 'tushare', 'file'],
}

function checkUnderstood(record: Partial<LakeRecord>, where: string): void {
  if (typeof record.marketlake !== 'number') {
    throw new LakeError('NO_LAKE', `not a record of a lake: ${where}`, { details: { path: where } })
  }
  const unknown = (record.requires ?? []).filter((name) => !UNDERSTOOD.has(name))
  if (record.marketlake > RECORD_FORMAT) unknown.push(`format ${record.marketlake}`)
  if (unknown.length === 0) return
  throw new LakeError('UNSUPPORTED_FEATURE', `the lake needs: ${unknown.join(', ')}`, {
    details: { path: where, features: unknown },
    next: 'Install a newer version of marketlake.',
  })
}

/** An error for a record that cannot be read. */
export function corruptRecord(where: string, reason: string, cause?: unknown): LakeError {
  return new LakeError('CORRUPT_LOG', `${where}: ${reason}`, {
    details: { path: where },
    next: 'Restore the record from a backup; run `marketlake doctor` for what else is affected.',
    ...(cause !== undefined && { cause }),
  })
}
