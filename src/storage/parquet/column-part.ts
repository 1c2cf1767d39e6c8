/** A column of a row group, read and found sound; its values are made when they are asked for. */
import type { SchemaTree } from 'hyparquet'
import type { Leaf } from './leaf.ts'

/** What a field of a struct holds, as far as it can be told without making its values. */
export interface PartField {
  readonly kind: 'text' | 'integer' | 'boolean' | 'map of texts' | 'other'
  /** In how many rows of its struct it is there. */
  readonly count: number
  /** One a row in which it is there; only of text, integer and boolean. */
  readonly values: () => ArrayLike<unknown>
}

/** A top-level column, in those rows of one row group in which it is not NULL. */
export interface ColumnPart {
  readonly name: string
  /** Numbers of the rows in the file. */
  readonly rows: Uint32Array
  /** The fields of a struct, by name. */
  readonly fields: ReadonlyMap<string, PartField>
  /** One value a row. */
  readonly values: () => ArrayLike<unknown>
}

/** The fields of a struct whose leaves have one entry or more for each of its rows. */
export function fieldsOf(
  node: SchemaTree,
  leafOf: (path: readonly string[]) => Leaf,
): ReadonlyMap<string, PartField> {
  const above = node.element.repetition_type === 'REQUIRED' ? 0 : 1
  return new Map(
    node.children.map((child) => {
      const level = child.element.repetition_type === 'REQUIRED' ? above : above + 1
      const leaf = leafOf(firstLeaf(child))
      const values = (): ArrayLike<unknown> => (child.children.length === 0 ? leaf.values() : [])
      return [child.element.name, { kind: kindOf(child), count: countFrom(leaf, level), values }]
    }),
  )
}

function firstLeaf(node: SchemaTree): readonly string[] {
  return node.children.length === 0 ? node.path : firstLeaf(node.children[0]!)
}

function countFrom({ definitions, repetitions }: Leaf, level: number): number {
  let count = 0
  for (let i = 0; i < definitions.length; i++)
    if (definitions[i]! >= level && (!repetitions || repetitions[i] === 0)) count++
  return count
}

function kindOf(node: SchemaTree): PartField['kind'] {
  const { element, children } = node
  if (children.length === 0) return primitiveKind(element)
  const isMap = ['MAP', 'MAP_KEY_VALUE'].includes(element.converted_type ?? '')
  const items = children[0]!.children
  return isMap && items.length === 2 && items.every((item) => kindOf(item) === 'text')
    ? 'map of texts'
    : 'other'
}

function primitiveKind({
  type,
  converted_type: converted,
  logical_type: logical,
}: SchemaTree['element']): PartField['kind'] {
  if (converted === 'UTF8' || logical?.type === 'STRING')
    return type === 'BYTE_ARRAY' ? 'text' : 'other'
  const plain = converted === undefined || converted === 'INT_64' || converted === 'INT_32'
  const whole = logical === undefined || logical.type === 'INTEGER'
  if ((type === 'INT64' || type === 'INT32') && plain && whole) return 'integer'
  return type === 'BOOLEAN' && converted === undefined && logical === undefined
    ? 'boolean'
    : 'other'
}
