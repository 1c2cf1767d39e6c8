/** The read-only gate: lets through one SELECT that calls nothing with side effects. */
import type { Session } from '../storage/parquet/database.ts'
import { notReadOnly, parseSelects, visit } from '../storage/parquet/statement.ts'
import type { SyntaxNode } from '../storage/parquet/statement.ts'

/** A statement that passed, and its syntax tree. */
export interface ReadStatement {
  readonly sql: string
  readonly tree: SyntaxNode
}

const SQL_LENGTH_MAX = 1 << 20
const EXPLAIN = /^\s*explain\s+(analyze\s+|\(\s*format\s+\w+\s*\)\s*)?(?=\S)/i

/**
 * Table functions that only read. Everything else (`enable_profiling`, `checkpoint`, `query` …) could write
 * files or change the engine, and a check of the statement type would let it through.
 */
const TABLE_FUNCTIONS = new Set([
  'duckdb_columns',
  'duckdb_functions',
  'duckdb_keywords',
  'duckdb_schemas',
  'duckdb_settings',
  'duckdb_tables',
  'duckdb_types',
  'duckdb_views',
  'generate_series',
  'glob',
  'json_each',
  'json_tree',
  'parquet_file_metadata',
  'parquet_kv_metadata',
  'parquet_metadata',
  'parquet_scan',
  'parquet_schema',
  'pragma_table_info',
  'pragma_version',
  'range',
  'read_blob',
  'read_csv',
  'read_csv_auto',
  'read_json',
  'read_json_auto',
  'read_json_objects',
  'read_ndjson',
  'read_ndjson_auto',
  'read_ndjson_objects',
  'read_parquet',
  'read_text',
  'repeat',
  'repeat_row',
  'sniff_csv',
  'summary',
  'test_all_types',
  'unnest',
])

/** Scalar functions with effects beyond their value. */
const REFUSED_FUNCTIONS = new Set([
  'currval',
  'getvariable',
  'json_execute_serialized_sql',
  'nextval',
  'query',
  'query_table',
  'setseed',
  'sleep_ms',
  'write_log',
])

/** What a statement may name. */
export interface GateScope {
  /** Table macros of the engine's own. */
  readonly macros: ReadonlySet<string>
  /** True for an engine of a date: nothing outside of its own schemas, where the future stands. */
  readonly dated: boolean
}

/** Checks that a text is one statement that only reads. */
export async function readOnly(
  session: Session,
  sql: string,
  scope: GateScope,
): Promise<ReadStatement> {
  if (sql.length > SQL_LENGTH_MAX) throw notReadOnly('the statement is longer than 1 MB')
  const prefix = EXPLAIN.exec(sql)?.[0] ?? ''
  const statements = await parseSelects(session, sql, prefix.length)
  const [tree] = statements
  if (tree === undefined) throw notReadOnly('there is no statement')
  if (statements.length > 1) throw notReadOnly('only one statement at a time can be run')
  visit(tree, (node) => checkNode(node, scope))
  return { sql, tree }
}

function checkNode(node: SyntaxNode, { macros, dated }: GateScope): void {
  if (dated) checkScope(node)
  if (node['type'] === 'TABLE_FUNCTION') {
    const name = functionName(node['function'] as SyntaxNode | undefined)
    if (TABLE_FUNCTIONS.has(name) || macros.has(name)) return
    throw notReadOnly(`the table function ${name} is not for reading`)
  }
  if (node['class'] === 'FUNCTION' && REFUSED_FUNCTIONS.has(functionName(node))) {
    throw notReadOnly(`the function ${functionName(node)} is not for reading`)
  }
}

const DATED_SCHEMAS = new Set(['main', 'meta', 'tushare', 'akshare', 'information_schema'])

function checkScope(node: SyntaxNode): void {
  const names = [node['catalog_name'], node['schema_name']]
  if (node['class'] === 'FUNCTION') names.push(node['catalog'], node['schema'])
  const outside = names
    .filter((name) => typeof name === 'string')
    .find((name) => name !== '' && !DATED_SCHEMAS.has(name.toLowerCase()))
  if (outside !== undefined) {
    throw notReadOnly(`an engine of a date shows its own views, nothing of ${outside}`)
  }
}

function functionName(node: SyntaxNode | undefined): string {
  const name = node?.['function_name']
  return typeof name === 'string' ? name.toLowerCase() : ''
}
