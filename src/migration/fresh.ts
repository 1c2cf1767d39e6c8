/** Whether a comparison still says the truth: nothing was written to either side since. */
import type { Files } from '../storage/files/files.ts'
import type { Migration } from '../storage/lake/migration-state.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { markOf, sameMark } from './old-file.ts'
import { tableVersions } from './verify.ts'

/** Why the newest comparison does not allow a cut-over; undefined if it does. */
export interface NotFresh {
  readonly kind: 'none' | 'differs' | 'stale'
  readonly reason: string
}

/** Looks at both sides as they stand now. */
export async function notFresh(
  files: Files,
  head: LakeRecord,
  migration: Migration,
): Promise<NotFresh | undefined> {
  const { verified } = migration
  if (verified && !sameMark(await markOf(files, migration.old), verified.mark)) {
    const reason = 'the old file was written after it was compared'
    return { kind: 'stale', reason }
  }
  return notFreshInLake(head, migration)
}

/** The part of it that the lake record tells; asked again on every try of a commit. */
export function notFreshInLake(head: LakeRecord, migration: Migration): NotFresh | undefined {
  const { verified } = migration
  if (!verified) return { kind: 'none', reason: 'both sides were never compared' }
  if (!verified.equal) {
    const tables = Object.entries(verified.differing).map(([name, rows]) => `${name} (${rows})`)
    const what = tables.length > 0 ? `: ${tables.join(', ')}` : ''
    return { kind: 'differs', reason: `the newest comparison found differences${what}` }
  }
  const now = tableVersions(head, migration)
  const moved = Object.keys(now).filter((table) => now[table] !== verified.versions[table])
  if (moved.length === 0) return undefined
  return {
    kind: 'stale',
    reason: `the lake was written after it was compared: ${moved.join(', ')}`,
  }
}
