/** Restore and drop: what an older version held is there again, in a new version. */
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

const PLAIN = {
  name: 'plain',
  schema: schemaOf([field('k', 'string', false), field('v', 'long')]),
  key: ['k'],
}

async function upsert(lake: Lake, rows: readonly { k: string; v: bigint }[]): Promise<number> {
  const outcome = await lake.write('test', async (tx) => {
    await tx.ensure(PLAIN)
    await tx.upsert('plain', rows)
  })
  return committed(outcome)
}

const all = 'SELECT k, v FROM plain ORDER BY k'

test('a dropped table comes back as it was, with its history', async () => {
  const lake = await newLake()
  const then = await upsert(lake, [{ k: 'a', v: 1n }])
  committed(await lake.drop('plain'))
  await expect(rowsOf(lake, all)).rejects.toMatchObject({ code: 'SQL_ERROR' })
  committed(await lake.restore(then, ['plain']))
  expect(await rowsOf(lake, all)).toEqual([{ k: 'a', v: 1n }])
  await upsert(lake, [{ k: 'b', v: 2n }])
  expect(await rowsOf(lake, all)).toHaveLength(2)
  expect(await rowsOf(lake, all, then)).toHaveLength(1)
})

test('a dropped table comes back over the new one of its name', async () => {
  const lake = await newLake()
  const then = await upsert(lake, [{ k: 'a', v: 1n }])
  committed(await lake.drop('plain'))
  const other = await upsert(lake, [{ k: 'z', v: 26n }])
  committed(await lake.restore(then, ['plain']))
  expect(await rowsOf(lake, all)).toEqual([{ k: 'a', v: 1n }])
  expect(await rowsOf(lake, all, other)).toEqual([{ k: 'z', v: 26n }])
})

test('the whole lake: changed tables, tables that came later, and back again', async () => {
  const lake = await newLake()
  const first = await upsert(lake, [
    { k: 'a', v: 1n },
    { k: 'b', v: 2n },
  ])
  const second = await upsert(lake, [
    { k: 'a', v: 10n },
    { k: 'c', v: 3n },
  ])
  committed(await lake.write('later', (tx) => tx.ensure({ ...PLAIN, name: 'later' }).then()))
  committed(await lake.restore(first))
  expect(await rowsOf(lake, all)).toEqual([
    { k: 'a', v: 1n },
    { k: 'b', v: 2n },
  ])
  expect((await lake.head()).tables).not.toHaveProperty('later')
  committed(await lake.restore(second))
  expect(await rowsOf(lake, all)).toEqual([
    { k: 'a', v: 10n },
    { k: 'b', v: 2n },
    { k: 'c', v: 3n },
  ])
  expect((await lake.verify({ deep: true })).length).toBe(0)
})
