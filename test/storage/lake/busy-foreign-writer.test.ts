/** A foreign writer that is always one version ahead: each of its commits is looked at once, and ours gets its turn. */
import { readdirSync, writeFileSync } from 'node:fs'
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

test('beside a foreign commit that is taken back, one of new keys stays', async () => {
  const lake = await newLake()
  const schema = schemaOf([field('id', 'long'), field('v', 'long')])
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['id'] })
      await tx.upsert('t', [{ id: 0n, v: 0n }])
    }),
  )
  const directory = join(lake.root, 'warehouse/t')
  const base = readdirSync(directory).find((name) => name.endsWith('.parquet'))
  const database = await lake.database()
  const file = async (name: string, sql: string): Promise<Record<string, unknown>> => {
    const path = join(directory, name)
    await database.using((session) => session.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`))
    const size = (await localFiles.stat(path))!.sizeBytes
    return { path: name, partitionValues: {}, size, modificationTime: 1, dataChange: true }
  }
  const rowsSql = (...ids: readonly number[]): string =>
    ids
      .map((id) => `SELECT CAST(${String(id)} AS BIGINT) AS id, CAST(7 AS BIGINT) AS v`)
      .join(' UNION ALL ')
  const commits = [
    // A merge that rewrites the base and brings the key that we are about to write.
    [
      { commitInfo: { engineInfo: 'other', operation: 'MERGE' } },
      { remove: { path: base, deletionTimestamp: 1, dataChange: true } },
      { add: await file('merged.parquet', rowsSql(0, 1)) },
    ],
    [
      { commitInfo: { engineInfo: 'other', operation: 'WRITE' } },
      { add: await file('new.parquet', rowsSql(1000)) },
    ],
  ]
  const files: Files = {
    ...localFiles,
    link: (from, to) => {
      const next = to.startsWith(join(directory, '_delta_log')) ? commits.shift() : undefined
      if (next) writeFileSync(to, next.map((action) => `${JSON.stringify(action)}\n`).join(''))
      return localFiles.link(from, to)
    },
  }
  const { retention } = lake.store
  const data = duckdbData(() => lake.database())
  const store = await openStore({ root: lake.root, files, effects: realEffects, data, retention })
  const write = async (id: bigint): Promise<void> =>
    void committed(
      await commitLake(
        store,
        () => lake.database(),
        async (tx) => void (await tx.upsert('t', [{ id, v: 1n }])),
      ),
    )
  await write(1n)
  await write(2n)
  expect(await rowsOf(lake, 'SELECT id, v FROM t ORDER BY id')).toEqual([
    { id: 0n, v: 0n },
    { id: 1n, v: 1n },
    { id: 2n, v: 1n },
    { id: 1000n, v: 7n },
  ])
  const foreign = (await lake.history()).flatMap((record) => record.foreign ?? [])
  expect(foreign.map((f) => [f.operation, f.undone ?? false])).toEqual([
    ['MERGE', true],
    ['WRITE', false],
  ])
  expect(await lake.verify({ deep: true })).toEqual([])
})
