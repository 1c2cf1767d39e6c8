/** Records without Delta commits: the horizon, settings and tags of a lake. */
import { LakeError } from '../../model/errors.ts'
import { publishRecord, syncLog } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import { nextRecord, settle } from './settle.ts'
import type { Store } from './store.ts'
import { refreshHead } from './store.ts'

const ATTEMPTS_MAX = 1000

/** Publishes a record that changes the head's own fields; `change` sees the head it will follow, on every try. */
export async function amendLake(
  store: Store,
  operation: string,
  change: (head: LakeRecord) => Partial<LakeRecord>,
): Promise<LakeRecord> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const head = await settle(store, [])
    const record = { ...nextRecord(store, head, operation), ...change(head) }
    if ((await publishRecord(store, record)) === 'exists') continue
    await syncLog(store)
    await refreshHead(store)
    store.settled = record.version
    return record
  }
  throw new LakeError('WRITE_CONFLICT', 'the lake is too busy', { next: 'Run the command again.' })
}
