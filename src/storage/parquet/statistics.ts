/** Delta statistics of a file, from what DuckDB reports after writing it. Left out whenever in doubt. */
import { decimalOf } from '../../model/schema.ts'
import type { Field, PrimitiveType, Schema } from '../../model/schema.ts'

/** What `COPY … RETURN_STATS` gives for one column, all as text. */
export type ColumnStatistics = Readonly<Record<string, string>>

/** Statistics by DuckDB's quoted column path, for example `"a"` or `"st"."q"`. */
export type FileStatistics = ReadonlyMap<string, ColumnStatistics>

/** Leaf columns that get statistics: Delta's default for `delta.dataSkippingNumIndexedCols`. */
const INDEXED_LEAVES_MAX = 32

/**
 * The `stats` text of an `add` action (PROTOCOL.md, "Per-file Statistics"). Numbers are copied as digits, so
 * 64-bit integers and decimals stay exact. The first 32 leaf columns get statistics, and those in `always`.
 */
export function statisticsText(
  numRecords: number,
  schema: Schema,
  statistics: FileStatistics,
  always: readonly string[],
): string {
  const budget = { leaves: INDEXED_LEAVES_MAX }
  const parts = { minValues: [], maxValues: [], nullCount: [] } as Record<Part, string[]>
  for (const column of schema.fields) {
    const wanted = budget.leaves > 0 || always.includes(column.name)
    if (wanted) addColumn(parts, column, [column.name], statistics, budget)
  }
  const body = (Object.keys(parts) as Part[]).map((part) => `"${part}":{${parts[part].join(',')}}`)
  return `{"numRecords":${numRecords},${body.join(',')}}`
}

type Part = 'minValues' | 'maxValues' | 'nullCount'

function addColumn(
  parts: Record<Part, string[]>,
  column: Field,
  path: readonly string[],
  statistics: FileStatistics,
  budget: { leaves: number },
): void {
  if (typeof column.type !== 'string') {
    if (column.type.type === 'struct')
      addStruct(parts, column, column.type.fields, path, statistics, budget)
    else budget.leaves--
    return
  }
  budget.leaves--
  const found = statistics.get(path.map((name) => `"${name.replaceAll('"', '""')}"`).join('.'))
  if (!found) return
  const name = JSON.stringify(column.name)
  const bounds = boundsOf(column.type, found)
  if (bounds) {
    parts.minValues.push(`${name}:${bounds.min}`)
    parts.maxValues.push(`${name}:${bounds.max}`)
  }
  if (/^\d+$/.test(found['null_count'] ?? ''))
    parts.nullCount.push(`${name}:${found['null_count']}`)
}

function addStruct(
  parts: Record<Part, string[]>,
  column: Field,
  fields: readonly Field[],
  path: readonly string[],
  statistics: FileStatistics,
  budget: { leaves: number },
): void {
  const inner = { minValues: [], maxValues: [], nullCount: [] } as Record<Part, string[]>
  for (const child of fields) {
    if (budget.leaves > 0) addColumn(inner, child, [...path, child.name], statistics, budget)
  }
  for (const part of Object.keys(inner) as Part[]) {
    if (inner[part].length === 0) continue
    parts[part].push(`${JSON.stringify(column.name)}:{${inner[part].join(',')}}`)
  }
}

interface Bounds {
  readonly min: string
  readonly max: string
}

/** JSON texts of both bounds, or undefined when either is not certain. */
function boundsOf(type: PrimitiveType, found: ColumnStatistics): Bounds | undefined {
  const [low, high] = [found['min'], found['max']]
  if (low === undefined || high === undefined) return undefined
  const [min, max] = [boundText(type, low, 'min', found), boundText(type, high, 'max', found)]
  return min === undefined || max === undefined ? undefined : { min, max }
}

type Side = 'min' | 'max'

function boundText(
  type: PrimitiveType,
  text: string,
  side: Side,
  found: ColumnStatistics,
): string | undefined {
  if (decimalOf(type)) return /^-?\d+(\.\d+)?$/.test(text) ? text : undefined
  switch (type) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return /^-?\d+$/.test(text) ? text : undefined
    case 'float':
    case 'double':
      return floatBound(text, type === 'float', found)
    case 'string':
      return stringBound(text, side)
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `"${text}"` : undefined
    case 'timestamp':
      return timestampBound(text, side, 'Z')
    case 'timestamp_ntz':
      return timestampBound(text, side, '')
    default:
      return undefined
  }
}

/** NaN is outside DuckDB's bounds, and JSON has no infinity: then there is no bound. */
function floatBound(text: string, single: boolean, found: ColumnStatistics): string | undefined {
  const value = single ? Math.fround(Number(text)) : Number(text)
  if (found['has_nan'] !== 'false' || text.trim() === '' || !Number.isFinite(value))
    return undefined
  return Object.is(value, -0) ? '0.0' : JSON.stringify(value)
}

/** Characters of a string bound, as Spark and the kernels count them (code points). */
const PREFIX_CHARACTERS = 32
const PREFIX_CHARACTERS_MAX = 64
/** DuckDB cuts longer bounds at 256 bytes and increases the last byte of a maximum. */
const CUT_BYTES = 256

function stringBound(text: string, side: Side): string | undefined {
  const characters = [...text]
  const cut = Buffer.byteLength(text) >= CUT_BYTES
  if (characters.length <= PREFIX_CHARACTERS && !cut) return JSON.stringify(text)
  if (side === 'min') return JSON.stringify(characters.slice(0, PREFIX_CHARACTERS).join(''))
  return upperBound(characters)
}

/** A prefix and a character that is greater than the first one cut off. */
function upperBound(characters: readonly string[]): string | undefined {
  const last = Math.min(characters.length - 1, PREFIX_CHARACTERS_MAX)
  for (let length = PREFIX_CHARACTERS; length <= last; length++) {
    const next = characters[length]!.codePointAt(0)!
    if (next === 0x10ffff) continue
    const tie = next < 0x7f ? '\u007f' : '\u{10ffff}'
    return JSON.stringify(characters.slice(0, length).join('') + tie)
  }
  return undefined
}

/** Milliseconds are what all engines read; a maximum is rounded up, so that it stays a bound. */
function timestampBound(text: string, side: Side, zone: string): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(\+00)?$/.exec(text)
  if (!match) return undefined
  const micros = (match[3] ?? '').padEnd(6, '0')
  const exactMs = Date.parse(`${match[1]}T${match[2]}.${micros.slice(0, 3)}Z`)
  if (Number.isNaN(exactMs)) return undefined
  const roundUp = side === 'max' && micros.slice(3) !== '000'
  const bound = new Date(exactMs + (roundUp ? 1 : 0)).toISOString().slice(0, -1)
  return /^\d{4}-/.test(bound) ? `"${bound}${zone}"` : undefined
}
