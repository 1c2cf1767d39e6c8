/** Errors of queries in the lake's terms: which relation was meant, and that a version is gone. */
import { LakeError, hasCode } from '../model/errors.ts'
import type { Session } from '../storage/parquet/database.ts'

const UNKNOWN_TABLE = /^Table with name (\S+) does not exist/

/** True for an error about a table that the engine has not. */
export function isUnknownTable(error: unknown): error is LakeError {
  return hasCode(error, 'SQL_ERROR') && UNKNOWN_TABLE.test(error.message)
}

/** The error for a table that an engine of a date leaves out; undefined if it does not. */
export function withheldTable(
  error: LakeError,
  withheld: readonly string[],
  date: string | undefined,
): LakeError | undefined {
  const name = UNKNOWN_TABLE.exec(error.message)![1]!.toLowerCase()
  const table = withheld.find((other) => other.toLowerCase() === name)
  if (table === undefined) return undefined
  return new LakeError('SQL_ERROR', `${table} does not say when its rows were known`, {
    cause: error,
    details: { ...error.details, table, asOf: date },
    next: 'An engine of a date shows rows by visible_date, trade_date or notice_date; name the table in `include` to see all of it.',
  })
}

/** Names the relations of the lake that an unknown name may have meant. */
export async function namingRelations(
  error: LakeError,
  session: Session,
  names: readonly string[],
): Promise<LakeError> {
  const unknown = UNKNOWN_TABLE.exec(error.message)![1]!
  const nearest = await session.rows<{ name: string; near: boolean }>(
    `SELECT name, similarity > 0.8 AS near FROM (
       SELECT name, jaro_winkler_similarity(name, lower($1::VARCHAR)) AS similarity FROM (SELECT unnest($2) AS name))
     ORDER BY similarity DESC, name LIMIT 3`,
    [unknown, names],
  )
  const near = nearest.filter((candidate) => candidate.near).map((candidate) => candidate.name)
  return new LakeError('SQL_ERROR', `there is no table or view ${unknown}`, {
    cause: error,
    details: { ...error.details, candidates: near },
    next:
      near.length > 0
        ? `Did you mean ${near.join(' or ')}?`
        : `There are: ${names.toSorted().join(', ')}.`,
  })
}

/** True if a statement failed because a file below a directory is not there any more. */
export function isMissingFile(error: unknown, directory: string): error is LakeError {
  if (!hasCode(error, 'IO_ERROR') && !hasCode(error, 'CORRUPT_FILE')) return false
  // A file that is there and may not be read, or for which no descriptor is left, is not gone.
  if ((error.details['errno'] ?? 'ENOENT') !== 'ENOENT') return false
  return (
    /No files found|Cannot open file|No such file/i.test(error.message) &&
    error.message.includes(directory)
  )
}

/** What a missing file means for whoever reads an old version. */
export function versionGone(error: LakeError, version: number): LakeError {
  const file = /"([^"]+)"/.exec(error.message)?.[1]
  const which = file === undefined ? '' : `: ${file}`
  return new LakeError('VERSION_VACUUMED', `a file of lake version ${version} is gone${which}`, {
    details: { ...error.details, version },
    cause: error,
    next: 'Open the engine again. A lease, a tag or a longer [retention] versions keeps a version.',
  })
}

/** The views changed between telling a connection its lists and binding the statement. */
export function isStaleList(error: unknown): boolean {
  return error instanceof LakeError && /cannot take NULL list/.test(error.message)
}

/** A tag was asked for, and its commit did not come about. */
export function notKept(tag: string, reason: string): LakeError {
  return new LakeError('WRITE_CONFLICT', `the version was not tagged ${tag}: ${reason}`, {
    details: { tag },
    next: 'Pin it again; without the tag it is kept by its age alone.',
  })
}
