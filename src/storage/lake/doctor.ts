/** Doctor: finishes or clears what a crash left, gives frozen tables a log of their own, reports the rest. */
import { basename, join } from 'node:path'
import { dirname } from 'node:path/posix'
import { messageOf } from '../../model/errors.ts'
import type { Commit } from '../delta/actions.ts'
import { actionsOf } from '../delta/actions.ts'
import { commitInfoOf } from '../delta/commit.ts'
import { filePath } from '../delta/paths.ts'
import type { Snapshot } from '../delta/replay.ts'
import { fileSystemNow, listLeases } from './lease.ts'
import { logDirectory, publishRecord, syncLog } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import { rollForward } from './roll-forward.ts'
import { nextRecord, settle } from './settle.ts'
import type { Store } from './store.ts'
import { appIdOf, refreshHead, tableDirectory } from './store.ts'
import { lakeUsage } from './usage.ts'
import { temporaryFiles, verifyLake } from './verify.ts'
import type { Problem, VerifyOptions } from './verify-file.ts'
import { tableView } from './view.ts'

/** What the doctor found, and what it did about it. */
export interface DoctorReport {
  readonly ok: boolean
  readonly problems: readonly Problem[]
  readonly fixed: readonly string[]
  /** Data files that no kept version names; a vacuum takes them when they are old enough. */
  readonly orphans: readonly Orphans[]
}

/** Files that nothing needs in one table. */
export interface Orphans {
  readonly table: string
  readonly files: number
  readonly bytes: number
}

const DAY_MS = 86_400_000

/** Looks at everything; with `fix` also mends what can be mended without losing anything. */
export async function examineLake(
  store: Store,
  options: VerifyOptions & { readonly fix: boolean },
): Promise<DoctorReport> {
  const fixed: string[] = []
  const problems: Problem[] = []
  try {
    if (options.fix) await finish(store, fixed)
  } catch (error) {
    problems.push({ table: null, file: null, problem: messageOf(error) })
  }
  const head = await refreshHead(store)
  // By the clock that dated them, where the disk takes a file to tell it.
  const told = options.fix ? fileSystemNow(store, logDirectory(store.root)) : undefined
  const nowMs = (await told?.catch(() => undefined)) ?? store.effects.now()
  const leftovers = await temporaryFiles(store, head, nowMs - DAY_MS)
  for (const path of leftovers) {
    if (!options.fix)
      problems.push({
        table: null,
        file: path,
        problem: 'a temporary file of a writer that is gone',
      })
    else if (await store.files.remove(path)) fixed.push(`removed ${basename(path)}`)
  }
  problems.push(...(await verifyLake(store, head, options)))
  return { ok: problems.length === 0, problems, fixed, orphans: await orphansOf(store, head) }
}

/** A damaged log is a problem that verify names; what its files are for cannot be told then. */
async function orphansOf(store: Store, head: LakeRecord): Promise<Orphans[]> {
  const usage = await lakeUsage(store, head).catch(() => undefined)
  return (usage?.tables ?? [])
    .filter(({ unusedFiles }) => unusedFiles > 0)
    .map(({ table, unusedFiles, unusedBytes }) => ({
      table,
      files: unusedFiles,
      bytes: unusedBytes,
    }))
}

async function finish(store: Store, fixed: string[]): Promise<void> {
  const before = store.head.version
  const head = await settle(store, Object.keys(store.head.tables))
  if (head.version > before)
    fixed.push(`adopted commits of other engines as version ${head.version}`)
  const { expired } = await listLeases(store)
  for (const path of expired)
    if (await store.files.remove(path)) fixed.push('removed an expired lease')
  for (const [name, entry] of Object.entries(head.tables)) {
    if (entry.over === undefined && !store.frozen.has(entry.path)) continue
    const path = await thaw(store, name)
    fixed.push(`gave table ${name} a log of its own in ${path}`)
  }
}

/**
 * Thaws a frozen table: hard links of the files it shows, in a directory of its own, with a Delta log that
 * starts at version 0. The old directory stays as it is until vacuum.
 */
async function thaw(store: Store, name: string): Promise<string> {
  for (;;) {
    const head = await settle(store, [])
    const { snapshot, path: oldPath } = await tableView(store, head, name)
    const path = `${dirname(oldPath)}/${name}.${store.effects.uuid().slice(0, 8)}`
    const directory = tableDirectory(store, path)
    await store.files.makeDirectory(directory)
    await store.files.sync(join(directory, '..'))
    await linkFiles(store, snapshot, tableDirectory(store, oldPath), directory)
    const record = thawRecord(store, head, name, path, snapshot)
    if ((await publishRecord(store, record)) === 'exists') {
      await unlinkFiles(store, snapshot, directory)
      continue
    }
    await syncLog(store)
    store.frozen.delete(oldPath)
    await refreshHead(store)
    await rollForward(store, record)
    return path
  }
}

async function linkFiles(
  store: Store,
  snapshot: Snapshot,
  from: string,
  to: string,
): Promise<void> {
  const made = new Set<string>([to])
  for (const file of snapshot.files.values()) {
    const source = filePath(from, file.path)
    const target = filePath(to, file.path)
    const directory = join(target, '..')
    if (!made.has(directory)) await store.files.makeDirectory(directory)
    made.add(directory)
    await store.files.link(source, target)
  }
  for (const directory of made) await store.files.sync(directory)
}

/** Nobody names them, and a vacuum does not know them for ours. */
async function unlinkFiles(store: Store, snapshot: Snapshot, directory: string): Promise<void> {
  const made = new Set<string>()
  for (const file of snapshot.files.values()) {
    const path = filePath(directory, file.path)
    await store.files.remove(path).catch(() => false)
    made.add(join(path, '..'))
  }
  for (const path of [...made].toSorted((a, b) => b.length - a.length))
    await store.files.remove(path).catch(() => false)
  await store.files.remove(directory).catch(() => false)
}

function thawRecord(
  store: Store,
  head: LakeRecord,
  name: string,
  path: string,
  snapshot: Snapshot,
): LakeRecord {
  const next = nextRecord(store, head, 'THAW')
  const commit: Commit = {
    commitInfo: commitInfoOf(
      {
        mode: 'create',
        key: [],
        adds: [],
        removes: [],
        operation: { name: 'CLONE' },
      },
      { timestamp: next.timestamp, txnId: next.txnId },
    ),
    protocol: snapshot.protocol,
    metadata: { ...snapshot.metadata, id: store.effects.uuid() },
    txns: [{ appId: appIdOf(store.lakeId), version: next.version, lastUpdated: next.timestamp }],
    domains: [],
    removes: [],
    adds: [...snapshot.files.values()].map((file) => ({ ...file, dataChange: true })),
  }
  return {
    ...next,
    note: `table ${name} in a directory of its own`,
    tables: { ...head.tables, [name]: { path, version: 0 } },
    commits: [
      { table: name, version: 0, mode: 'create', readVersion: -1, actions: actionsOf(commit) },
    ],
  }
}
