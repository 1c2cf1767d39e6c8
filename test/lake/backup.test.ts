/** A backup beside a vacuum, and what is left of a publication that was killed. */
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { backupLake } from '../../src/lake/backup.ts'
import { openLake } from '../../src/lake/lake.ts'
import { realEffects } from '../../src/model/effects.ts'
import { LakeError } from '../../src/model/errors.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { localFiles } from '../../src/storage/files/local.ts'
import { vacuumLake } from '../../src/storage/lake/vacuum.ts'
import { afterFile } from '../support/after-file.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const MONTHS_MS = 60 * 86_400_000

test('a vacuum that comes while a lake is copied takes nothing of the copy', async () => {
  const lake = await newLake({ lease: false })
  const versions: number[] = []
  for (const n of [1n, 2n, 3n]) {
    const outcome = await lake.write('w', async (tx) => {
      await tx.ensure({ name: 't', schema: schemaOf([field('n', 'long')]) })
      await tx.replace('t', [{ n }])
    })
    versions.push(committed(outcome))
  }
  const effects = { ...realEffects, now: () => realEffects.now() + MONTHS_MS }
  const later = await openLake(lake.root, { maintenance: false, lease: false, effects })
  afterFile(() => later.close())
  let vacuums = 0
  const read: typeof localFiles.read = async (path, ...range) => {
    if (path.endsWith('.parquet') && vacuums++ === 0) await later.vacuum({ apply: true })
    return localFiles.read(path, ...range)
  }
  const files = Object.assign(Object.create(localFiles) as typeof localFiles, { read })
  const target = join(temporaryDirectory(), 'copy')
  await backupLake({ ...lake.store, files }, target)
  expect(vacuums).toBeGreaterThan(1)
  expect(readdirSync(join(lake.root, '_lake/leases'))).toEqual([])
  const copy = await openLake(target, { maintenance: false })
  afterFile(() => copy.close())
  for (const [i, version] of versions.entries())
    expect(await rowsOf(copy, 'SELECT n FROM t', version)).toEqual([{ n: BigInt(i + 1) }])
  expect(await copy.verify({ deep: true })).toEqual([])
})

test('without a lease a copy that says more versions than it has files for is refused, and taken away', async () => {
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
    create: (path, content) => {
      if (dirname(path) === join(lake.root, '_lake/leases')) throw new LakeError('IO_ERROR', 'full')
      return store.files.create(path, content)
    },
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
