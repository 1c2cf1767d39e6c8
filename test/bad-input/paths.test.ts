/** Names and paths that climb out of the lake, or into it (row 81 of docs/bad-input.md). */
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { field, openLake, schemaOf } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'
import { exportDatabase } from '../../src/lake/export-database.ts'
import { checkNotOfLake } from '../../src/lake/export-file.ts'
import { ParquetStore } from '../../src/lake/parquet-store.ts'
import { failure } from '../support/failure.ts'
import { committed, newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const CLIMBING = ['../x', 'a/b', '..', '.', '', '/x', 'a\\b', 'a\0b', '..%2fx', 'C:x']

async function oneTable(): Promise<Lake> {
  const lake = await newLake()
  const schema = schemaOf([field('k', 'long')])
  committed(
    await lake.write('rows', async (tx) => {
      await tx.ensure({ name: 'rows', schema, key: ['k'] })
      await tx.upsert('rows', [{ k: 1n }])
    }),
  )
  return lake
}

describe('names', () => {
  test.each(CLIMBING)('81: %j names no table and no tag', async (name) => {
    const lake = await newLake()
    const schema = schemaOf([field('k', 'long')])
    const create = lake.write('bad', async (tx) => void (await tx.ensure({ name, schema })))
    expect((await failure(create)).code).toBe('INVALID_NAME')
    expect((await failure(lake.tag(name))).code).toBe('INVALID_NAME')
  })

  test.each(['a/../../../x', 'a//b', 'a/.', 'a\\..\\..\\x'])(
    '81: a category %j of the old interface leaves nothing outside',
    async (category) => {
      const root = join(temporaryDirectory(), 'lake')
      const store = await ParquetStore.open(root)
      const write = store.writeAtomic([{ symbol: 'A', v: 1 }], {
        category,
        partitionCol: 'symbol',
        partitionVal: 'A',
      })
      expect((await failure(write)).code).toBe('INVALID_NAME')
      await store.close()
      expect(readdirSync(join(root, '..'))).toEqual(['lake'])
    },
  )
})

describe('a record that names places outside', () => {
  test.each(['../outside', 'warehouse/../../outside', '/outside', '_lake/x', ''])(
    '81: a table at %j',
    async (path) => {
      const lake = await oneTable()
      await lake.close()
      const log = join(lake.root, '_lake')
      const newest = join(
        log,
        readdirSync(log)
          .filter((name) => name.endsWith('.json'))
          .toSorted()
          .at(-1)!,
      )
      const record = JSON.parse(readFileSync(newest, 'utf8')) as {
        sha256?: string
        tables: Record<string, { path: string }>
      }
      // A record without a hash is one from before there were hashes.
      delete record.sha256
      record.tables['rows']!.path = path
      chmodSync(newest, 0o644)
      writeFileSync(newest, `${JSON.stringify(record)}\n`)
      expect(await failure(openLake(lake.root))).toMatchObject({
        code: 'CORRUPT_LOG',
        message: expect.stringContaining('rows lies outside the lake') as string,
      })
      expect(existsSync(join(lake.root, '..', 'outside'))).toBe(false)
    },
  )
})

describe('results', () => {
  test('81: never take the place of a part of the lake, by whatever way', async () => {
    const lake = await oneTable()
    const link = join(temporaryDirectory(), 'link')
    symlinkSync(lake.root, link)
    for (const root of [lake.root, link]) {
      for (const name of [
        '_lake/x',
        'warehouse/rows/x',
        'other/../_lake/x',
        'Lake.toml',
        '_LAKE/x',
      ])
        expect((await failure(checkNotOfLake(root, join(link, name)))).code).toBe(
          'INVALID_ARGUMENT',
        )
      await checkNotOfLake(root, join(link, 'result.csv'))
    }
    for (const name of ['_lake/copy', 'warehouse/copy', 'warehouse/rows/copy']) {
      expect((await failure(lake.backup(join(link, name)))).code).toBe('INVALID_ARGUMENT')
      expect((await failure(exportDatabase(lake, join(link, name)))).code).toBe('INVALID_ARGUMENT')
    }
    expect(await lake.verify({ deep: true })).toEqual([])
  })
})
