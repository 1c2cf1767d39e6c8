/** File skipping: which files of a snapshot can hold rows within given ranges. */
import type { DataType, Schema } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
import type { AddFile } from './actions.ts'
import { physicalName } from './column-mapping.ts'
import { SCHEMA_TAG } from './relation.ts'
import { allNull, boundsOf, compareBound } from './stats.ts'

/** A closed range of one column. Rows with NULL in it never match. */
export interface Range {
  readonly column: string
  readonly min: string | number
  readonly max: string | number
}

/** False only if no row of the file can lie within all ranges. */
export function mayMatch(file: AddFile, schema: Schema, ranges: readonly Range[]): boolean {
  return ranges.every((range) => {
    const column = findField(schema, range.column)
    if (!column) return true
    const name = physicalName(column)
    if (allNull(file, name)) return false
    const partition = file.partitionValues[name]
    if (partition !== undefined)
      return partitionMayMatch(partition, column.type === 'string', range)
    const bounds = boundsOf(file, name, column.type)
    if (!bounds || typeof bounds.min !== typeof range.min) return true
    if (range.max === Number.POSITIVE_INFINITY && mayHideNaN(file, column.type)) return true
    return compareBound(bounds.max, range.min) >= 0 && isBelow(bounds.min, range.max)
  })
}

/** Stands for an open upper side of texts. A text can begin with it, so it is no bound. */
export const NO_TEXT_ABOVE = '\u{10ffff}'

function isBelow(value: string | number, max: string | number): boolean {
  return max === NO_TEXT_ABOVE || compareBound(value, max) <= 0
}

/** NaN is above every number, and writers of others leave it out of their bounds; ours then give none. */
function mayHideNaN(file: AddFile, type: DataType): boolean {
  return (type === 'double' || type === 'float') && file.tags?.[SCHEMA_TAG] === undefined
}

/** Partition values of text columns are the values themselves; others are not compared here. */
function partitionMayMatch(value: string | null, isText: boolean, range: Range): boolean {
  if (value === null) return false
  if (!isText || typeof range.min !== 'string') return true
  return compareBound(value, range.min) >= 0 && isBelow(value, range.max)
}

/** The files of a list that can hold rows within all ranges. */
export function prune(
  files: Iterable<AddFile>,
  schema: Schema,
  ranges: readonly Range[],
): AddFile[] {
  return [...files].filter((file) => mayMatch(file, schema, ranges))
}
