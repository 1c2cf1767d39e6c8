/** Leases: small files by which running readers keep the version they read from being vacuumed. */
import { join } from 'node:path'
import { hostname } from 'node:os'
import { hasCode } from '../../model/errors.ts'
import { replace } from '../files/publish.ts'
import { LEASES_DIRECTORY, logDirectory } from './lake-log.ts'
import type { LakeRecord } from './record.ts'
import type { Store } from './store.ts'
import { refreshHead, vacuumed } from './store.ts'

/** A lease is renewed this often; */
export const HEARTBEAT_MS: number = 60_000
/** and counts for so long after the last renewal. */
export const LEASE_MS: number = 15 * 60_000

/** What a lease says. */
export interface LeaseContent {
  readonly leaseId: string
  readonly lakeVersion: number
  readonly txnId: string
  /** More versions that it protects. */
  readonly others?: readonly number[]
  readonly pid: number
  readonly host: string
}

/** A lease that this process holds. It must be closed. */
export interface Lease {
  readonly leaseId: string
  /**
   * Protects another version, and those of `others`, from now on; the new ones are protected before the old ones are
   * let go.
   */
  move(record: LakeRecord, others?: Iterable<number>): Promise<void>
  close(): Promise<void>
}

/**
 * Takes a lease on a version. Undefined where the medium cannot be written: then only age protects the reader.
 * Throws `VERSION_VACUUMED` if the version was given up meanwhile.
 */
export async function takeLease(store: Store, record: LakeRecord): Promise<Lease | undefined> {
  const lease = newLease(store, record)
  try {
    await lease.write()
  } catch (error) {
    await lease.close()
    if (hasCode(error, 'IO_ERROR')) return undefined
    throw error
  }
  // A heartbeat that fails leaves fifteen minutes to the next one.
  lease.beat()
  try {
    await checkStillOpen(store, record)
  } catch (error) {
    await lease.close()
    throw error
  }
  return lease
}

/** Its file is written by one write after the other: an older one must not end last, nor after the lease is closed. */
function newLease(
  store: Store,
  record: LakeRecord,
): Lease & { write(): Promise<void>; beat(): void } {
  const leaseId = store.effects.uuid()
  const [directory, name] = [leaseDirectory(store), leaseName(leaseId)]
  let content = contentOf(leaseId, record, [])
  let closed = false
  let last: Promise<unknown> = Promise.resolve()
  let timer: ReturnType<typeof setInterval> | undefined
  const write = (): Promise<void> => {
    const turn = last.then(async () => {
      if (closed) return
      await replace(store.files, directory, name, content, store.effects)
    })
    last = turn.catch(() => undefined)
    return turn
  }
  return {
    leaseId,
    write,
    beat: () => {
      timer = setInterval(() => void write().catch(() => undefined), HEARTBEAT_MS)
      timer.unref()
    },
    move: async (next, others = []) => {
      const wanted = contentOf(leaseId, next, others)
      if (wanted === content) return
      content = wanted
      // A full disk stops no reader: until the next heartbeat the age of the version protects it.
      await write().catch((error: unknown) => {
        if (!hasCode(error, 'IO_ERROR')) throw error
      })
    },
    close: async () => {
      closed = true
      clearInterval(timer)
      await last
      await store.files.remove(join(directory, name)).catch(() => false)
    },
  }
}

/** The horizon may have passed the version between choosing it and writing the lease. */
async function checkStillOpen(store: Store, record: LakeRecord): Promise<void> {
  const head = await refreshHead(store)
  const tagged = Object.values(head.tags).some((tag) => tag.version === record.version)
  if (record.version >= head.horizon || tagged) return
  throw vacuumed(record.version, head)
}

function leaseDirectory(store: Pick<Store, 'root'>): string {
  return join(logDirectory(store.root), LEASES_DIRECTORY)
}

function leaseName(leaseId: string): string {
  return `${leaseId}.json`
}

function contentOf(leaseId: string, record: LakeRecord, versions: Iterable<number>): string {
  const others = [...new Set(versions)].filter((version) => version !== record.version)
  const content: LeaseContent = {
    leaseId,
    lakeVersion: record.version,
    txnId: record.txnId,
    ...(others.length > 0 && { others: others.toSorted((a, b) => a - b) }),
    pid: process.pid,
    host: hostname(),
  }
  return `${JSON.stringify(content)}\n`
}

/** Stands among leased versions for a lease that does not say what it protects. */
export const EVERY_VERSION = -1

/** Versions that living leases protect, and what is left of dead ones. */
export interface LeaseList {
  readonly versions: readonly number[]
  readonly expired: readonly string[]
}

/** Lists leases. Their age is measured against a file made now in the same directory, never against our clock. */
export async function listLeases(store: Store): Promise<LeaseList> {
  const directory = leaseDirectory(store)
  const nowMs = await fileSystemNow(store, directory)
  const versions: number[] = []
  const expired: string[] = []
  for (const name of await store.files.list(directory)) {
    const path = join(directory, name)
    const stat = await store.files.stat(path)
    if (!stat || !name.endsWith('.json')) continue
    if (nowMs - stat.modifiedMs > LEASE_MS) expired.push(path)
    else versions.push(...(await leasedVersions(store, path)))
  }
  return { versions, expired }
}

/** A lease that cannot be read protects everything until it expires. */
async function leasedVersions(store: Store, path: string): Promise<readonly number[]> {
  try {
    const content = await store.files.read(path)
    if (!content) return []
    const lease = JSON.parse(new TextDecoder().decode(content)) as Partial<LeaseContent>
    const versions = [lease.lakeVersion, ...(lease.others ?? [])]
    return versions.map((version) => (Number.isSafeInteger(version) ? version! : EVERY_VERSION))
  } catch {
    return [EVERY_VERSION]
  }
}

/** The file system's own time, by a file made now. */
export async function fileSystemNow(store: Store, directory: string): Promise<number> {
  const path = join(directory, `.probe.${store.effects.uuid()}.tmp`)
  await store.files.create(path, new Uint8Array([0]))
  try {
    return (await store.files.stat(path))!.modifiedMs
  } finally {
    await store.files.remove(path).catch(() => false)
  }
}
