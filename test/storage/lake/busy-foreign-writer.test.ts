/** A foreign writer that is always one version ahead: each of its commits is looked at once, and ours gets its turn. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commitLake } from '../../../src/storage/lake/commit.ts'
import { duckdbData } from '../../../src/storage/lake/data.ts'
import { openStore } from '../../../src/storage/lake/store.ts'
import type { LakeData } from '../../../src/storage/lake/store.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { realEffects } from '../../../src/model/effects.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import { committed, newLake, rowsOf } from '../../support/lake.ts'

const AHEAD = 20

test(`a commit behind ${String(AHEAD)} foreign ones that came one after the other`, async () => {
  const lake = await newLake()
  const schema = schemaOf([field('id', 'long'), field('v', 'long')])
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['id'] })
      await tx.upsert('t', [{ id: 0n, v: 0n }])
    }),
  )
  const directory = join(lake.root, 'warehouse/t')
  const database = await lake.database()
  const sizes: number[] = []
  for (let i = 0; i < AHEAD; i++) {
    const path = join(directory, `foreign-${String(i)}.parquet`)
    await database.using((session) =>
      session.run(
        `COPY (SELECT CAST(${String(1000 + i)} AS BIGINT) AS id, CAST(1 AS BIGINT) AS v) TO '${path}' (FORMAT parquet)`,
      ),
    )
    sizes.push((await localFiles.stat(path))!.sizeBytes)
  }

  let ahead = 0
  const files: Files = {
    ...localFiles,
    link: (from, to) => {
      if (to.startsWith(join(directory, '_delta_log')) && ahead < AHEAD) {
        const add = {
          path: `foreign-${String(ahead)}.parquet`,
          partitionValues: {},
          size: sizes[ahead],
          modificationTime: 1,
          dataChange: true,
        }
        writeFileSync(
          to,
          `${JSON.stringify({ commitInfo: { engineInfo: 'busy' } })}\n${JSON.stringify({ add })}\n`,
        )
        ahead++
      }
      return localFiles.link(from, to)
    },
  }
  const real = duckdbData(() => lake.database())
  let looks = 0
  const data: LakeData = {
    ...real,
    misfit: (...args) => {
      looks++
      return real.misfit(...args)
    },
  }
  const { retention } = lake.store
  const store = await openStore({ root: lake.root, files, effects: realEffects, data, retention })
  const outcome = await commitLake(
    store,
    () => lake.database(),
    async (tx) => {
      await tx.upsert('t', [{ id: 1n, v: 1n }])
    },
  )
  expect(outcome).toMatchObject({ kind: 'committed', warnings: [] })
  expect(ahead).toBe(AHEAD)
  expect(looks).toBe(AHEAD)
  committed(
    await lake.write('settles', async (tx) => void (await tx.upsert('t', [{ id: 2n, v: 2n }]))),
  )
  const rows = await rowsOf(lake, 'SELECT count(*) AS n, count(DISTINCT id) AS ids FROM t')
  expect(rows).toEqual([{ n: BigInt(AHEAD + 3), ids: BigInt(AHEAD + 3) }])
})
