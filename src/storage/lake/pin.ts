/** Pins: texts that stand for one lake version and its content, so that a result can be made again later. */
import { createHash } from 'node:crypto'
import { LakeError } from '../../model/errors.ts'
import { HASH_TAG } from '../delta/relation.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { openableRecord } from './store.ts'
import type { TableView } from './view.ts'
import { tableViews } from './view.ts'

const PIN = /^marketlake:([0-9a-f-]{36}):(\d+):([0-9a-f-]{36}):([0-9a-f]{64})$/

/** The pin of a version: identity of the lake, version, commit, and a hash over its files. */
export function pinOf(record: LakeRecord, views: readonly TableView[]): string {
  return `marketlake:${record.lakeId}:${String(record.version)}:${record.txnId}:${contentHash(views)}`
}

/** SHA-256 over the sorted (table, path, size, hash) of all files. */
function contentHash(views: readonly TableView[]): string {
  const lines = views.flatMap((view) =>
    [...view.snapshot.files.values()].map((file) =>
      [view.name, file.path, file.size, file.tags?.[HASH_TAG] ?? ''].join('\t'),
    ),
  )
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex')
}

/** True for a text that is meant as a pin. */
export function isPin(text: string): boolean {
  return text.startsWith('marketlake:')
}

/** The record of a pin, if this lake still has it with the same content. */
export async function recordOfPin(store: Store, pin: string): Promise<LakeRecord> {
  const [, lakeId, version, txnId] = PIN.exec(pin) ?? []
  if (lakeId === undefined || version === undefined) {
    throw refused('INVALID_ARGUMENT', `not a pin: ${pin}`, 'Write it as `pin()` gave it.')
  }
  if (lakeId !== store.lakeId) {
    const next = `It belongs to the lake ${lakeId}; this one is ${store.lakeId}.`
    throw refused('INVALID_ARGUMENT', 'the pin is of another lake', next)
  }
  const record = await openableRecord(store, Number(version))
  if (record.txnId !== txnId) {
    const next = 'The lake was restored from a copy that never had the pinned version.'
    throw refused('LAKE_WENT_BACK', `version ${version} of the lake is not the pinned one`, next)
  }
  if (pinOf(record, await tableViews(store, record)) !== pin) {
    const next =
      'See `marketlake verify`: the files of this version are not those that were pinned.'
    throw refused('CHECK_FAILED', `version ${version} does not hold what was pinned`, next)
  }
  return record
}

function refused(
  code: 'INVALID_ARGUMENT' | 'LAKE_WENT_BACK' | 'CHECK_FAILED',
  message: string,
  next: string,
): LakeError {
  return new LakeError(code, message, { next })
}
