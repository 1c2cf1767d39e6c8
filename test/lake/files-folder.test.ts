/** The folder of the source `files`. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import { syncLake } from '../../src/lake/sync.ts'
import { newLakeDirectory } from '../support/lake.ts'

test('a link in it is refused by name, and not left out', async () => {
  const root = await newLakeDirectory()
  mkdirSync(join(root, 'in'))
  symlinkSync('/nowhere.csv', join(root, 'in', 'daily.csv'))
  writeFileSync(join(root, 'lake.toml'), '[sources.files]\nfolder = "in"\n')
  const lake = await openLake(root, { maintenance: false })
  const { failed } = await syncLake(lake, { sources: ['files'] })
  await lake.close()
  expect(failed.map(({ code, table }) => [code, table])).toEqual([['IO_ERROR', 'daily']])
})
