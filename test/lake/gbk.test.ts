/** CSV files as spreadsheets in China save them. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { loadFiles } from '../../src/lake/load.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/** `贵州茅台` in GBK. */
const MAOTAI = [0xb9, 0xf3, 0xd6, 0xdd, 0xc3, 0xa9, 0xcc, 0xa8]

function gbkCsv(path: string, name: readonly number[]): string {
  const head = Buffer.from('symbol,day,name\n600519,2020-01-02,')
  writeFileSync(path, Buffer.concat([head, Buffer.from(name), Buffer.from('\n')]))
  return path
}

test('GBK is read as what it says, beside a file in UTF-8, and no copy is left', async () => {
  const lake = await newLake()
  const folder = temporaryDirectory()
  const utf8 = join(folder, 'b.csv')
  writeFileSync(utf8, 'symbol,day,name\n000001,2020-01-02,平安银行\n')
  const paths = [gbkCsv(join(folder, 'a.csv'), MAOTAI), utf8]
  const copies = temporaryDirectory()
  vi.stubEnv('TMPDIR', copies)
  const { outcome } = await loadFiles(lake, 'names', paths, { key: ['symbol', 'day'] })
  committed(outcome)
  expect(await rowsOf(lake, 'SELECT symbol, name FROM names ORDER BY symbol')).toEqual([
    { symbol: '000001', name: '平安银行' },
    { symbol: '600519', name: '贵州茅台' },
  ])
  expect(readdirSync(copies)).toEqual([])
  vi.unstubAllEnvs()
})

test('what is neither is refused by name', async () => {
  const lake = await newLake()
  const path = gbkCsv(join(temporaryDirectory(), 'c.csv'), [0xff, 0xff, 0x81])
  await expect(loadFiles(lake, 'names', [path], { key: ['symbol', 'day'] })).rejects.toMatchObject({
    code: 'CORRUPT_FILE',
    next: 'Save it as UTF-8.',
  })
})

test('UTF-8 that was cut is refused, and not taken for GBK, which says other words', async () => {
  const lake = await newLake()
  const path = gbkCsv(join(temporaryDirectory(), 'd.csv'), [
    ...Buffer.from('平安银行').subarray(0, -1),
  ])
  await expect(loadFiles(lake, 'names', [path], { key: ['symbol', 'day'] })).rejects.toMatchObject({
    code: 'CORRUPT_FILE',
    next: 'It was cut or damaged: fetch or export it again.',
  })
})
