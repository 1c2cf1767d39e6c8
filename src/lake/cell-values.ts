/** Texts of cells as values: exactly what they say, or nothing. DuckDB's casts round and cut without a word. */
import type { Field } from '../model/schema.ts'
import { decimalOf } from '../model/schema.ts'
import { literal } from '../storage/parquet/sql.ts'
import { duckdbType } from '../storage/parquet/types.ts'
import { ZONE } from './cell-types.ts'

/** The text of a cell as a value of a type, NULL where it is none; empty text is NULL, except in text columns. */
export function parseCell(column: Field, expression: string, timezone?: string): string {
  const { type } = column
  if (type === 'string') return expression
  const text = `nullif(trim(${expression}), '')`
  if (type === 'timestamp') return moment(text, timezone)
  const value = `TRY_CAST(${text} AS ${duckdbType(type)})`
  if (type === 'double' || type === 'float') return finite(text, value)
  if (type === 'date') return day(text)
  if (type === 'timestamp_ntz')
    return `CASE WHEN ${hasZone(text)} OR ${isFine(text)} THEN NULL ELSE ${value} END`
  if (typeof type !== 'string') return value
  const decimal = decimalOf(type)
  if (decimal) return exact(text, value, decimal.scale)
  return type === 'boolean' || type === 'binary' ? value : exact(text, value, 0)
}

/** 1e400 is a number, and infinity is another one. */
function finite(text: string, value: string): string {
  return `CASE WHEN isinf(${value}) AND regexp_matches(${text}, '[0-9]') THEN NULL ELSE ${value} END`
}

/** A number of so many digits behind the point. What is written with an exponent is held against a double. */
function exact(text: string, value: string, scale: number): string {
  const exponent = `contains(lower(${text}), 'e')`
  const cut = `instr(${text}, '.') > 0 AND length(${text}) - instr(${text}, '.') > ${scale}
    AND regexp_matches(${text}, '[.][0-9]{${scale}}0*[1-9]')`
  return `CASE WHEN contains(${text}, '_') THEN NULL
    WHEN ${exponent} THEN CASE WHEN CAST(${value} AS DOUBLE) = TRY_CAST(${text} AS DOUBLE) THEN ${value} END
    WHEN ${cut} THEN NULL ELSE ${value} END`
}

/** 20240229 is how most sources write dates. A time of day other than midnight is no part of a date. */
function day(text: string): string {
  const dashed = `regexp_replace(${text}, '^([0-9]{4})([0-9]{2})([0-9]{2})$', '\\1-\\2-\\3')`
  const timed = `contains(${text}, ':') AND NOT regexp_matches(${text}, '[ T]0?0:00(:00([.]0+)?)?${ZONE}?$')`
  return `CASE WHEN ${timed} THEN NULL ELSE TRY_CAST(${dashed} AS DATE) END`
}

/** A text with a zone says its moment itself; one without is of the zone that was named. */
function moment(text: string, timezone: string | undefined): string {
  const zoned = `TRY_CAST(${text} AS TIMESTAMPTZ)`
  const local = `timezone(${literal(timezone ?? 'UTC')}, TRY_CAST(${text} AS TIMESTAMP))`
  const value =
    timezone === undefined || timezone === 'ntz'
      ? zoned
      : `CASE WHEN ${hasZone(text)} THEN ${zoned} ELSE ${local} END`
  return `CASE WHEN ${isFine(text)} THEN NULL ELSE ${value} END`
}

/** True for a text of a moment that names its zone. */
export function hasZone(text: string): string {
  return `regexp_matches(${text}, ':[0-9]{2}([.][0-9]+)?${ZONE}$')`
}

/** True for a text of a moment that is finer than the microseconds of a column. */
function isFine(text: string): string {
  return `(length(${text}) > 26 AND regexp_matches(${text}, '[.][0-9]{6}0*[1-9]'))`
}
