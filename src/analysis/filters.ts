/** Filters of a statement on the relations it names: which rows of a table it can possibly ask for. */
import { parseDay } from '../model/date.ts'
import { parseSymbol } from '../model/symbol.ts'
import type { Range } from '../storage/delta/prune.ts'
import { NO_TEXT_ABOVE } from '../storage/delta/prune.ts'
import type { Parameters } from '../storage/parquet/bind.ts'
import type { SyntaxNode } from '../storage/parquet/statement.ts'
import type { Relation } from './relation.ts'

/** Ranges that must all hold; of each column any one. */
export type Restriction = readonly (readonly Range[])[]

/** What every reference to a table asks for; a table that is not in the map is read as a whole. */
export type Restrictions = ReadonlyMap<string, readonly Restriction[]>

/** More values than these are not looked up one by one. */
const VALUES_MAX = 64

/** The restrictions of a statement. Whatever is not understood restricts nothing. */
export function restrictionsOf(
  tree: SyntaxNode,
  relations: ReadonlyMap<string, Relation>,
  parameters: Parameters | undefined,
): Restrictions {
  const found = new Map<SyntaxNode, Restriction>()
  const references: SyntaxNode[] = []
  let elsewhere = false
  visit(tree, (node) => {
    if (node['type'] === 'SELECT_NODE') readSelect(node, parameters, found)
    if (relationName(node) !== undefined) references.push(node)
    elsewhere ||= !['', 'main', 'meta'].includes(schemaName(node))
  })
  // Aliases of other schemas have other columns of the same names.
  if (elsewhere) return new Map()
  const restrictions = new Map<string, Restriction[]>()
  const whole = new Set<string>()
  for (const node of references) {
    const relation = relations.get(relationName(node)!)
    const ranges = relation ? kept(found.get(node) ?? [], relation) : []
    for (const table of relation?.tables ?? []) {
      if (ranges.length === 0) whole.add(table)
      restrictions.set(table, [...(restrictions.get(table) ?? []), ranges])
    }
  }
  for (const table of whole) restrictions.delete(table)
  return restrictions
}

/** The tables that a statement can read; undefined where that is not certain. */
export function tablesRead(
  tree: SyntaxNode,
  relations: ReadonlyMap<string, Relation>,
): ReadonlySet<string> | undefined {
  const tables = new Set<string>()
  let elsewhere = false
  visit(tree, (node) => {
    const name = relationName(node)
    if (name === undefined) return
    elsewhere ||= !['', 'main'].includes(schemaName(node))
    for (const table of relations.get(name)?.tables ?? []) tables.add(table)
  })
  return elsewhere ? undefined : tables
}

function kept(restriction: Restriction, { prunable }: Relation): Restriction {
  if (prunable === 'all') return restriction
  return restriction.filter((ranges) => prunable.includes(ranges[0]!.column))
}

function visit(value: unknown, use: (node: SyntaxNode) => void): void {
  if (Array.isArray(value)) for (const item of value) visit(item, use)
  else if (typeof value === 'object' && value !== null) {
    use(value as SyntaxNode)
    for (const child of Object.values(value)) visit(child, use)
  }
}

/** The name of the relation that a node of a FROM clause reads. */
function relationName(node: SyntaxNode | undefined): string | undefined {
  if (node?.['type'] === 'BASE_TABLE') return String(node['table_name']).toLowerCase()
  if (node?.['type'] !== 'TABLE_FUNCTION') return undefined
  const name = (node['function'] as SyntaxNode | undefined)?.['function_name']
  return typeof name === 'string' ? name.toLowerCase() : undefined
}

/** The schema that a reference names; empty where it names none. */
export function schemaName(node: SyntaxNode): string {
  const call = node['type'] === 'TABLE_FUNCTION' ? (node['function'] as SyntaxNode) : undefined
  const name =
    node['type'] === 'BASE_TABLE' ? node['schema_name'] : (call?.['schema'] ?? call?.['catalog'])
  return typeof name === 'string' ? name.toLowerCase() : ''
}

/** A SELECT from one relation, or from several joined by USING columns that the filter names. */
function readSelect(
  select: SyntaxNode,
  parameters: Parameters | undefined,
  found: Map<SyntaxNode, Restriction>,
): void {
  const from = select['from_table'] as SyntaxNode | undefined
  const where = select['where_clause'] as SyntaxNode | undefined
  if (!from || !where || select['sample'] !== undefined) return
  const filters = conjuncts(where).flatMap((node) => filterOf(node, parameters) ?? [])
  const using = relationName(from) === undefined ? usingColumns(from) : undefined
  if (relationName(from) === undefined && using === undefined) return
  for (const node of joined(from)) {
    const alias = ((node['alias'] as string | undefined) ?? relationName(node)!).toLowerCase()
    const own = filters.filter(({ column, table }) =>
      using
        ? using.includes(column) && table === undefined
        : table === undefined || table === alias,
    )
    found.set(
      node,
      own.map((filter) => filter.ranges),
    )
  }
}

