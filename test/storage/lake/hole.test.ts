/** A hole in a Delta log, left by another engine, freezes its table: nothing is written into it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/model/schema.ts'
import { committed, newLake, rowsOf } from '../../support/lake.ts'
import { commitFile } from '../../support/log-table.ts'

test('a version that is missing below one that is there is not filled', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('id', 'long'), field('v', 'long')])
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['id'] })
      await tx.upsert('t', [{ id: 0n, v: 0n }])
    }),
  )
  const log = join(lake.root, 'warehouse/t/_delta_log')
  writeFileSync(join(log, commitFile(2)), `${JSON.stringify({ commitInfo: {} })}\n`)
  const upsert = () =>
    lake.write('no', async (tx) => void (await tx.upsert('t', [{ id: 1n, v: 1n }])))
  await lake.write('settles', async (tx) => void (await tx.query('SELECT * FROM t')))
  for (const attempt of [upsert, upsert]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'TABLE_FROZEN' })
  }
  expect(await rowsOf(lake, 'SELECT count(*) AS n FROM t')).toEqual([{ n: 1n }])
})
