/** Stubs: what is left of records below the horizon. Names in the lake log are never freed. */
import { replace } from '../files/publish.ts'
import { actionsPath, logDirectory, readBareRecord, recordVersions } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import { recordText } from './record.ts'
import type { Store } from './store.ts'

/** Replaces records that no kept version needs by stubs, and deletes their actions. */
export async function writeStubs(
  store: Store,
  head: LakeRecord,
  kept: ReadonlySet<number>,
): Promise<number> {
  let written = 0
  for (const version of await recordVersions(store)) {
    if (version >= head.horizon) break
    if (kept.has(version)) continue
    const record = await readBareRecord(store, version).catch(() => undefined)
    if (!record || record.stub) continue
    await writeStub(store, record)
    written++
  }
  return written
}

async function writeStub(store: Store, record: LakeRecord): Promise<void> {
  const {
    marketlake,
    requires,
    lakeId,
    version,
    txnId,
    timestamp,
    operation,
    note,
    engine,
    units,
  } = record
  const stub = {
    marketlake,
    requires,
    lakeId,
    version,
    txnId,
    timestamp,
    operation,
    ...(note !== undefined && { note }),
    engine,
    units,
    tables: {},
    stub: true,
  }
  const directory = logDirectory(store.root)
  const name = `${String(version).padStart(20, '0')}.json`
  await replace(
    store.files,
    directory,
    name,
    recordText(stub as unknown as LakeRecord),
    store.effects,
  )
  if (record.actionsFile) {
    await store.files.remove(actionsPath(store.root, record.actionsFile.name))
  }
}
