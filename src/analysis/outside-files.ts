/** Statements that name files of their own, which unlike a lake's may change between two statements. */
import type { SyntaxNode } from '../storage/parquet/statement.ts'
import { visit } from '../storage/parquet/statement.ts'

/** Table functions that read no file. */
const FILELESS = new Set([
  'duckdb_columns',
  'duckdb_functions',
  'duckdb_keywords',
  'duckdb_schemas',
  'duckdb_settings',
  'duckdb_tables',
  'duckdb_types',
  'duckdb_views',
  'generate_series',
  'json_each',
  'json_tree',
  'pragma_table_info',
  'range',
  'repeat',
  'repeat_row',
  'summary',
  'unnest',
])

/** Schemas in which nothing but views over a lake stands. */
const OWN_SCHEMAS = new Set(['', 'main', 'meta', 'tushare', 'akshare', 'information_schema'])

const known = new WeakMap<SyntaxNode, boolean>()

/** True unless it is certain that a statement reads nothing but the engine's own relations. */
export function namesFiles(tree: SyntaxNode, macros: ReadonlySet<string>): boolean {
  const before = known.get(tree)
  if (before !== undefined) return before
  let found = false
  visit(tree, (node) => (found ||= isOutside(node, macros)))
  known.set(tree, found)
  return found
}

function isOutside(node: SyntaxNode, macros: ReadonlySet<string>): boolean {
  if (node['type'] === 'TABLE_FUNCTION') {
    const name = textOf((node['function'] as SyntaxNode)['function_name'])
    return !FILELESS.has(name) && !macros.has(name)
  }
  // A file stands as a table: FROM 'bars.parquet', and without quotes as a table `parquet` of a schema `bars`.
  if (node['table_name'] === undefined) return false
  return (
    textOf(node['table_name']).includes('.') ||
    !OWN_SCHEMAS.has(textOf(node['schema_name'])) ||
    textOf(node['catalog_name']) !== ''
  )
}

function textOf(name: unknown): string {
  return typeof name === 'string' ? name.toLowerCase() : ''
}
