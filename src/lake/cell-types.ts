/** The types of text columns, as all their values show them: nothing that would read back as another text. */
import type { Field } from '../model/schema.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier } from '../storage/parquet/sql.ts'
import type { Row } from '../storage/parquet/values.ts'

/** Columns that identify stocks are texts, whatever their digits look like. */
const CODE_NAME = /^(symbol|code|ts_code|secucode|security_code|stock_code|isin)$/i

/** Types of text columns as their values show: integers without leading zeros, numbers, ISO dates and times, else text. */
export async function inferTypes(
  session: Session,
  table: string,
  names: readonly string[],
  timezone: string | undefined,
): Promise<Map<string, Field['type']>> {
  const tests = names.map((name, i) => {
    const value = identifier(name)
    const present = `${value} IS NOT NULL AND ${value} <> ''`
    return [
      `count(*) FILTER (${present}) AS n${i}`,
      `count(*) FILTER (${isWhole(value)}) AS i${i}`,
      `count(*) FILTER (${isNumber(value)}) AS d${i}`,
      `count(*) FILTER (regexp_full_match(${value}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(${value} AS DATE) IS NOT NULL) AS t${i}`,
      `count(*) FILTER (regexp_full_match(${value}, '${MOMENT}') AND TRY_CAST(${value} AS TIMESTAMPTZ) IS NOT NULL) AS m${i}`,
    ].join(', ')
  })
  const row = await session.row(`SELECT ${tests.join(', ')} FROM ${identifier(table)}`)
  const moment = timezone === 'ntz' ? 'timestamp_ntz' : 'timestamp'
  return new Map(names.map((name, i) => [name, typeByCounts(row, i, name, moment)]))
}

function isWhole(value: string): string {
  return `regexp_full_match(${value}, '0|-?[1-9][0-9]{0,18}')
    AND (length(${value}) < 19 OR TRY_CAST(${value} AS BIGINT) IS NOT NULL)`
}

/**
 * A number that a double holds. 1e5 is none: programs write 1e+05 or 1.0E5, and an identifier may look like that.
 * Of whole numbers every digit counts, because those of orders and announcements have twenty.
 */
function isNumber(value: string): string {
  const double = `TRY_CAST(${value} AS DOUBLE)`
  const digits = (text: string): string =>
    `rtrim(regexp_replace(${text}, '[eE].*|[^0-9]', '', 'g'), '0')`
  return `regexp_full_match(${value}, '-?(0|[1-9][0-9]*)(\\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-][0-9]+)?')
    AND CASE WHEN contains(lower(${value}), 'e') THEN isfinite(${double})
             WHEN length(${value}) < 16 OR contains(${value}, '.') THEN true
             ELSE isfinite(${double}) AND ${digits(value)} = ${digits(`regexp_replace(${double}::VARCHAR, '[.]0$', '')`)} END`
}

/** The zone that a moment may end with. */
export const ZONE = '( ?[zZ]| ?[+-][0-9]{2}(:?[0-9]{2})?)'
/** A date and a time of day. */
const MOMENT = `[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?${ZONE}?`

function typeByCounts(
  row: Row,
  i: number,
  name: string,
  moment: 'timestamp' | 'timestamp_ntz',
): Field['type'] {
  const [all, integers, numbers, dates, moments] = ['n', 'i', 'd', 't', 'm'].map(
    (key) => row[`${key}${i}`],
  )
  if (all === 0n || CODE_NAME.test(name)) return 'string'
  if (integers === all) return 'long'
  if (numbers === all) return 'double'
  if (dates === all) return 'date'
  return moments === all ? moment : 'string'
}
