/** A lake beside a simulated exchange, whose sources all point there and wait for nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startExchange } from '../../src/exchange/server.ts'
import type { Exchange, ExchangeOptions } from '../../src/exchange/server.ts'
import { openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { afterFile } from './after-file.ts'
import { newLakeDirectory } from './lake.ts'

/** A token that is nobody's. */
export const TOKEN = 'f0e1d2c3b4a5968778695a4b3c2d1e0f'

/** Starts an exchange and makes a lake; `toml` is added to its settings. */
export async function sourceLake(
  options: ExchangeOptions,
  toml = '',
): Promise<{ lake: Lake; exchange: Exchange }> {
  const exchange = await startExchange({ tushare: { token: TOKEN }, ...options })
  afterFile(() => exchange.close())
  const root = await newLakeDirectory()
  const sources = ['eastmoney', 'tushare', 'sina', 'tencent'].map(
    (name) =>
      `[sources.${name}]\nbase_url = "${exchange.url}"\npace_ms = 0\n` +
      (name === 'tushare' ? `token = "${TOKEN}"\n` : ''),
  )
  writeFileSync(join(root, 'lake.toml'), `${sources.join('')}${toml}`)
  const lake = await openLake(root, { maintenance: false })
  afterFile(() => lake.close())
  return { lake, exchange }
}
