/** Maintenance by itself: checkpoints with their hint, folding, and its failure, which never is one of the commit. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { openLake } from '../../src/lake/lake.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import { hintChecksum } from '../../src/storage/delta/checkpoint-write.ts'
import { loadSnapshot } from '../../src/storage/delta/load.ts'
import { localFiles } from '../../src/storage/files/local.ts'
import { Database } from '../../src/storage/parquet/database.ts'
import { committed, newLake } from '../support/lake.ts'

const open: Lake[] = []
afterAll(async () => {
  for (const lake of open) await lake.close()
})

const TABLE = {
  name: 't',
  schema: schemaOf([field('id', 'long'), field('n', 'long')]),
  key: ['id'],
}

async function put(lake: Lake, id: number): Promise<readonly string[]> {
  const outcome = await lake.write('row', async (tx) => {
    await tx.ensure(TABLE)
    await tx.upsert('t', [{ id: BigInt(id), n: 1n }])
  })
  committed(outcome)
  return outcome.kind === 'committed' ? outcome.warnings : []
}

const logOf = (lake: Lake): string => join(lake.root, 'warehouse/t/_delta_log')
const checkpoints = (lake: Lake): string[] =>
  readdirSync(logOf(lake)).filter((name) => name.endsWith('.checkpoint.parquet'))

test('every twentieth version of a table has a checkpoint, and the hint names the newest', async () => {
  const lake = await newLake()
  for (let id = 0; id <= 41; id++) await put(lake, id)
  expect(checkpoints(lake).map((name) => Number(name.slice(0, 20)))).toEqual([20, 40])
  const { checksum, ...hint } = JSON.parse(
    readFileSync(join(logOf(lake), '_last_checkpoint'), 'utf8'),
  ) as Record<string, unknown>
  expect(hint).toMatchObject({ version: 40, numOfAddFiles: 41 })
  expect(checksum).toBe(hintChecksum(hint))
  for (const name of readdirSync(logOf(lake)))
    if (/^\d{20}\.json$/.test(name) && Number(name.slice(0, 20)) <= 40)
      rmSync(join(logOf(lake), name))
  const snapshot = await loadSnapshot(localFiles, join(lake.root, 'warehouse/t'))
  expect([snapshot!.version, snapshot!.files.size]).toEqual([41, 42])
})

test('small files are folded after the acknowledgement, and closing waits for it', async () => {
  const { root } = await newLake()
  const lake = await openLake(root)
  for (let id = 0; id < 12; id++) await put(lake, id)
  await lake.close()
  const again = await openLake(root, { maintenance: false })
  open.push(again)
  const table = (await again.tables()).find(({ name }) => name === 't')!
  expect(table).toMatchObject({ rows: 12 })
  expect(table.files).toBeLessThan(12)
  expect((await again.history()).some(({ operation }) => operation === 'OPTIMIZE')).toBe(true)
  expect(await again.verify({ deep: true })).toEqual([])
})

test('what fails in maintenance is a warning, and the commit stands', async () => {
  const { root } = await newLake()
  const warnings: string[] = []
  const lake = await openLake(root, { onWarning: (text) => warnings.push(text) })
  open.push(lake)
  const add = async (n: number): Promise<void> => {
    const outcome = await lake.write('row', async (tx) => {
      await tx.ensure({ name: 'u', schema: TABLE.schema })
      await tx.append('u', [{ id: 1n, n: BigInt(n) }])
    })
    committed(outcome)
  }
  for (let n = 0; n < 5; n++) await add(n)
  await lake.idle()
  // A file that folding will read is no Parquet file any more.
  const directory = join(root, 'warehouse/u')
  const first = readdirSync(directory).find((name) => name.endsWith('.parquet'))
  rmSync(join(directory, first!))
  writeFileSync(join(directory, first!), 'PAR1 torn PAR1')
  for (let n = 5; n < 12; n++) await add(n)
  await lake.idle()
  expect(warnings.join()).toContain('maintenance failed')
  expect(existsSync(join(directory, first!))).toBe(true)
  expect((await lake.tables()).find(({ name }) => name === 'u')).toMatchObject({ rows: 12 })
})

/**
 * Publications while `work` runs, in which no time passes: a rest between two of them lasts. `meanwhile` is done right
 * after the rename of the first one.
 */
async function publications(
  work: () => Promise<void>,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<number> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const real = { ...localFiles }
  let count = 0
  const spy = vi.spyOn(localFiles, 'rename').mockImplementation(async (from, to) => {
    await real.rename(from, to)
    if (to.endsWith('analysis.duckdb') && ++count === 1) await meanwhile()
  })
  try {
    await work()
    return count
  } finally {
    spy.mockRestore()
    vi.useRealTimers()
  }
}

/** Rows of the table as the published views show it. */
async function publishedRows(root: string): Promise<number> {
  const database = await Database.open({ threads: 1 })
  try {
    return await database.using(async (session) => {
      await session.run(`ATTACH '${join(root, 'analysis.duckdb')}' AS a (READ_ONLY)`)
      return (await session.row<{ n: number }>('SELECT count(*)::INTEGER AS n FROM a.t')).n
    })
  } finally {
    await database.close()
  }
}

/** A lake with one row and published views, whose publications rest. */
async function followedLake(): Promise<Lake> {
  const { root } = await newLake()
  const lake = await openLake(root)
  await put(lake, 0)
  await lake.publishViews()
  return lake
}

test('published views follow commits once a while, and the last one before the lake is closed', async () => {
  const lake = await followedLake()
  const count = await publications(async () => {
    await put(lake, 1)
    await lake.idle()
    for (let id = 2; id <= 4; id++) {
      await put(lake, id)
      // Time in which each of them could be published.
      await setTimeout(250)
    }
    await lake.close()
  })
  expect(count).toBe(2)
  expect(await publishedRows(lake.root)).toBe(5)
})

test('a lake that moves while its views are published is published again after the rest or before it is closed', async () => {
  const lake = await followedLake()
  const other = await openLake(lake.root, { maintenance: false })
  open.push(other)
  const work = async (): Promise<void> => {
    await put(lake, 1)
    await setTimeout(250)
    await lake.close()
  }
  expect(await publications(work, () => put(other, 2))).toBe(2)
  expect(await publishedRows(lake.root)).toBe(3)
})

test('views that a caller published after the last commit are not published again', async () => {
  const lake = await followedLake()
  open.push(lake)
  const count = await publications(async () => {
    await put(lake, 1)
    await lake.idle()
    await put(lake, 2)
    await lake.publishViews()
    await lake.idle()
  })
  expect(count).toBe(2)
})

test('the doctor reports files that no version names', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('p', 'string'), field('n', 'long')])
  const made = await lake.write('odd', async (tx) => {
    await tx.ensure({ name: 'odd', schema, key: ['p'], layout: 'clustered' })
    await tx.upsert('odd', [{ p: 'a/b %', n: 1n }])
  })
  committed(made)
  expect((await lake.doctor()).orphans).toEqual([])
  writeFileSync(join(lake.root, 'warehouse/odd/left%20over.parquet'), 'xyz')
  const report = await lake.doctor()
  expect(report).toMatchObject({ ok: true, orphans: [{ table: 'odd', files: 1, bytes: 3 }] })
})
