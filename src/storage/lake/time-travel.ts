/** Time travel: the record that a version number, a date, a moment or a tag means. */
import { endOfShanghaiDay, parseDay } from '../../model/date.ts'
import { LakeError } from '../../model/errors.ts'
import { isTagName } from '../../model/name.ts'
import { readRecord } from './lake-log.ts'
import { isPin, recordOfPin } from './pin.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { openableRecord, refreshHead, vacuumed } from './store.ts'

/** A lake version by number, by moment (`Date`), or as users write it (see `recordAt`). */
export type VersionSpec = number | Date | string

const TIME = /^(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(Z|[+-]\d{2}:?\d{2})?$/

/**
 * The record of a version. Digits are a version number; `YYYY-MM-DD` is the end of that day in Shanghai;
 * `YYYY-MM-DDTHH:MM[:SS][zone]` a moment (Shanghai time without a zone); `marketlake:…` a pin; anything else a tag.
 */
export async function recordAt(store: Store, spec: VersionSpec): Promise<LakeRecord> {
  if (typeof spec === 'number') return openableRecord(store, spec)
  if (typeof spec === 'string' && isPin(spec)) return recordOfPin(store, spec)
  if (spec instanceof Date) return recordAtTime(store, spec.getTime())
  if (/^\d+$/.test(spec)) return openableRecord(store, Number(spec))
  if (parseDay(spec) !== undefined) return recordAtTime(store, endOfShanghaiDay(spec))
  const timeMs = parseMoment(spec)
  if (timeMs !== undefined) return recordAtTime(store, timeMs)
  return recordOfTag(store, spec)
}

function parseMoment(text: string): number | undefined {
  const match = TIME.exec(text)
  if (!match) return undefined
  const [, date, hour, minute, second = '00', zone = '+08:00'] = match
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`
  const timeMs = Date.parse(`${date}T${hour}:${minute}:${second}${offset}`)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

async function recordOfTag(store: Store, name: string): Promise<LakeRecord> {
  const head = await refreshHead(store)
  const tag = head.tags[name]
  if (tag) return openableRecord(store, tag.version)
  const tags = Object.keys(head.tags).toSorted()
  throw new LakeError(
    'VERSION_NOT_FOUND',
    `the lake has no tag or version ${JSON.stringify(name)}`,
    {
      details: { name, tags },
      next: isTagName(name)
        ? `Its tags are: ${tags.length > 0 ? tags.join(', ') : 'none'}.`
        : 'Write a version number, a date (2024-12-31), a moment (2024-12-31T18:00) or a tag.',
    },
  )
}

/** The newest version at or before a moment, found by halving: timestamps grow with versions. */
async function recordAtTime(store: Store, timeMs: number): Promise<LakeRecord> {
  const head = await refreshHead(store)
  if (head.timestamp <= timeMs) return head
  let [low, high] = [0, head.version - 1]
  let found: LakeRecord | undefined
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const record = await readRecord(store, middle)
    if (record && record.timestamp <= timeMs) {
      found = record
      low = middle + 1
    } else {
      high = middle - 1
    }
  }
  if (!found) throw beforeBirth(timeMs)
  if (found.stub || found.version < head.horizon) {
    const tagged = Object.values(head.tags).some((tag) => tag.version === found.version)
    if (!tagged || found.stub) throw vacuumed(found.version, head)
  }
  return found
}

function beforeBirth(timeMs: number): LakeError {
  const moment = new Date(timeMs).toISOString()
  return new LakeError('VERSION_NOT_FOUND', `the lake did not exist at ${moment}`, {
    details: { moment },
    next: 'See `marketlake history` for its versions.',
  })
}

/**
 * Until when a version is kept, in milliseconds since 1970; undefined while a tag keeps it. Its age counts from its
 * successor, so of the head it is the earliest time that can be told now.
 */
export async function validUntil(store: Store, record: LakeRecord): Promise<number | undefined> {
  const head = await refreshHead(store)
  if (Object.values(head.tags).some((tag) => tag.version === record.version)) return undefined
  const successor =
    record.version < head.version ? await readRecord(store, record.version + 1) : undefined
  return (successor?.timestamp ?? store.effects.now()) + store.retention.versionsMs
}
