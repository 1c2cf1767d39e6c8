/** Backup: a consistent copy of a lake, made while others write. */
import { basename, dirname, join, resolve } from 'node:path'
import { LakeError, hasCode } from '../model/errors.ts'
import { LOG_DIRECTORY, parseLogName } from '../storage/delta/names.ts'
import { filePath } from '../storage/delta/paths.ts'
import type { Files } from '../storage/files/files.ts'
import { keptVersions } from '../storage/lake/horizon.ts'
import {
  ACTIONS_DIRECTORY,
  logDirectory,
  readRecord,
  recordPath,
  recordVersions,
} from '../storage/lake/lake-log.ts'
import { takeLease } from '../storage/lake/lease.ts'
import { neededBy } from '../storage/lake/needed.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { settle } from '../storage/lake/settle.ts'
import type { Store } from '../storage/lake/store.ts'
import { refreshHead, tableDirectory } from '../storage/lake/store.ts'
import { CONFIG_FILE } from './config.ts'
import { checkNotOfLake } from './export-file.ts'

/** What was copied. */
export interface BackupResult {
  readonly directory: string
  readonly version: number
  readonly files: number
  readonly bytes: number
}

/** Copies every version that can be opened now into an empty or absent directory. */
export async function backupLake(store: Store, target: string): Promise<BackupResult> {
  const root = resolve(target)
  const { files } = store
  await checkNotOfLake(store.root, root)
  if ((await files.list(root)).length > 0) {
    throw new LakeError('INVALID_ARGUMENT', `the directory is not empty: ${root}`, {
      next: 'Choose an empty directory for the copy.',
    })
  }
  const { head, kept, release } = await keepAll(store)
  const copier = newCopier(files)
  try {
    await copyTables(store, head, kept, root, copier)
    const config = join(store.root, CONFIG_FILE)
    if (await files.stat(config)) await copier.copy(config, join(root, CONFIG_FILE))
    // Records last: until then the copy is no lake.
    await copyRecords(store, head, root, copier)
    await copier.finish()
  } catch (error) {
    await copier.undo()
    throw await reasonOf(store, head, error)
  } finally {
    await release()
  }
  return { directory: root, version: head.version, files: copier.count(), bytes: copier.bytes() }
}

/** Where there was no lease, versions that the copy says it has may have lost their files while it was made. */
async function reasonOf(store: Store, head: LakeRecord, error: unknown): Promise<unknown> {
  if (!hasCode(error, 'CORRUPT_FILE')) return error
  const { horizon: version } = head
  if ((await refreshHead(store)).horizon <= version) return error
  const text = `a vacuum took files of version ${version} and later ones while the lake was copied`
  return new LakeError('VERSION_VACUUMED', text, {
    cause: error,
    details: { version },
    next: 'Run the command again.',
  })
}

/** What is copied: a head and every version kept there, which no vacuum takes meanwhile. */
interface KeptLake {
  readonly head: LakeRecord
  readonly kept: readonly number[]
  readonly release: () => Promise<void>
}

/** A vacuum that announced a later horizon before it could see the lease has taken versions: then anew. */
async function keepAll(store: Store): Promise<KeptLake> {
  for (;;) {
    const head = await settle(store, Object.keys(store.head.tables))
    const kept = keptVersions(head, head.horizon, [])
    // On a medium that cannot be written there is no lease.
    const lease = await takeLease(store, head).catch(passed)
    const release = async (): Promise<void> => lease?.close()
    try {
      await lease?.move(head, kept)
      if ((await refreshHead(store)).horizon === head.horizon) return { head, kept, release }
    } catch (error) {
      await release()
      throw error
    }
    await release()
  }
}

/** The horizon passed even the head: there is a newer one. */
function passed(error: unknown): undefined {
  if (!hasCode(error, 'VERSION_VACUUMED')) throw error
}

interface Copier {
  /** Copies one file; with `optional` an absent source is passed over. */
  copy(from: string, to: string, optional?: boolean): Promise<void>
  makeDirectory(path: string, mode?: number): Promise<void>
  finish(): Promise<void>
  /** Takes away what was made, as far as that can be done: half a copy would be in the way of the next. */
  undo(): Promise<void>
  count(): number
  bytes(): number
}

function newCopier(files: Files): Copier {
  // Directories that are there; those that were not before, and the files, in the order they were made.
  const there = new Set<string>()
  const made: string[] = []
  let [count, bytes] = [0, 0]
  const makeDirectory = async (directory: string, mode?: number): Promise<void> => {
    if (there.has(directory)) return
    if (!(await files.stat(directory))) {
      await makeDirectory(dirname(directory))
      await files.makeDirectory(directory, mode)
      made.push(directory)
    }
    there.add(directory)
  }
  return {
    makeDirectory,
    copy: async (from, to, optional = false) => {
      const content = await files.read(from)
      if (!content && optional) return
      if (!content) throw new LakeError('CORRUPT_FILE', `a file of the lake is missing: ${from}`)
      await makeDirectory(dirname(to))
      made.push(to)
      await files.create(to, content)
      count++
      bytes += content.length
    },
    finish: async () => {
      for (const directory of there) await files.sync(directory)
    },
    undo: async () => {
      for (const path of made.toReversed()) await files.remove(path).catch(() => false)
    },
    count: () => count,
    bytes: () => bytes,
  }
}

async function copyTables(
  store: Store,
  head: LakeRecord,
  kept: readonly number[],
  root: string,
  copier: Copier,
): Promise<void> {
  const { tables: needed } = await neededBy(store, head, kept)
  const mapped = new Map(Object.values(head.tables).map((entry) => [entry.path, entry.version]))
  for (const table of needed.values()) {
    const [from, to] = [tableDirectory(store, table.path), join(root, ...table.path.split('/'))]
    for (const key of table.files.keys()) {
      // Files of commits that the lake has not adopted may be gone again.
      await copier.copy(filePath(from, key), filePath(to, key), table.later.has(key))
    }
    const limit = mapped.get(table.path) ?? table.snapshot?.version ?? Number.POSITIVE_INFINITY
    for (const name of await store.files.list(join(from, LOG_DIRECTORY))) {
      const entry = parseLogName(name)
      if (!entry || entry.version > limit) continue
      await copier.copy(join(from, LOG_DIRECTORY, name), join(to, LOG_DIRECTORY, name), true)
    }
  }
}

async function copyRecords(
  store: Store,
  head: LakeRecord,
  root: string,
  copier: Copier,
): Promise<void> {
  for (const version of await recordVersions(store)) {
    if (version > head.version) continue
    const record = await readRecord(store, version)
    if (record?.stub && version >= head.horizon)
      throw new LakeError('CORRUPT_FILE', `version ${version} was vacuumed while it was copied`)
    if (record?.actionsFile) {
      const name = record.actionsFile.name
      const path = join(logDirectory(store.root), ACTIONS_DIRECTORY, name)
      await copier.copy(path, join(logDirectory(root), ACTIONS_DIRECTORY, name))
    }
    const path = recordPath(store.root, version)
    await copier.copy(path, join(logDirectory(root), basename(path)))
  }
  for (const [name, mode] of [['actions'], ['journal'], ['leases', 0o1777]] as const) {
    await copier.makeDirectory(join(logDirectory(root), name), mode)
  }
}
