/** Vacuum beside writers and readers that slept: what they will need is never taken. */
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openLake } from '../../../src/lake/lake.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import { realEffects } from '../../../src/model/effects.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { SealedFile } from '../../../src/storage/files/files.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { commitLake } from '../../../src/storage/lake/commit.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { committed, newLake, rowsOf } from '../../support/lake.ts'

const DAY_MS = 86_400_000
const open: Lake[] = []
afterAll(async () => {
  for (const lake of open) await lake.close()
})

async function lakeWithRows(): Promise<Lake> {
  const lake = await newLake()
  const fields = ['id', 'n'].map((name) => ({
    name,
    type: 'long' as const,
    nullable: true,
    metadata: {},
  }))
  const schema = { type: 'struct' as const, fields }
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['id'] })
      await tx.upsert('t', [{ id: 1n, n: 1n }])
    }),
  )
  return lake
}

/** The same lake as another process would have it, `days` later. */
async function other(lake: Lake, days = 0): Promise<Lake> {
  const effects = { ...realEffects, now: () => realEffects.now() + days * DAY_MS }
  const opened = await openLake(lake.root, { maintenance: false, lease: false, effects })
  open.push(opened)
  return opened
}

const parquet = (lake: Lake): string[] =>
  readdirSync(join(lake.root, 'warehouse/t')).filter((name) => name.endsWith('.parquet'))

function age(path: string, days: number): void {
  const at = new Date(Date.now() - days * DAY_MS)
  utimesSync(path, at, at)
}

/** Commits a row; between staging and commit the staged file grows old and `meanwhile` happens. */
async function sleepingCommit(lake: Lake, meanwhile: () => Promise<void>): Promise<string> {
  const before = new Set(parquet(lake))
  let staged = ''
  const outcome = await lake.write('slow', async (tx) => {
    await tx.upsert('t', [{ id: 2n, n: 2n }])
    if (staged !== '') return
    staged = parquet(lake).find((name) => !before.has(name))!
    age(join(lake.root, 'warehouse/t', staged), 2)
    await meanwhile()
  })
  committed(outcome)
  return staged
}

test('a file staged before the announced age is staged again, even while it is still there', async () => {
  const lake = await lakeWithRows()
  const vacuuming = await other(lake)
  const staged = await sleepingCommit(lake, async () => {
    await vacuuming.vacuum({ apply: true, lite: true })
    committed(
      await vacuuming.write('more', async (tx) => void (await tx.upsert('t', [{ id: 3n, n: 3n }]))),
    )
  })
  // Only now a slow vacuum comes to delete what it announced.
  await vacuuming.vacuum({ apply: true })
  expect(parquet(lake)).not.toContain(staged)
  expect(await rowsOf(lake, 'SELECT id FROM t ORDER BY id')).toEqual([
    { id: 1n },
    { id: 2n },
    { id: 3n },
  ])
  expect(await lake.verify({ deep: true })).toEqual([])
})

test('a staged file that was taken is staged again', async () => {
  const lake = await lakeWithRows()
  const vacuuming = await other(lake)
  await sleepingCommit(lake, async () => void (await vacuuming.vacuum({ apply: true })))
  expect(await rowsOf(lake, 'SELECT count(*) AS n FROM t')).toEqual([{ n: 2n }])
  expect(await lake.verify({ deep: true })).toEqual([])
})

test('a file that was taken before it was synced is written again', async () => {
  const lake = await lakeWithRows()
  const vacuuming = await other(lake)
  const real = lake.store.files
  let taken = ''
  const seal = async (path: string): Promise<SealedFile> => {
    if (taken === '') {
      taken = path
      age(path, 2)
      await vacuuming.vacuum({ apply: true })
      expect(existsSync(path)).toBe(false)
    }
    return real.seal(path)
  }
  committed(
    await commitLake(
      { ...lake.store, files: { ...real, seal } },
      () => lake.database(),
      async (tx) => void (await tx.upsert('t', [{ id: 2n, n: 2n }])),
    ),
  )
  expect(taken).not.toBe('')
  expect(await rowsOf(lake, 'SELECT id FROM t ORDER BY id')).toEqual([{ id: 1n }, { id: 2n }])
  expect(await lake.verify({ deep: true })).toEqual([])
})

test('the announced age stays in the records that follow', async () => {
  const lake = await lakeWithRows()
  await lake.vacuum({ apply: true })
  const { stagedBefore } = await lake.head()
  expect(stagedBefore).toBeGreaterThan(0)
  committed(
    await lake.write('more', async (tx) => void (await tx.upsert('t', [{ id: 3n, n: 3n }]))),
  )
  expect((await lake.head()).stagedBefore).toBe(stagedBefore)
})

