/** Puts decoded columns of a Parquet file together to nested values, one a row. */
import type { SchemaTree } from 'hyparquet'
import type { Leaf } from './leaf.ts'

/** A column, or a group of them, by rows. */
export interface Assembled {
  /** Undefined for NULL; none at all if every row is NULL. */
  readonly values: ArrayLike<unknown>
  /** How deep each row is defined: a group is there from its own level on. */
  readonly levels: Uint8Array
}

/** Gives the decoded column of a path. */
export type LeafOf = (path: readonly string[]) => Leaf

/** True for shapes that are put together here: primitives, structs, and lists and maps of primitives. */
export function canAssemble(node: SchemaTree): boolean {
  if (node.element.repetition_type === 'REPEATED') return false
  if (node.children.length === 0) return true
  const items = repeatedItems(node)
  if (items) return items.every((item) => item.children.length === 0)
  return !isRepeating(node) && node.children.every((child) => canAssemble(child))
}

function isRepeating(node: SchemaTree): boolean {
  return ['LIST', 'MAP', 'MAP_KEY_VALUE'].includes(node.element.converted_type ?? '')
}

/** The item of a list, or key and value of a map. */
function repeatedItems(node: SchemaTree): readonly SchemaTree[] | undefined {
  const [group] = node.children
  if (!isRepeating(node) || node.children.length !== 1) return undefined
  if (group!.element.repetition_type !== 'REPEATED') return undefined
  const wanted = node.element.converted_type === 'LIST' ? 1 : 2
  const { children } = group!
  return children.length === wanted ? children : undefined
}

/** The values of a node whose parent is defined from level `above` on. */
export function assemble(node: SchemaTree, leafOf: LeafOf, rows: number, above = 0): Assembled {
  const level = node.element.repetition_type === 'REQUIRED' ? above : above + 1
  if (node.children.length === 0) return plain(leafOf(node.path), level, rows)
  const items = repeatedItems(node)
  if (!items) return struct(node, leafOf, rows, level)
  const leaves = items.map((item) => leafOf(item.path))
  const tops = items.map((i) => level + (i.element.repetition_type === 'REQUIRED' ? 1 : 2))
  return repeated(leaves, tops, rows, level)
}

function plain(leaf: Leaf, level: number, rows: number): Assembled {
  const { definitions, valueCount } = leaf
  if (valueCount === 0) return { values: [], levels: definitions }
  const values = leaf.values()
  if (valueCount === rows) return { values, levels: definitions }
  const placed: unknown[] = []
  let next = 0
  for (let row = 0; row < rows; row++)
    placed.push(definitions[row] === level ? values[next++] : undefined)
  return { values: placed, levels: definitions }
}

function struct(node: SchemaTree, leafOf: LeafOf, rows: number, level: number): Assembled {
  const all = node.children.map((child) => ({
    name: child.element.name,
    ...assemble(child, leafOf, rows, level),
  }))
  const parts = all.filter((part) => part.values.length > 0)
  const odd = parts.some((part) => part.name === '__proto__')
  const { levels } = all[0]!
  const values: unknown[] = []
  for (let row = 0; row < rows; row++) {
    if (levels[row]! < level) {
      values.push(undefined)
      continue
    }
    const value: Record<string, unknown> = {}
    for (const part of parts) {
      const own = part.values[row]
      if (own === undefined || own === null) continue
      if (odd) put(value, part.name, own)
      else value[part.name] = own
    }
    values.push(value)
  }
  return { values, levels }
}

/** Lists have one column of items, maps one of keys and one of values. */
function repeated(
  leaves: readonly Leaf[],
  tops: readonly number[],
  rows: number,
  level: number,
): Assembled {
  const [first, second] = leaves
  const { definitions, repetitions } = first!
  const [items, others] = [first!.values(), second?.values()]
  const values: unknown[] = []
  const levels = new Uint8Array(rows)
  let [row, a, b] = [-1, 0, 0]
  for (let i = 0; i < definitions.length; i++) {
    const defined = definitions[i]!
    if (repetitions![i] === 0) {
      levels[++row] = defined
      values.push(defined < level ? undefined : second ? {} : [])
    }
    if (defined <= level) continue
    const item = defined === tops[0] ? items[a++] : null
    if (!second) (values[row] as unknown[]).push(item)
    else {
      const value = second.definitions[i] === tops[1] ? others![b++] : null
      put(values[row] as Record<string, unknown>, String(item), value)
    }
  }
  if (row !== rows - 1) throw new Error(`a column has ${row + 1} rows, not ${rows}`)
  return { values, levels }
}

/** Names come from others: one called `__proto__` is a name like any other. */
function put(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') target[name] = value
  else Object.defineProperty(target, name, { value, enumerable: true, configurable: true })
}
