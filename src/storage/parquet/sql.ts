/** SQL text: quoted names, literals and file lists. Every value that enters a statement passes here. */

/** A quoted name. Quoting always is right: reserved words move between DuckDB versions. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A comma list of quoted names, each behind an optional table alias. */
export function identifiers(names: readonly string[], alias?: string): string {
  const prefix = alias === undefined ? '' : `${alias}.`
  return names.map((name) => prefix + identifier(name)).join(', ')
}

/** A text literal. The parser ends at a NUL, so that character is put in by a function. */
export function literal(text: string): string {
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`)
  return parts.length === 1 ? parts[0]! : `(${parts.join(' || chr(0) || ')})`
}

/** A path for `read_parquet`, which takes globs: `[`, `*` and `?` are escaped. */
export function pathLiteral(path: string): string {
  return literal(path.replaceAll(/[[*?]/g, (character) => `[${character}]`))
}

/** A list of paths for `read_parquet`. */
export function pathList(paths: readonly string[]): string {
  return `[${paths.map(pathLiteral).join(', ')}]`
}

/** An equality join of two relations over columns of the same names; NULL never matches. */
export function equalOn(names: readonly string[], left: string, right: string): string {
  return names.map((n) => `${left}.${identifier(n)} = ${right}.${identifier(n)}`).join(' AND ')
}

/**
 * How a database file is attached that is written once, whole or not at all, with a checkpoint at its end. DuckDB ends
 * the whole process when it can neither sync a write-ahead log nor cut it; such a file needs none.
 */
export const WITHOUT_LOG = "RECOVERY_MODE 'no_wal_writes'"
