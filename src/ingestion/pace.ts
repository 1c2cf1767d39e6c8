/** Turns at a host, shared by all processes of a lake: slots of time, a hold while it is overloaded, a circuit breaker. */
import { join } from 'node:path'
import type { Effects } from '../model/effects.ts'
import { LakeError } from '../model/errors.ts'
import type { Files } from '../storage/files/files.ts'
import { replace } from '../storage/files/publish.ts'

/** Takes turns at hosts. */
export interface Pace {
  /** Waits for the next turn. While the circuit of a host is open it throws `SOURCE_UNAVAILABLE`. */
  turn(host: string, paceMs: number, wait: (timeMs: number) => Promise<void>): Promise<void>
  /** The host was overloaded: nobody asks for so long, and then for some minutes more slowly. */
  throttled(host: string, holdMs: number, reason: string): Promise<void>
  /** A request was given up after all its tries. */
  failed(host: string, reason: string): Promise<void>
  /** A request was answered. */
  succeeded(host: string): Promise<void>
}

/** Where the turns are kept; without a directory this process has them to itself. */
export interface PaceOptions {
  readonly effects: Effects
  readonly files?: Files
  readonly directory?: string
}

/** What all processes know of a host. */
interface HostState {
  /** Nobody asks before. */
  readonly holdUntilMs: number
  /** Only every so many slots are used, until `slowUntilMs`. */
  readonly slowness: number
  readonly slowUntilMs: number
  /** Requests given up in a row. */
  readonly failures: number
  readonly openUntilMs: number
  readonly reason: string
}

const FRESH: HostState = {
  holdUntilMs: 0,
  slowness: 1,
  slowUntilMs: 0,
  failures: 0,
  openUntilMs: 0,
  reason: '',
}

const SLOW_MS = 300_000
const SLOWNESS_MAX = 8
/** Requests given up in a row after which a host is left alone. */
const FAILURES_MAX = 3
const OPEN_MS = 60_000
const OPEN_MS_MAX = 1_800_000
/** No wait is longer, so a later moment in a file comes from a clock that went back. */
const AHEAD_MS_MAX = 2 * OPEN_MS_MAX
/** Turns are not taken further ahead than what waits for them is long. */
const QUEUE_MS_MAX = 60_000
const QUEUE_STEPS_MAX = 100
/** Slots of the past are of no use. */
const SLOT_KEPT_MS = 60_000
const SWEEP_TURNS = 100
const STEPS_MAX = 100_000

/** Builds the turns of this process. What cannot be shared because of the disk is paced here alone. */
export function createPace(options: PaceOptions): Pace {
  const { effects } = options
  const states = stateStore(options)
  const slots = slotStore(options)

  async function change(host: string, next: (state: HostState) => HostState): Promise<void> {
    await states.write(host, next(await states.read(host)))
  }

  return {
    turn: async (host, paceMs, wait) => {
      for (let step = 0; step < STEPS_MAX; step++) {
        const state = await states.read(host)
        const nowMs = effects.now()
        if (within(state.openUntilMs, nowMs)) throw circuitOpen(host, state)
        if (within(state.holdUntilMs, nowMs)) {
          await wait(state.holdUntilMs - nowMs)
          continue
        }
        if (paceMs <= 0) return
        const slowness = within(state.slowUntilMs, nowMs) ? state.slowness : 1
        const atMs = await slots.take(host, paceMs, slowness)
        if (atMs > effects.now()) await wait(atMs - effects.now())
        // Someone may have been told to wait while this turn was waited for.
        const after = await states.read(host)
        if (!within(after.holdUntilMs, effects.now())) return
      }
      throw new LakeError('SOURCE_UNAVAILABLE', `${host} is never free`, { details: { host } })
    },
    throttled: (host, holdMs, reason) =>
      change(host, (state) => {
        const nowMs = effects.now()
        const slow = within(state.slowUntilMs, nowMs) ? state.slowness : 1
        return {
          ...state,
          reason,
          holdUntilMs: Math.max(state.holdUntilMs, nowMs + holdMs),
          slowness: Math.min(SLOWNESS_MAX, slow * 2),
          slowUntilMs: nowMs + holdMs + SLOW_MS,
        }
      }),
    failed: (host, reason) =>
      change(host, (state) => {
        const failures = state.failures + 1
        const over = failures - FAILURES_MAX
        const openMs = over < 0 ? 0 : Math.min(OPEN_MS_MAX, OPEN_MS * 2 ** over)
        return { ...state, failures, reason, openUntilMs: openMs > 0 ? effects.now() + openMs : 0 }
      }),
    succeeded: async (host) => {
      const state = await states.read(host)
      if (state.failures > 0) await states.write(host, { ...state, failures: 0, openUntilMs: 0 })
    },
  }
}

