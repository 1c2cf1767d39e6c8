/** SELECT statements before they run: their syntax tree, and the tables it names. Parsing touches no file. */
import { LakeError } from '../../model/errors.ts'
import type { Session } from './database.ts'

/** A node of DuckDB's serialised syntax tree. */
export type SyntaxNode = Readonly<Record<string, unknown>>

/**
 * Parses text that must hold SELECT statements only. `offset` skips a prefix such as EXPLAIN. Anything else than a
 * SELECT is `QUERY_NOT_READ_ONLY`, what cannot be parsed `SQL_ERROR` with its position.
 */
export async function parseSelects(
  session: Session,
  sql: string,
  offset = 0,
): Promise<readonly SyntaxNode[]> {
  const { tree } = await session.row<{ tree: string }>(
    'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true) AS tree',
    [sql.slice(offset)],
  )
  const node = JSON.parse(tree) as SyntaxNode
  if (node['error'] !== true) return node['statements'] as readonly SyntaxNode[]
  const message = String(node['error_message'])
  if (message.startsWith('Only SELECT')) throw notReadOnly('only SELECT can be run')
  throw syntaxError(node, message, sql, offset)
}

/** The error for a statement that might do more than read. */
export function notReadOnly(reason: string): LakeError {
  return new LakeError('QUERY_NOT_READ_ONLY', `queries only read: ${reason}`, {
    next: 'Use `marketlake load`, or `lake.write` in TypeScript, to change data.',
  })
}

/** Names of all tables and views that a tree reads, in lower case, common table expressions included. */
export function tableNamesOf(tree: unknown): Set<string> {
  const names = new Set<string>()
  visit(tree, (node) => {
    if (node['type'] === 'BASE_TABLE' && typeof node['table_name'] === 'string')
      names.add(node['table_name'].toLowerCase())
  })
  return names
}

/** Calls back for every node of a tree. */
export function visit(value: unknown, see: (node: SyntaxNode) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, see)
    return
  }
  if (typeof value !== 'object' || value === null) return
  see(value as SyntaxNode)
  for (const child of Object.values(value)) visit(child, see)
}

function syntaxError(node: SyntaxNode, message: string, sql: string, offset: number): LakeError {
  const position = offset + Number(node['position'])
  return new LakeError('SQL_ERROR', message, {
    details: {
      type: 'Parser',
      sql: sql.slice(0, 2000),
      ...(Number.isInteger(position) && { position }),
    },
  })
}
