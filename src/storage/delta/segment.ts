/** Log discovery: which checkpoint and which commits make up a version. */
import { join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import { groupBy } from '../../model/group.ts'
import type { Files } from '../files/files.ts'
import { corrupt } from './actions.ts'
import { LOG_DIRECTORY, parseLogName } from './names.ts'

/** A checkpoint that may be complete: its version and files. */
export interface CheckpointFiles {
  readonly version: number
  readonly form: 'classic' | 'uuid' | 'parts'
  readonly names: readonly string[]
}

/** What a log directory holds. */
export interface LogListing {
  readonly directory: string
  /** Versions of the commits that are there, ascending. */
  readonly commits: readonly number[]
  /** Candidates, newest first; of one version in the order UUID, parts, classic. */
  readonly checkpoints: readonly CheckpointFiles[]
}

/** Lists the log of a table. `undefined` if there is no log: a table exists once it has a commit or checkpoint. */
export async function listLog(files: Files, table: string): Promise<LogListing | undefined> {
  const directory = join(table, LOG_DIRECTORY)
  if ((await files.stat(directory))?.kind === 'other') throw linkedLog(directory)
  const entries = (await files.list(directory)).flatMap((name) => parseLogName(name) ?? [])
  const commits = entries.filter((e) => e.kind === 'commit').map((e) => e.version)
  const single = entries.flatMap((e) =>
    e.kind === 'checkpoint' ? [{ version: e.version, form: e.form, names: [e.name] }] : [],
  )
  const checkpoints = [...single, ...completeParts(entries)]
  if (commits.length === 0 && checkpoints.length === 0) return undefined
  return {
    directory,
    commits: commits.toSorted((a, b) => a - b),
    checkpoints: checkpoints.toSorted(
      (a, b) => b.version - a.version || FORMS.indexOf(a.form) - FORMS.indexOf(b.form),
    ),
  }
}

/** What a link points to may be written by somebody who does not know this table. */
function linkedLog(directory: string): LakeError {
  return new LakeError('IO_ERROR', `the log is a symbolic link or no directory: ${directory}`, {
    details: { path: directory, operation: 'list', errno: 'ELOOP' },
    next: 'Open the table at the place where its log really stands.',
  })
}

const FORMS = ['uuid', 'parts', 'classic']

/** Multi-part checkpoints count only when all parts of one numbering are there. */
function completeParts(
  entries: readonly NonNullable<ReturnType<typeof parseLogName>>[],
): CheckpointFiles[] {
  const all = entries.filter((e) => e.kind === 'part')
  const groups = groupBy(all, (e) => `${e.version}/${e.parts}`)
  return [...groups.values()].flatMap((parts) => {
    const { version, parts: count } = parts[0]!
    const complete = parts.length === count && new Set(parts.map((p) => p.part)).size === count
    const names = parts.toSorted((a, b) => a.part - b.part).map((p) => p.name)
    return complete ? [{ version, form: 'parts' as const, names }] : []
  })
}

/** The error for a directory that holds no table. */
export function noTable(root: string): LakeError {
  return new LakeError('TABLE_NOT_FOUND', `no Delta table here: ${root}`, {
    details: { directory: root },
    next: 'Name the directory that holds _delta_log.',
  })
}

/** The newest version a listing shows. */
export function newestVersion(listing: LogListing): number {
  return Math.max(listing.commits.at(-1) ?? -1, listing.checkpoints[0]?.version ?? -1)
}

/** The oldest version that can still be built from a listing. */
export function oldestVersion(listing: LogListing): number {
  const checkpoint = listing.checkpoints.at(-1)?.version
  if (listing.commits[0] === 0) return 0
  return checkpoint ?? newestVersion(listing)
}

/** The commits between a checkpoint (or nothing) and a version; a hole is an error that names it. */
export function commitsBetween(listing: LogListing, after: number, version: number): number[] {
  const there = new Set(listing.commits)
  const wanted = Array.from({ length: version - after }, (_, i) => after + 1 + i)
  const missing = wanted.find((v) => !there.has(v))
  if (missing !== undefined) throw missingVersion(listing, missing, version)
  return wanted
}

/** A missing commit below the newest is a hole; one at or above it simply does not exist. */
function missingVersion(listing: LogListing, missing: number, version: number): LakeError {
  if (missing > newestVersion(listing)) {
    return new LakeError(
      'VERSION_NOT_FOUND',
      `there is no version ${version} in ${listing.directory}`,
      {
        details: { directory: listing.directory, version, newest: newestVersion(listing) },
        next: `The newest version is ${newestVersion(listing)}.`,
      },
    )
  }
  return corrupt(listing.directory, `version ${missing} is missing from the log`)
}
