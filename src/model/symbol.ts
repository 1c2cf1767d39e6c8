/** Stock symbols: the forms people write, and the one form the lake stores, `600519.SH`. */
import { LakeError } from './errors.ts'

/** Exchanges of the mainland: Shanghai, Shenzhen, Beijing. */
export type Exchange = 'SH' | 'SZ' | 'BJ'

/** Exchanges by the words that name them beside a code. */
export const EXCHANGES: Readonly<Record<string, Exchange>> = {
  SH: 'SH',
  SS: 'SH',
  SSE: 'SH',
  XSHG: 'SH',
  SZ: 'SZ',
  SZSE: 'SZ',
  XSHE: 'SZ',
  BJ: 'BJ',
  BSE: 'BJ',
  XBSE: 'BJ',
}

/** The exchange of a bare six-digit stock code, by its prefix. */
export function exchangeOfCode(code: string): Exchange | undefined {
  if (!/^\d{6}$/.test(code)) return undefined
  if (/^(4|8|92)/.test(code)) return 'BJ'
  if (/^(6|9)/.test(code)) return 'SH'
  return /^(0|2|3)/.test(code) ? 'SZ' : undefined
}

/** `600519.SH` of any form in use (`600519`, `SH600519`, `sh.600519`, `600519.XSHG`), or undefined. */
export function parseSymbol(text: string): string | undefined {
  const upper = text.trim().toUpperCase()
  const suffixed = /^(\d{6})\.?([A-Z]{2,4})$/.exec(upper)
  const prefixed = /^([A-Z]{2,4})\.?(\d{6})$/.exec(upper)
  const code = suffixed?.[1] ?? prefixed?.[2] ?? upper
  const word = suffixed?.[2] ?? prefixed?.[1]
  const exchange = word === undefined ? exchangeOfCode(code) : EXCHANGES[word]
  return exchange && `${code}.${exchange}`
}

/** `600519.SH` of any form in use; an error that names the text otherwise. */
export function normalizeSymbol(text: string): string {
  const symbol = parseSymbol(text)
  if (symbol === undefined) {
    throw new LakeError('INVALID_ARGUMENT', `not a stock symbol: ${text}`, {
      details: { text },
      next: 'Write six digits, with or without the exchange: 600519, 600519.SH, sh600519, 600519.XSHG.',
    })
  }
  return symbol
}

const BOARDS: readonly (readonly [RegExp, string])[] = [
  [/^60\d{4}\.SH$/, '主板'],
  [/^68[89]\d{3}\.SH$/, '科创板'],
  [/^00[0-3]\d{3}\.SZ$/, '主板'],
  [/^30\d{4}\.SZ$/, '创业板'],
  [/^(4|8|92)\d+\.BJ$/, '北交所'],
]

/** The board of an A share, by Tushare's names; undefined for B shares, funds and everything else. */
export function boardOf(symbol: string): string | undefined {
  return BOARDS.find(([pattern]) => pattern.test(symbol))?.[1]
}