test('a lease that cannot be read protects every version until it expires', async () => {
  const lake = await lakeWithRows()
  const { version } = await lake.head()
  for (const id of [8n, 9n]) {
    committed(await lake.write('new', async (tx) => void (await tx.replace('t', [{ id, n: id }]))))
  }
  const garbage = join(lake.root, '_lake/leases/garbage.json')
  writeFileSync(garbage, '{')
  await lake.head()
  const later = await other(lake, 60)
  await later.vacuum({ apply: true })
  expect(parquet(lake)).toHaveLength(3)
  age(garbage, 1)
  await later.vacuum({ apply: true })
  // What stood just before the oldest version kept goes with the next commit.
  expect(parquet(lake)).toHaveLength(2)
  await expect(rowsOf(await other(lake), 'SELECT 1', version)).rejects.toMatchObject({
    code: 'VERSION_VACUUMED',
  })
})

test('actions that no record names go when they are old, those of records stay', async () => {
  const lake = await lakeWithRows()
  // So many columns that the record would pass 256 KB.
  const fields = Array.from({ length: 4000 }, (_, i) => ({
    name: `column_${String(i)}`,
    type: 'double' as const,
    nullable: true,
    metadata: {},
  }))
  const wide = { name: 'wide', schema: { type: 'struct' as const, fields } }
  committed(await lake.write('wide', async (tx) => void (await tx.ensure(wide))))
  const directory = join(lake.root, '_lake/actions')
  const [named] = readdirSync(directory)
  expect(named).toBeDefined()
  for (const [name, days] of [
    ['old.ndjson', 2],
    ['young.ndjson', 0],
  ] as const) {
    writeFileSync(join(directory, name), '')
    age(join(directory, name), days)
  }
  age(join(directory, named!), 2)
  await lake.vacuum({ apply: true })
  expect(readdirSync(directory).toSorted()).toEqual([named, 'young.ndjson'].toSorted())
  const again = await other(lake)
  expect((await again.record(again.store.head.version)).version).toBeGreaterThan(0)
  expect(await again.verify()).toEqual([])
})

/** Everything below a directory becomes old. */
function ageAll(directory: string): void {
  for (const path of readdirSync(directory, { recursive: true }))
    age(join(directory, String(path)), 90)
}

test('a dropped table goes; the directory of its name stays empty, so that nobody gets it again', async () => {
  const lake = await lakeWithRows()
  const warehouse = join(lake.root, 'warehouse')
  committed(await lake.drop('t'))
  ageAll(join(warehouse, 't'))
  mkdirSync(join(warehouse, 'strange'))
  await (await other(lake, 60)).vacuum({ apply: true })
  expect(readdirSync(join(warehouse, 't'))).toEqual([])
  expect(existsSync(join(warehouse, 'strange'))).toBe(true)
  const schema = schemaOf([field('id', 'long')])
  committed(
    await lake.write('again', async (tx) => {
      await tx.ensure({ name: 't', schema })
      await tx.append('t', [{ id: 1n }])
    }),
  )
  const { path } = (await lake.head()).tables['t']!
  expect(path).toMatch(/^warehouse\/t\.[0-9a-f]{8}$/)
  committed(await lake.drop('t'))
  ageAll(join(lake.root, path))
  // Its lease lets the version go that shows the table.
  await lake.head()
  await (await other(lake, 120)).vacuum({ apply: true })
  expect(existsSync(join(lake.root, path))).toBe(false)
})

test('a vacuum that slept takes nothing of a table that was made again under the name', async () => {
  const lake = await lakeWithRows()
  committed(await lake.drop('t'))
  ageAll(join(lake.root, 'warehouse/t'))
  const [slow, quick] = [await other(lake, 60), await other(lake, 60)]
  const remake = async (): Promise<void> => {
    await quick.vacuum({ apply: true })
    const schema = schemaOf([field('id', 'long'), field('n', 'long')])
    committed(
      await lake.write('again', async (tx) => {
        await tx.ensure({ name: 't', schema, key: ['id'] })
        await tx.upsert('t', [{ id: 5n, n: 5n }])
      }),
    )
  }
  const remove: typeof slow.store.files.remove = async (path) => {
    if (path.includes(join('warehouse', 't')) && parts.length === 0) {
      parts.push(path)
      await remake()
    }
    return localFiles.remove(path)
  }
  const parts: string[] = []
  const files = Object.assign(Object.create(localFiles) as typeof localFiles, { remove })
  await vacuumLake({ ...slow.store, files }, { apply: true })
  expect(parts).toHaveLength(1)
  expect(await rowsOf(await other(lake), 'SELECT id FROM t')).toEqual([{ id: 5n }])
  expect(await lake.verify({ deep: true })).toEqual([])
})
