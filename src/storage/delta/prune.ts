/** File skipping: which files of a snapshot can hold rows within given ranges. */
import type { Schema } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
import type { AddFile } from './actions.ts'
import { physicalName } from './column-mapping.ts'
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
    return compareBound(bounds.max, range.min) >= 0 && compareBound(bounds.min, range.max) <= 0
  })
}

/** Partition values of text columns are the values themselves; others are not compared here. */
function partitionMayMatch(value: string | null, isText: boolean, range: Range): boolean {
  if (value === null) return false
  if (!isText || typeof range.min !== 'string') return true
  return compareBound(value, range.min) >= 0 && compareBound(value, range.max) <= 0
}

/** The files of a list that can hold rows within all ranges. */
export function prune(
  files: Iterable<AddFile>,
  schema: Schema,
  ranges: readonly Range[],
): AddFile[] {
  return [...files].filter((file) => mayMatch(file, schema, ranges))
}
