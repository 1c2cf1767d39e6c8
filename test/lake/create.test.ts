/** Making a lake that could not be made at once. */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLake } from '../../src/lake/lake.ts'
import { realEffects } from '../../src/model/effects.ts'
import { STANDARD_TABLES } from '../../src/model/standard-tables.ts'
import { localFiles } from '../../src/storage/files/local.ts'
import { initLake } from '../../src/storage/lake/init.ts'
import type { Database } from '../../src/storage/parquet/database.ts'
import { failure } from '../support/failure.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const OPTIONS = { maintenance: false }

test('one whose making ended after its first record is finished by making it again', async () => {
  const root = join(temporaryDirectory(), 'lake')
  const { lakeId } = await initLake({ files: localFiles, effects: realEffects, root })
  const lake = await createLake(root, OPTIONS)
  expect(lake.lakeId).toBe(lakeId)
  expect(Object.keys((await lake.head()).tables)).toHaveLength(STANDARD_TABLES.length)
  await lake.close()
  expect((await failure(createLake(root, OPTIONS))).code).toBe('LAKE_EXISTS')
})

test('if its tables cannot be made, nothing holds it', async () => {
  const root = join(temporaryDirectory(), 'lake')
  mkdirSync(root)
  const broken = (): Promise<never> => Promise.reject(new Error('no engine'))
  const database = { using: broken, connect: broken } as unknown as Database
  await expect(createLake(root, { ...OPTIONS, database })).rejects.toThrow('no engine')
  expect(readdirSync(join(root, '_lake', 'leases'))).toEqual([])
  await (await createLake(root, OPTIONS)).close()
})