/** Columns by which all relations of a FROM clause are joined with USING; undefined if they are not. */
function usingColumns(from: SyntaxNode): string[] | undefined {
  if (relationName(from) !== undefined) return []
  if (from['type'] !== 'JOIN') return undefined
  const own = (from['using_columns'] as string[] | undefined)?.map((name) => name.toLowerCase())
  if (!own || own.length === 0) return undefined
  const sides = [from['left'] as SyntaxNode, from['right'] as SyntaxNode]
  const columns = sides.map((side) => (relationName(side) === undefined ? usingColumns(side) : own))
  if (columns.some((names) => names === undefined)) return undefined
  return own.filter((name) => columns.every((names) => names!.includes(name)))
}

function joined(from: SyntaxNode): SyntaxNode[] {
  if (relationName(from) !== undefined) return [from]
  return [from['left'] as SyntaxNode, from['right'] as SyntaxNode].flatMap(joined)
}

function conjuncts(node: SyntaxNode): SyntaxNode[] {
  if (node['type'] !== 'CONJUNCTION_AND') return [node]
  return (node['children'] as SyntaxNode[]).flatMap(conjuncts)
}

interface Filter {
  readonly table: string | undefined
  readonly column: string
  readonly ranges: readonly Range[]
}

type Bound = string | number

function filterOf(node: SyntaxNode, parameters: Parameters | undefined): Filter | undefined {
  const value = (child: unknown): Bound | undefined => valueOf(child as SyntaxNode, parameters)
  switch (node['type']) {
    case 'COMPARE_EQUAL': {
      const [left, right] = [node['left'], node['right']] as SyntaxNode[]
      return equality(left!, [value(right)]) ?? equality(right!, [value(left)])
    }
    case 'COMPARE_IN': {
      const [first, ...rest] = node['children'] as SyntaxNode[]
      return rest.length > VALUES_MAX ? undefined : equality(first!, rest.map(value))
    }
    case 'COMPARE_BETWEEN': {
      const [min, max] = [value(node['lower']), value(node['upper'])]
      return ranged(node['input'] as SyntaxNode, min, max)
    }
    case 'COMPARE_GREATERTHAN':
    case 'COMPARE_GREATERTHANOREQUALTO':
      return ranged(node['left'] as SyntaxNode, value(node['right']), undefined)
    case 'COMPARE_LESSTHAN':
    case 'COMPARE_LESSTHANOREQUALTO':
      return ranged(node['left'] as SyntaxNode, undefined, value(node['right']))
    default:
      return undefined
  }
}

function equality(side: SyntaxNode, values: readonly (Bound | undefined)[]): Filter | undefined {
  const name = columnOf(side)
  if (!name || values.some((value) => value === undefined)) return undefined
  const ranges = values.map((value) => ({ column: name.column, min: value!, max: value! }))
  return { ...name, ranges }
}

/** A side without bound is open: beyond every text, beyond every number. */
function ranged(
  side: SyntaxNode,
  min: Bound | undefined,
  max: Bound | undefined,
): Filter | undefined {
  const name = columnOf(side)
  const known = min ?? max
  if (
    !name ||
    known === undefined ||
    (min !== undefined && max !== undefined && typeof min !== typeof max)
  )
    return undefined
  const [low, high] = typeof known === 'string' ? ['', NO_TEXT_ABOVE] : [-Infinity, Infinity]
  return { ...name, ranges: [{ column: name.column, min: min ?? low, max: max ?? high }] }
}

function columnOf(node: SyntaxNode): { table: string | undefined; column: string } | undefined {
  if (node['type'] !== 'COLUMN_REF') return undefined
  const names = (node['column_names'] as string[]).map((name) => name.toLowerCase())
  if (names.length > 2) return undefined
  return { table: names.length === 2 ? names[0] : undefined, column: names.at(-1)! }
}

/** A constant that files' statistics can be compared with: a text (also a date) or a whole number. */
function valueOf(node: SyntaxNode, parameters: Parameters | undefined): Bound | undefined {
  switch (node['type']) {
    case 'VALUE_CONSTANT': {
      const constant = node['value'] as SyntaxNode
      const id = (constant['type'] as SyntaxNode)['id']
      if (id === 'VARCHAR') return constant['value'] as string
      return id === 'INTEGER' && constant['is_null'] === false
        ? (constant['value'] as number)
        : undefined
    }
    case 'OPERATOR_CAST': {
      const value = valueOf(node['child'] as SyntaxNode, parameters)
      const target = (node['cast_type'] as SyntaxNode)['id']
      return target === 'DATE' && typeof value === 'string' && parseDay(value) !== undefined
        ? value
        : undefined
    }
    case 'VALUE_PARAMETER':
      return parameterOf(String(node['identifier']), parameters)
    case 'FUNCTION': {
      if (node['function_name'] !== 'sym') return undefined
      const [argument] = (node['children'] as SyntaxNode[] | undefined) ?? []
      const value = argument && valueOf(argument, parameters)
      return typeof value === 'string' ? parseSymbol(value) : undefined
    }
    default:
      return undefined
  }
}

function parameterOf(name: string, parameters: Parameters | undefined): Bound | undefined {
  const value = Array.isArray(parameters)
    ? (parameters as unknown[])[Number(name) - 1]
    : (parameters as Readonly<Record<string, unknown>> | undefined)?.[name]
  if (typeof value === 'string') return value
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}
