/** Settings whose type is right and whose value is not: refused by their key, before an engine or a source meets them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/lake/config.ts'
import { localFiles } from '../../src/storage/files/local.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const read = (toml: string, environment = {}): Promise<unknown> => {
  const root = temporaryDirectory()
  writeFileSync(join(root, 'lake.toml'), toml)
  return readConfig(localFiles, root, environment)
}

test.each([
  ['limits', 'threads', '-1'],
  ['limits', 'threads', '1.5'],
  ['limits', 'memory', '"lots"'],
  ['limits', 'memory', '"80%"'],
  ['retention', 'versions', '"soon"'],
  ['maintenance', 'max_seconds', '-1'],
  ['sources.eastmoney', 'pace_ms', 'nan'],
  ['sources.eastmoney', 'concurrency', '-2'],
  ['sources.tushare', 'base_url', '"not a url"'],
])('[%s] %s = %s', async (section, name, value) => {
  await expect(read(`[${section}]\n${name} = ${value}\n`)).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    details: { key: `${section}.${name}` },
  })
})

test('an address in the environment is looked at as well', async () => {
  const environment = { MARKETLAKE_SINA_URL: 'localhost' }
  await expect(read('', environment)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
})

test.each(['"2GB"', '"512 MiB"', '"1.5gb"'])('memory = %s', async (memory) => {
  const config = await read(`[limits]\nmemory = ${memory}\nthreads = 2\n`)
  expect(config).toMatchObject({ limits: { memory: JSON.parse(memory), threads: 2 } })
})
