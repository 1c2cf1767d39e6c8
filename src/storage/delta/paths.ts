/** Paths of data files: as URI references in the log, as files on disk, and as Hive directories. */
import { isAbsolute, join, relative, resolve } from 'node:path'
import { LakeError } from '../../model/errors.ts'

/** The `add.path` of a file below the table root (RFC 2396; PROTOCOL.md, "Add File and Remove File"). */
export function encodePath(path: string): string {
  return encodeURI(path.replaceAll('\\', '/')).replaceAll('?', '%3F').replaceAll('#', '%23')
}

/** The decoded path by which two spellings of one file are recognised. */
export function canonicalPath(path: string): string {
  // Nearly every path is its own: a table has a hundred thousand of them.
  if (!path.includes('%') && !path.startsWith('file:') && !path.startsWith('./')) return path
  const bare = path.replace(/^file:(\/\/(?=\/))?/, '').replace(/^(\.\/)+/, '')
  return bare.split('/').map(decodeSegment).join('/')
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/**
 * The file on disk that an action names. A path that leaves the table, or names another scheme, is refused:
 * such a log comes from a clone or from somebody with other intentions.
 */
export function filePath(directory: string, path: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(path)
  if (scheme && scheme[1]!.toLowerCase() !== 'file') throw outside(directory, path)
  const decoded = canonicalPath(path)
  const absolute = isAbsolute(decoded) ? decoded : join(directory, decoded)
  const below = relative(resolve(directory), resolve(absolute))
  if (below === '' || below.startsWith('..') || isAbsolute(below)) throw outside(directory, path)
  return absolute
}

function outside(directory: string, path: string): LakeError {
  return new LakeError(
    'UNSUPPORTED_FEATURE',
    `a data file lies outside the table ${directory}: ${path}`,
    {
      details: { directory, path, feature: 'shallowClone' },
      next: 'Copy the table with the engine that wrote it, then read the copy.',
    },
  )
}

/** Bytes that Hive escapes in directory names, as Spark and the kernels do. */
// oxlint-disable-next-line no-control-regex
const HIVE_ESCAPED = /[\u0000-\u001f\u007f"#%'*/:=?\\{[\]^]/g
const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__'

/** The directory of a partition, for example `symbol=000001.SZ`. */
export function hiveDirectory(column: string, value: string | null): string {
  return `${hiveEscape(column)}=${value === null || value === '' ? HIVE_NULL : valueDirectory(value)}`
}

/** Texts that a directory name would say something else by: the parent, and the sign for NULL. */
function valueDirectory(value: string): string {
  if (/^\.+$/.test(value)) return value.replaceAll('.', '%2E')
  if (value === HIVE_NULL) return value.replace('_', '%5F')
  return hiveEscape(value)
}

function hiveEscape(text: string): string {
  return text.replaceAll(
    HIVE_ESCAPED,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
