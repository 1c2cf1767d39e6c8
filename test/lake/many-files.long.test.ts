/** Thousands of small files are folded within a small memory limit: the engine holds each file of a scan apart. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { AddFile } from '../../src/storage/delta/actions.ts'
import { loadSnapshot } from '../../src/storage/delta/load.ts'
import { HASH_TAG } from '../../src/storage/delta/relation.ts'
import { noRows } from '../../src/storage/delta/stage.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, newLakeDirectory, rowsOf } from '../support/lake.ts'

const FILES = 3000
const MODEL = 'K0000'
const keyOf = (i: number): string => `K${String(i).padStart(4, '0')}`

/** One file is written by the package; the others differ from it in the key alone. */
async function layFiles(lake: Lake): Promise<void> {
  const schema = schemaOf([field('symbol', 'string'), field('n', 'long')])
  const made = await lake.write('model', async (tx) => {
    await tx.ensure({ name: 'many', schema, key: ['symbol'], clustering: ['symbol'] })
    await tx.append('many', [{ symbol: MODEL, n: 1 }])
  })
  committed(made)
  const directory = join(lake.root, 'warehouse', 'many')
  const snapshot = (await loadSnapshot(lake.store.files, directory))!
  const model = [...snapshot.files.values()][0]!
  const content = readFileSync(join(directory, model.path))
  const adds = Array.from({ length: FILES - 1 }, (_, i) =>
    layFile(directory, model, content, keyOf(i + 1)),
  )
  const outcome = await lake.write('files', async (tx) => {
    const stage = () => Promise.resolve({ adds, removes: [], counts: noRows })
    await tx.apply('many', { mode: 'append', stage })
  })
  committed(outcome)
}

function layFile(directory: string, model: AddFile, content: Buffer, key: string): AddFile {
  const bytes = Buffer.from(content)
  for (let at = bytes.indexOf(MODEL); at >= 0; at = bytes.indexOf(MODEL, at + 1))
    bytes.write(key, at)
  const path = `${crypto.randomUUID()}.parquet`
  writeFileSync(join(directory, path), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const tags = { ...model.tags, [HASH_TAG]: sha256 }
  return { ...model, path, tags, stats: model.stats!.replaceAll(MODEL, key) }
}

test('a fold scans them in portions', async () => {
  const root = await newLakeDirectory()
  writeFileSync(join(root, 'lake.toml'), '[limits]\nmemory = "40MB"\nthreads = 2\n')
  const lake = await openLake(root, { maintenance: false })
  try {
    await layFiles(lake)
    expect(await lake.optimize('many')).toMatchObject([{ filesBefore: FILES, filesAfter: 1 }])
    const sql = 'SELECT count(DISTINCT symbol) AS n FROM many'
    expect(await rowsOf(lake, sql)).toEqual([{ n: BigInt(FILES) }])
  } finally {
    await lake.close()
  }
})
