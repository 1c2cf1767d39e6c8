/** A backup beside a vacuum, and what is left of a publication that was killed. */
import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backupLake } from '../../src/lake/backup.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { vacuumLake } from '../../src/storage/lake/vacuum.ts'
import { committed, newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

test('a copy that says more versions than a vacuum left it files for is refused, and taken away', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('k', 'long'), field('v', 'long')])
  for (const v of [1n, 2n, 3n]) {
    const outcome = await lake.write('rows', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['k'] })
      await tx.upsert('t', [{ k: 1n, v }])
    })
    committed(outcome)
  }
  const { store } = lake
  const effects = { ...store.effects, now: () => Date.now() + 60 * 86_400_000 }
  let vacuumed = false
  const files: Files = {
    ...store.files,
    read: async (path) => {
      if (!vacuumed && path.endsWith('.parquet')) {
        vacuumed = true
        const { files: deleted } = await vacuumLake({ ...store, effects }, { apply: true })
        expect(deleted).toBeGreaterThan(0)
      }
      return store.files.read(path)
    },
  }
  const target = join(temporaryDirectory(), 'copy')
  await expect(backupLake({ ...store, files }, target)).rejects.toMatchObject({
    code: 'VERSION_VACUUMED',
  })
  expect(existsSync(join(target, '_lake'))).toBe(false)
})

test('the doctor takes away what a killed publication of views left', async () => {
  const lake = await newLake()
  const path = join(lake.root, '.analysis.dead.tmp')
  writeFileSync(path, 'half')
  utimesSync(path, 1, 1)
  writeFileSync(join(lake.root, '.mine.tmp'), 'not ours')
  expect((await lake.doctor({ fix: true })).fixed).toEqual(['removed .analysis.dead.tmp'])
  expect(existsSync(join(lake.root, '.mine.tmp'))).toBe(true)
})
