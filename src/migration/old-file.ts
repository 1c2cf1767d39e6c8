/** The old `.duckdb` file, opened through DuckDB: for reading, or for writing under its own lock. */
import { resolve } from 'node:path'
import { LakeError, messageOf } from '../model/errors.ts'
import { localFiles } from '../storage/files/local.ts'
import { realPath } from '../storage/files/real-path.ts'
import type { Files } from '../storage/files/files.ts'
import type { OldFileMark } from '../storage/lake/migration-state.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'

/** The name under which the old file is attached. */
export const OLD = 'old_file'

/** How the old file is opened. */
export interface AttachOptions {
  /** For writing: nobody else can open the file meanwhile. */
  readonly write?: boolean
  /** How long to wait for others to let go of the file; 0: not at all. */
  readonly waitMs?: number
  readonly alias?: string
}

/** Files this process has open: the lock of DuckDB holds only between processes. */
const openHere = new Map<string, { readers: number; writer: boolean }>()
const RETRY_MS = 50

/** Attaches the file while `use` runs. */
export async function withOldFile<T>(
  session: Session,
  path: string,
  options: AttachOptions,
  use: () => Promise<T>,
): Promise<T> {
  const detach = await attachOldFile(session, path, options)
  try {
    return await use()
  } finally {
    await detach()
  }
}

/** Attaches the file; the result detaches it, which also brings its write-ahead log into it. */
export async function attachOldFile(
  session: Session,
  path: string,
  options: AttachOptions = {},
): Promise<() => Promise<void>> {
  const { write = false, waitMs = 0, alias = OLD } = options
  const file = resolve(path)
  // Opened for writing, DuckDB would make a file that is not there.
  if (!(await localFiles.stat(file))) throw missing(file)
  const deadlineMs = Date.now() + waitMs
  for (;;) {
    const release = enter(file, write)
    try {
      if (!release) throw heldHere(file)
      const mode = write ? '' : ' (READ_ONLY)'
      await session.run(`ATTACH ${literal(file)} AS ${identifier(alias)}${mode}`)
      return async () => {
        await session.run(`DETACH ${identifier(alias)}`).finally(release)
      }
    } catch (error) {
      release?.()
      const known = explained(error, file)
      if (known.code !== 'LAKE_HELD' || Date.now() >= deadlineMs) throw known
      await new Promise((done) => setTimeout(done, RETRY_MS))
    }
  }
}

function enter(file: string, write: boolean): (() => void) | undefined {
  const state = openHere.get(file) ?? { readers: 0, writer: false }
  if (state.writer || (write && state.readers > 0)) return undefined
  openHere.set(file, state)
  if (write) state.writer = true
  else state.readers++
  let held = true
  return () => {
    if (!held) return
    held = false
    if (write) state.writer = false
    else state.readers--
  }
}

function missing(file: string): LakeError {
  return new LakeError('IO_ERROR', `the old file is not there: ${file}`, {
    details: { path: file, errno: 'ENOENT' },
    next: 'Bring it back to its place; `marketlake migrate status` shows it.',
  })
}

function heldHere(file: string): LakeError {
  return held(file, process.pid, undefined)
}

function held(file: string, pid: number | undefined, cause: unknown): LakeError {
  const who = pid === process.pid ? 'this process' : `process ${pid ?? 'unknown'}`
  return new LakeError('LAKE_HELD', `${file} is held by ${who}`, {
    details: { path: file, ...(pid !== undefined && { pid }) },
    next: 'Wait until it lets go (--wait), or read a copy (--copy).',
    ...(cause !== undefined && { cause }),
  })
}

/** Not every text with `lock` in it: a corrupt file is told with its block, and paths hold any word. */
const LOCKED = /could not set lock on file|conflicting lock|being used by another process/i

/** DuckDB's failures to open a file, in our words. */
function explained(cause: unknown, file: string): LakeError {
  const message = messageOf(cause)
  if (cause instanceof LakeError && cause.code === 'LAKE_HELD') return cause
  if (LOCKED.test(message)) {
    const pid = /PID (\d+)/.exec(message)?.[1]
    return held(file, pid === undefined ? undefined : Number(pid), cause)
  }
  if (cause instanceof LakeError && !/cannot open|does not exist/i.test(message)) return cause
  return new LakeError('IO_ERROR', `${file} cannot be opened: ${message.split('\n')[0]!}`, {
    details: { path: file },
    cause,
    next: 'Check the path of the old file; `marketlake migrate status` shows it.',
  })
}

/** What the file looks like now; undefined if there is none. */
export async function markOf(files: Files, path: string): Promise<OldFileMark | undefined> {
  const stat = await files.stat(await realPath(path))
  if (!stat) return undefined
  const wal = await files.stat(`${path}.wal`)
  return {
    sizeBytes: stat.sizeBytes,
    modifiedMs: stat.modifiedMs,
    walBytes: wal?.sizeBytes ?? 0,
  }
}

/** True if nothing was written between two looks. */
export function sameMark(a: OldFileMark | undefined, b: OldFileMark | undefined): boolean {
  if (!a || !b) return false
  return a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs && a.walBytes === b.walBytes
}

/** A table of the attached file. */
export function oldTable(name: string, schema = 'main'): string {
  return [OLD, schema, name].map(identifier).join('.')
}
