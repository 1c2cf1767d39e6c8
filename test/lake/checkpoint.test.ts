/** Checkpoints say what the Delta log says, also where another engine took the version that a commit was meant for. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../src/index.ts'
import { DeltaTable } from '../../src/storage/delta/index.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { CHECKPOINT_INTERVAL } from '../../src/storage/lake/tables.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

/** What another engine appends: a copy of the newest file, under a commit of its own. */
function foreignCommit(directory: string, version: number): void {
  const log = (v: number): string =>
    join(directory, '_delta_log', `${String(v).padStart(20, '0')}.json`)
  const lines = readFileSync(log(version - 1), 'utf8')
    .trim()
    .split('\n')
  const { add } = JSON.parse(lines.find((line) => line.includes('"add"'))!) as {
    add: { path: string }
  }
  copyFileSync(join(directory, add.path), join(directory, 'foreign.parquet'))
  const actions = [
    { commitInfo: { operation: 'WRITE', engineInfo: 'other/1' } },
    { add: { ...add, path: 'foreign.parquet' } },
  ]
  writeFileSync(log(version), actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
}

test('another engine takes the version at which a checkpoint is due', async () => {
  const lake = await newLake()
  const append = (n: number): Promise<number> =>
    lake
      .write('one row', (tx) => tx.append('events', [{ n }]).then(() => undefined))
      .then(committed)
  await lake.write('table', (tx) =>
    tx.ensure({ name: 'events', schema: schemaOf([field('n', 'long')]) }).then(() => undefined),
  )
  for (let n = 1; n < CHECKPOINT_INTERVAL; n++) await append(n)
  const directory = join(lake.root, 'warehouse', 'events')
  const { files } = lake.store
  let raced = false
  const racing: Files = {
    ...files,
    link: async (from, to) => {
      if (
        !raced &&
        to.endsWith(`_delta_log/${String(CHECKPOINT_INTERVAL).padStart(20, '0')}.json`)
      ) {
        raced = true
        foreignCommit(directory, CHECKPOINT_INTERVAL)
      }
      return files.link(from, to)
    },
  }
  Object.assign(lake.store, { files: racing })
  await append(2000)
  Object.assign(lake.store, { files })
  expect(raced).toBe(true)
  for (let n = 0; n < CHECKPOINT_INTERVAL; n++) await append(3000 + n)
  expect(await lake.verify()).toEqual([])
  const fresh = await DeltaTable.open(directory, { threads: 1 })
  expect(await fresh.query('SELECT count(*)::INTEGER AS n FROM delta_table')).toEqual([
    { n: 2 * CHECKPOINT_INTERVAL + 1 },
  ])
  await fresh.close()
  expect(await rowsOf(lake, 'SELECT count(*)::INTEGER AS n FROM events')).toEqual([
    { n: 2 * CHECKPOINT_INTERVAL + 1 },
  ])
})
