/** The holder of a source: one sync of a source at a time in a lake, so that two do not fetch the same twice. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { LakeError } from '../model/errors.ts'
import { errnoOf } from '../storage/files/io-error.ts'
import { publish, replace } from '../storage/files/publish.ts'
import { fileSystemNow } from '../storage/lake/lease.ts'
import type { Store } from '../storage/lake/store.ts'
import { sourcesDirectory } from './memory.ts'

/** A holder renews its note this often; */
const HEARTBEAT_MS = 30_000
/** and one that has not for so long is taken to be gone, or asleep. */
const HOLD_MS = 5 * 60_000
const ATTEMPTS_MAX = 10
/** Holders that this process let go while the disk kept their notes: it lives, and they do not. */
const letGo = new Set<string>()

/** What the note of a holder says. */
interface Holder {
  readonly holderId: string
  readonly pid: number
  readonly host: string
  readonly since: string
}

/** Sources held by this process. It must be closed. */
export interface Hold {
  close(): Promise<void>
}

/**
 * Holds sources, or throws `LAKE_HELD` naming who does. It only saves requests: commits are safe without it, so a
 * holder that slept and was taken for dead may go on. A process that was killed is found by its pid on the same
 * host at once; on another, and where its pid was given to another process, by the age of its note.
 */
export async function holdSources(store: Store, sources: readonly string[]): Promise<Hold> {
  const directory = await sourcesDirectory(store)
  const holds: Hold[] = []
  const close = async (): Promise<void> => {
    for (const hold of holds.splice(0)) await hold.close()
  }
  try {
    for (const source of new Set(sources)) holds.push(await holdSource(store, directory, source))
  } catch (error) {
    await close()
    throw error
  }
  return { close }
}

async function holdSource(store: Store, directory: string, source: string): Promise<Hold> {
  const name = `${source.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}.holder`
  const own: Holder = {
    holderId: store.effects.uuid(),
    pid: process.pid,
    host: hostname(),
    since: new Date(store.effects.now()).toISOString(),
  }
  const text = `${JSON.stringify(own)}\n`
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const outcome = await publish(store.files, directory, name, text, store.effects)
    if (outcome === 'published') return beating(store, directory, name, own.holderId, text)
    const other = await readHolder(store, directory, name)
    if (other && (await isAlive(store, directory, name, other))) throw held(source, other)
    await takeAway(store, directory, name, other)
  }
  throw new LakeError('LAKE_HELD', `another process is about to sync ${source}`, {
    details: { source },
    next: 'Run the command again.',
  })
}

function beating(
  store: Store,
  directory: string,
  name: string,
  holderId: string,
  text: string,
): Hold {
  const path = join(directory, name)
  const isOurs = async (): Promise<boolean> =>
    (await readHolder(store, directory, name))?.holderId === holderId
  const beat = async (): Promise<void> => {
    if (await isOurs()) await replace(store.files, directory, name, text, store.effects)
  }
  let last: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    last = beat().catch(() => undefined)
  }, HEARTBEAT_MS)
  timer.unref()
  return {
    close: async () => {
      clearInterval(timer)
      await last
      letGo.add(holderId)
      try {
        if (await isOurs()) await store.files.remove(path)
        letGo.delete(holderId)
      } catch (error) {
        // A note that stays says nothing to us any more, and little to others: it grows old.
        if (!(error instanceof LakeError)) throw error
      }
    },
  }
}

/** Undefined for a note that is gone or says nothing. */
async function readHolder(
  store: Store,
  directory: string,
  name: string,
): Promise<Holder | undefined> {
  const content = await store.files.read(join(directory, name))
  try {
    const holder = JSON.parse(
      new TextDecoder().decode(content ?? new Uint8Array()),
    ) as Partial<Holder>
    const { holderId, pid, host, since } = holder
    const known =
      typeof holderId === 'string' &&
      Number.isSafeInteger(pid) &&
      typeof host === 'string' &&
      typeof since === 'string'
    return known ? { holderId, pid: pid!, host, since } : undefined
  } catch {
    return undefined
  }
}

async function isAlive(
  store: Store,
  directory: string,
  name: string,
  { holderId, pid, host }: Holder,
): Promise<boolean> {
  if (letGo.has(holderId)) return false
  if (host === hostname() && !isRunning(pid)) return false
  const stat = await store.files.stat(join(directory, name))
  if (!stat) return false
  return (await fileSystemNow(store, directory)) - stat.modifiedMs <= HOLD_MS
}

/** A process of somebody else cannot be signalled, but it is there. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Of several that find a dead holder one moves its note away; a note that came meanwhile is put back. */
async function takeAway(
  store: Store,
  directory: string,
  name: string,
  dead: Holder | undefined,
): Promise<void> {
  const aside = `.${name}.${store.effects.uuid()}.tmp`
  try {
    await store.files.rename(join(directory, name), join(directory, aside))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  const moved = await readHolder(store, directory, aside)
  if (moved && moved.holderId !== dead?.holderId)
    await store.files.link(join(directory, aside), join(directory, name))
  await store.files.remove(join(directory, aside))
}

function held(source: string, { pid, host, since }: Holder): LakeError {
  return new LakeError(
    'LAKE_HELD',
    `process ${String(pid)} on ${host} has been syncing ${source} into this lake since ${since}`,
    {
      details: { source, pid, host, since },
      next: 'Wait for it, or end it; readers are not concerned. If it is no sync, that was killed and another process has its number: wait five minutes.',
    },
  )
}