/** True for a moment that is still to come and not beyond every wait there is. */
function within(untilMs: number, nowMs: number): boolean {
  return untilMs > nowMs && untilMs - nowMs <= AHEAD_MS_MAX
}

interface StateStore {
  read(host: string): Promise<HostState>
  write(host: string, state: HostState): Promise<void>
}

const STATE_FILE = 'state.json'

/** The state of a host in a small file that is replaced as a whole; the last writer counts. */
function stateStore({ files, directory, effects }: PaceOptions): StateStore {
  const own = new Map<string, HostState>()
  return {
    read: async (host) => {
      const content =
        files && directory !== undefined
          ? await orUndefined(() => files.read(join(directory, folderOf(host), STATE_FILE)))
          : undefined
      const shared = content && parseState(content)
      return shared ?? own.get(host) ?? FRESH
    },
    write: async (host, state) => {
      own.set(host, state)
      if (!files || directory === undefined) return
      const folder = join(directory, folderOf(host))
      await orUndefined(async () => {
        await files.makeDirectory(folder, 0o1777)
        await replace(files, folder, STATE_FILE, JSON.stringify(state), effects)
      })
    },
  }
}

function parseState(content: Uint8Array): HostState | undefined {
  try {
    const state = JSON.parse(new TextDecoder().decode(content)) as Partial<HostState>
    const numbers = [state.holdUntilMs, state.slowness, state.slowUntilMs, state.failures]
    if (![...numbers, state.openUntilMs].every((n) => Number.isFinite(n))) return undefined
    return { ...FRESH, ...state }
  } catch {
    return undefined
  }
}

interface SlotStore {
  /** Claims a slot nobody has and gives the moment it begins. */
  take(host: string, paceMs: number, slowness: number): Promise<number>
}

/**
 * Time is cut into slots of the pace. A slot is claimed by making a directory of its name, which one process
 * alone can do; nothing has to be released, so a killed process costs one slot.
 */
function slotStore({ files, directory, effects }: PaceOptions): SlotStore {
  const lastOf = new Map<string, number>()
  const turnsOf = new Map<string, number>()

  async function claim(host: string, atMs: number): Promise<boolean> {
    if (!files || directory === undefined) return true
    const folder = join(directory, folderOf(host))
    const turns = turnsOf.get(host) ?? 0
    turnsOf.set(host, turns + 1)
    const made = await orUndefined(async () => {
      if (turns % SWEEP_TURNS === 0) {
        await files.makeDirectory(folder, 0o1777)
        await sweep(files, folder, effects.now())
      }
      return files.makeDirectory(join(folder, slotName(atMs)), 0o777)
    })
    return made !== 'exists'
  }

  return {
    take: async (host, paceMs, slowness) => {
      const step = paceMs * slowness
      const nowMs = effects.now()
      const lastMs = lastOf.get(host) ?? 0
      // A last turn further ahead than any queue comes from before the clock went back.
      const aheadMs = Math.max(QUEUE_MS_MAX, QUEUE_STEPS_MAX * step)
      const fromMs = lastMs - nowMs > aheadMs ? nowMs : Math.max(nowMs, lastMs + step)
      let atMs = Math.ceil(fromMs / step) * step
      for (let tries = 0; tries < STEPS_MAX && !(await claim(host, atMs)); tries++) atMs += step
      lastOf.set(host, atMs)
      return atMs
    },
  }
}

function slotName(atMs: number): string {
  return `slot-${String(Math.floor(atMs)).padStart(15, '0')}`
}

async function sweep(files: Files, folder: string, nowMs: number): Promise<void> {
  for (const name of await files.list(folder)) {
    const match = /^slot-(\d{15})$/.exec(name)
    if (match && Number(match[1]) < nowMs - SLOT_KEPT_MS) await files.remove(join(folder, name))
  }
}

function folderOf(host: string): string {
  return host.replaceAll(/[^A-Za-z0-9.-]/g, '_')
}

/** Sharing is a courtesy: a disk that refuses does not stop a sync. */
async function orUndefined<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof LakeError) return undefined
    throw error
  }
}

function circuitOpen(host: string, state: HostState): LakeError {
  const until = new Date(state.openUntilMs).toISOString()
  return new LakeError(
    'SOURCE_UNAVAILABLE',
    `${host} gave up ${state.failures} requests in a row and is left alone until ${until}: ${state.reason}`,
    {
      details: { host, failures: state.failures, until, reason: state.reason },
      next: 'Run the command again after that; it goes on where it stopped.',
    },
  )
}
