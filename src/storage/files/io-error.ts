/** Failures of the operating system, in words: which operation, on which path, and what to do. */
import { LakeError, messageOf } from '../../model/errors.ts'

const NEXT: Readonly<Record<string, string>> = {
  EACCES: 'Give this user permission to read and write there.',
  EDQUOT: 'Free space within the quota and run the command again; nothing was half written.',
  EIO: 'The disk reported an error; check it before going on.',
  EMFILE: 'Raise the limit of open files (ulimit -n) and run the command again.',
  ENFILE: 'The machine has too many open files; close programs and run the command again.',
  ENOSPC: 'Free disk space and run the command again; nothing was half written.',
  EPERM: 'Give this user permission to read and write there.',
  EROFS: 'The file system is read-only: open the lake for reading, or remount it.',
  ESTALE: 'The network file system lost the file; run the command again.',
}

/** Names of the numbers of Linux; Node itself has no name for a full quota and for a file that a server lost. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  5: 'EIO',
  13: 'EACCES',
  24: 'EMFILE',
  28: 'ENOSPC',
  30: 'EROFS',
  116: 'ESTALE',
  122: 'EDQUOT',
}

/** The name of an error number of the operating system. */
export function errnoName(number: number): string | undefined {
  return NAMES[Math.abs(number)]
}

/** What a user can do about a failure of the operating system. */
export function adviceOn(errno: string | undefined): string | undefined {
  return errno === undefined ? undefined : NEXT[errno]
}

/** The `errno` name of a failure of the operating system, also when it is wrapped. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof LakeError) return error.details['errno'] as string | undefined
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown }
  if (typeof code !== 'string') return undefined
  const isNameless = code.startsWith('Unknown system error') && typeof errno === 'number'
  return isNameless ? (errnoName(errno) ?? code) : code
}

/** Wraps a failure of the operating system. */
export function ioError(operation: string, path: string, cause: unknown): LakeError {
  if (cause instanceof LakeError) return cause
  const errno = errnoOf(cause)
  const next = adviceOn(errno)
  const reason = errno ?? messageOf(cause)
  return new LakeError('IO_ERROR', `${operation} failed (${reason}): ${path}`, {
    details: { operation, path, ...(errno !== undefined && { errno }) },
    cause,
    ...(next !== undefined && { next }),
  })
}
