/** Who was listed on a day, under which name, and the one form of a stock symbol. */
import { EXCHANGES, exchangeOfCode } from '../model/symbol.ts'
import { literal } from '../storage/parquet/sql.ts'
import type { Relation } from './relation.ts'

/** `universe_asof` and `sym`. */
export function referenceRelations(): Relation[] {
  return [
    {
      name: 'universe_asof',
      kind: 'table macro',
      parameters: '(as_of)',
      tables: ['stock_basic', 'name_history'],
      prunable: ['symbol'],
      sql: UNIVERSE,
      label: '某日上市股票：含其后退市者，名称与ST状态为当日',
      about:
        'The stocks listed on a day, also those delisted later, with the name and ST flag of that day (NULL where `name_history` does not tell).',
    },
  ]
}

const UNIVERSE = `SELECT b.symbol, b.code, h.name, h.is_st, b.list_date, b.board
  FROM stock_basic b LEFT JOIN (
    SELECT symbol, name, is_st FROM name_history
    WHERE start_date <= CAST(as_of AS DATE) AND (end_date IS NULL OR end_date >= CAST(as_of AS DATE))
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY start_date DESC) = 1) h ON b.symbol = h.symbol
  WHERE b.list_date <= CAST(as_of AS DATE) AND (b.delist_date IS NULL OR b.delist_date > CAST(as_of AS DATE))`

/** `sym(text)`: the symbol in the form the lake stores, as `normalizeSymbol` gives it; NULL if it is none. */
export function symbolMacro(): Relation {
  const u = "regexp_replace(upper(CAST(t AS VARCHAR)), '^\\s+|\\s+$', '', 'g')"
  const exchange = (word: string): string =>
    `CASE ${word} ${Object.entries(EXCHANGES)
      .map(([name, code]) => `WHEN ${literal(name)} THEN ${literal(code)}`)
      .join(' ')} END`
  const prefixes = ['0', '2', '3', '4', '6', '8', '9', '92'].map(
    (prefix) => [prefix, exchangeOfCode(prefix.padEnd(6, '0'))!] as const,
  )
  const bare = prefixes
    .toReversed()
    .map(([prefix, code]) => `WHEN starts_with(${u}, ${literal(prefix)}) THEN ${literal(code)}`)
  return {
    name: 'sym',
    kind: 'scalar macro',
    parameters: '(t)',
    tables: [],
    prunable: [],
    // No sub-query: the macro must also work on `unnest`, and in every place where an expression may stand.
    sql: `(CASE
        WHEN regexp_full_match(${u}, '[0-9]{6}\\.?[A-Z]{2,4}')
          THEN left(${u}, 6) || '.' || ${exchange(`ltrim(substr(${u}, 7), '.')`)}
        WHEN regexp_full_match(${u}, '[A-Z]{2,4}\\.?[0-9]{6}')
          THEN right(${u}, 6) || '.' || ${exchange(`rtrim(left(${u}, length(${u}) - 6), '.')`)}
        WHEN regexp_full_match(${u}, '[0-9]{6}') THEN ${u} || '.' || CASE ${bare.join(' ')} END
      END)`,
    label: '股票代码标准化：600519、SH600519、sh.600519、600519.XSHG 均得 600519.SH',
    about: 'The stock symbol in the form the lake stores, of any form in use; NULL if it is none.',
  }
}
