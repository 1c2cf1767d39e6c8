/** Every state in which a power cut may leave a disk in memory, at every cut point of an operation. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database, Session } from '../../src/storage/parquet/database.ts'
import type { Gate, MemoryDisk } from './memory-files.ts'

/** Decides for each name and content that was not synced whether it reached the disk. */
type Decisions = boolean[]

/** The disk after a power cut: all combinations of what may have survived, or so many of them by chance. */
export function* crashStates(
  disk: MemoryDisk,
  options: { readonly limit: number; readonly chance: () => number },
): Generator<MemoryDisk> {
  if (isMore(disk, options.limit)) {
    // The two extremes always: nothing survived that was not synced, and everything.
    yield crashedWith(disk, []).disk
    yield crashedWith(disk, [], () => true).disk
    for (let i = 2; i < options.limit; i++)
      yield crashedWith(disk, [], () => options.chance() < 0.5).disk
    return
  }
  for (let decisions: Decisions | undefined = []; decisions;) {
    const state: Crashed = crashedWith(disk, decisions)
    yield state.disk
    decisions = nextDecisions(state.taken)
  }
}

/** Whether there are more states than so many: a name that survived asks for those below it. */
function isMore(disk: MemoryDisk, limit: number): boolean {
  let count = 0
  for (let decisions: Decisions | undefined = []; decisions && count <= limit; count++)
    decisions = nextDecisions(crashedWith(disk, decisions).taken)
  return count > limit
}

interface Crashed {
  readonly disk: MemoryDisk
  readonly taken: Decisions
}

function crashedWith(
  disk: MemoryDisk,
  decisions: Decisions,
  otherwise: () => boolean = () => false,
): Crashed {
  const clone = disk.clone()
  const taken: Decisions = []
  clone.crash(() => {
    const decision = decisions[taken.length] ?? otherwise()
    taken.push(decision)
    return decision
  })
  return { disk: clone, taken }
}

/** Depth first: the last "no" becomes a "yes", and what came after it is asked anew. */
function nextDecisions(taken: Decisions): Decisions | undefined {
  const last = taken.lastIndexOf(false)
  return last === -1 ? undefined : [...taken.slice(0, last), true]
}

/** Runs an operation until its call number `cut`, which never comes back; false if it needed fewer calls. */
export async function runUntil(
  cut: number,
  operation: (gate: Gate) => Promise<unknown>,
): Promise<boolean> {
  let calls = 0
  let reached!: () => void
  const stopped = new Promise<'cut'>((resolve) => (reached = () => resolve('cut')))
  const gate: Gate = () => {
    if (++calls < cut) return undefined
    reached()
    return new Promise<never>(() => undefined)
  }
  const ended = operation(gate).then(() => 'done' as const)
  return (await Promise.race([ended, stopped])) === 'cut'
}

const COPY_TARGET = /^COPY .* TO '([^']+)' \([^)]*\)$/s
const MEMORY_FILE = /'(\/lake\/[^']+)'/g
/** Methods of a session that take a statement first. */
const STATEMENTS = new Set(['row', 'rows', 'run', 'table'])

/** An engine that reads the disk in memory, and whose COPY writes to it without syncing anything, as the real one does. */
export function engineOver(
  database: Database,
  disk: MemoryDisk,
  gate: Gate = () => undefined,
): Database {
  const connect = async (): Promise<Session> => {
    const session = await database.connect()
    return new Proxy(session, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target) as unknown
        if (typeof value !== 'function') return value
        const bound = value.bind(target) as (sql: string, ...rest: unknown[]) => Promise<unknown>
        if (!STATEMENTS.has(String(property))) return bound
        return (sql: string, ...rest: unknown[]) =>
          withRealFiles(disk, gate, sql, (real) => bound(real, ...rest))
      },
    })
  }
  const using = async <T>(use: (session: Session) => Promise<T>): Promise<T> => {
    const session = await connect()
    try {
      return await use(session)
    } finally {
      await session.close()
    }
  }
  return { connect, using } as unknown as Database
}

let copies = 0

/** Runs a statement with files of the real disk in place of those in memory. */
async function withRealFiles(
  disk: MemoryDisk,
  gate: Gate,
  sql: string,
  run: (sql: string) => Promise<unknown>,
): Promise<unknown> {
  const target = COPY_TARGET.exec(sql)?.[1]
  if (target !== undefined) await gate('create', target)
  const real = new Map<string, string>()
  for (const [, path] of sql.matchAll(MEMORY_FILE)) {
    const name = `marketlake-${String(process.pid)}-${String(copies++)}.parquet`
    real.set(path!, join(tmpdir(), name))
    const content = path === target ? undefined : await disk.files().read(path!)
    if (content) writeFileSync(real.get(path!)!, content)
  }
  try {
    const result = await run(
      sql.replaceAll(MEMORY_FILE, (_, path: string) => `'${real.get(path)!}'`),
    )
    const written = target === undefined ? undefined : real.get(target)
    if (written !== undefined) disk.writeUnsynced(target!, new Uint8Array(readFileSync(written)))
    return result
  } finally {
    for (const path of real.values()) rmSync(path, { force: true })
  }
}
