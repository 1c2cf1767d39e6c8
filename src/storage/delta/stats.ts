/** Statistics of files, read with distrust: bounds that may be used to skip a file. */
import type { DataType } from '../../model/schema.ts'
import { decimalOf } from '../../model/schema.ts'
import type { AddFile } from './actions.ts'

/** Bounds of a column in a file. Text columns are compared by code point, dates as text, the rest as numbers. */
export interface Bounds {
  readonly min: string | number
  readonly max: string | number
}

interface FileStats {
  readonly numRecords?: unknown
  readonly minValues?: Readonly<Record<string, unknown>>
  readonly maxValues?: Readonly<Record<string, unknown>>
  readonly nullCount?: Readonly<Record<string, unknown>>
}

const parsed = new WeakMap<AddFile, FileStats>()

/** Other writers' statistics may be missing, empty, garbage or of another shape. */
function statsOf(file: AddFile): FileStats {
  const known = parsed.get(file)
  if (known) return known
  let stats: FileStats = {}
  try {
    const value: unknown = JSON.parse(file.stats || '{}')
    if (typeof value === 'object' && value !== null) stats = value
  } catch {
    // Without statistics a file is read.
  }
  parsed.set(file, stats)
  return stats
}

/** The number of rows in a file, if its statistics say so and no row was deleted from it. */
export function rowsOf(file: AddFile): number | undefined {
  const rows = statsOf(file).numRecords
  if (typeof rows !== 'number' || !Number.isSafeInteger(rows) || rows < 0) return undefined
  return file.deletionVector ? rows - file.deletionVector.cardinality : rows
}

/** Bounds that are certain enough to skip a file by; undefined where they are not. */
export function boundsOf(file: AddFile, column: string, type: DataType): Bounds | undefined {
  const stats = statsOf(file)
  const min = bound(stats.minValues?.[column], type, -1)
  const max = bound(stats.maxValues?.[column], type, 1)
  return min === undefined || max === undefined ? undefined : { min, max }
}

/** True if the statistics say that a column is NULL in every row. */
export function allNull(file: AddFile, column: string): boolean {
  const stats = statsOf(file)
  const rows = stats.numRecords
  return typeof rows === 'number' && rows > 0 && stats.nullCount?.[column] === rows
}

/** The number of NULLs of a column in a file, if its statistics say so. */
export function nullsOf(file: AddFile, column: string): number | undefined {
  const count = statsOf(file).nullCount?.[column]
  return typeof count === 'number' && Number.isSafeInteger(count) ? count : undefined
}

function bound(value: unknown, type: DataType, side: -1 | 1): string | number | undefined {
  if (typeof type !== 'string') return undefined
  if (decimalOf(type)) return shortDecimal(value)
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'date':
      return typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : undefined
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return Number.isSafeInteger(value) ? (value as number) : undefined
    case 'double':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined
    case 'float':
      return floatBound(value, side)
    case 'timestamp':
    case 'timestamp_ntz':
      return timestampBound(value, side)
    default:
      return undefined
  }
}

/** Another writer's decimals may have gone through a double: more than 15 digits prove nothing. */
function shortDecimal(value: unknown): number | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined
  return text.replaceAll(/\D/g, '').replace(/^0+/, '').length <= 15 ? Number(text) : undefined
}

/** Some writers print a float as the shortest text of the single: a step outward covers both readings. */
function floatBound(value: unknown, side: -1 | 1): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return value + side * Math.max(Math.abs(value) * 2 ** -22, 2 ** -148)
}

/** Milliseconds since 1970. Writers cut to milliseconds, so a maximum may be almost one too low. */
function timestampBound(value: unknown, side: -1 | 1): number | undefined {
  if (typeof value !== 'string') return undefined
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(value) ? value : `${value}Z`
  const timeMs = Date.parse(zoned.replace(' ', 'T'))
  return Number.isNaN(timeMs) ? undefined : timeMs + side
}

/** Compares texts by code point, as Parquet and Delta do; JavaScript's `<` compares UTF-16 units. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    // Surrogates stand for code points above every other unit.
    const [sx, sy] = [x >= 0xd800 && x <= 0xdfff, y >= 0xd800 && y <= 0xdfff]
    if (sx !== sy) return sx ? 1 : -1
    return x < y ? -1 : 1
  }
  return a.length - b.length
}

/** Compares two values of one column as `Bounds` gives them. */
export function compareBound(a: string | number, b: string | number): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  return typeof a === 'number' && typeof b === 'number' ? a - b : 0
}
