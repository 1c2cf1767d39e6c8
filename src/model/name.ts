/** Names of tables, columns and tags: what is allowed, and errors that say what is not. */
import { LakeError } from './errors.ts'

const TABLE = /^[A-Za-z][A-Za-z0-9_]{0,62}$/
const TAG = /^([A-Za-z][A-Za-z0-9._-]{0,63}|\d{4}Q[1-4][A-Za-z0-9._-]{0,58})$/
/** Delta without column mapping forbids these in column names (Spark refuses them). */
const FORBIDDEN_IN_COLUMN = /[ ,;{}()\n\t=]/
/** Names that `tables` maps and DuckDB's own schemas would confuse. */
const RESERVED = new Set([
  'meta',
  'main',
  'information_schema',
  'pg_catalog',
  'con',
  'nul',
  'aux',
  'prn',
])

/** Returns the name if it can be a table's; else an error. */
export function checkTableName(name: string): string {
  if (TABLE.test(name) && !RESERVED.has(name.toLowerCase())) return name
  throw new LakeError('INVALID_NAME', `not a table name: ${JSON.stringify(name)}`, {
    details: { name },
    next: 'A table name starts with a letter and has at most 63 letters, digits and underscores.',
  })
}

/** True for a path of a table below a lake: it cannot leave the lake or reach into its log. */
export function isTablePath(path: string): boolean {
  const parts = path.split('/')
  return parts.every((part) => !/^\.{0,2}$|[\\\0]/.test(part)) && parts[0] !== '_lake'
}

/** True for a text that can name a tag: it never looks like a version number or a date. */
export function isTagName(text: string): boolean {
  return TAG.test(text)
}

/** Returns the name if it can be a tag's; else an error. */
export function checkTagName(name: string): string {
  if (isTagName(name)) return name
  throw new LakeError('INVALID_NAME', `not a tag name: ${JSON.stringify(name)}`, {
    details: { name },
    next: 'A tag starts with a letter, or with a quarter such as 2026Q3; then letters, digits, ".", "_", "-".',
  })
}

/** A column name with an underscore for everything that is forbidden. */
export function allowedColumnName(name: string): string {
  if (hidesRowNumber(name)) return `${name}_`
  return name.replaceAll(new RegExp(FORBIDDEN_IN_COLUMN, 'g'), '_') || '_'
}

/** DuckDB numbers the rows of a table by this name, and a column of it takes the place of those numbers. */
export function hidesRowNumber(name: string): boolean {
  return name.toLowerCase() === 'rowid'
}

/** Refuses a column in whose place the numbers of rows are needed: rows would be taken for others and get lost. */
export function refuseRowNumber(names: readonly string[]): void {
  const name = names.find(hidesRowNumber)
  if (name === undefined) return
  throw new LakeError('INVALID_NAME', `a column cannot be called ${name}`, {
    details: { name },
    next: 'Rename the column: DuckDB numbers the rows of a table by this name.',
  })
}

/** Checks the column names of a table that is about to be created or widened. */
export function checkColumnNames(names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    const bad = FORBIDDEN_IN_COLUMN.exec(name)
    if (name === '' || bad || !name.isWellFormed()) {
      throw new LakeError('INVALID_NAME', `not a column name: ${JSON.stringify(name)}`, {
        details: { name },
        next: 'Rename the column: Delta tables forbid the empty name and the characters " ,;{}()=", tab and newline.',
      })
    }
    if (seen.has(name.toLowerCase())) {
      throw new LakeError('INVALID_NAME', `two columns differ only in case: ${name}`, {
        details: { name },
        next: 'Rename one of them: column names are unique ignoring case.',
      })
    }
    seen.add(name.toLowerCase())
  }
}
