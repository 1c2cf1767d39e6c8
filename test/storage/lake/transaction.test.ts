/** Reads of a transaction: whatever way a table is named, it counts as read, so that no update is lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLake } from '../../../src/lake/lake.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import { committed, newLake, rowsOf } from '../../support/lake.ts'

let [one, two]: Lake[] = []
beforeAll(async () => {
  one = await newLake()
  two = await openLake(one.root, { maintenance: false })
  const fields = [
    { name: 'id', type: 'string' as const, nullable: true, metadata: {} },
    { name: 'n', type: 'long' as const, nullable: true, metadata: {} },
  ]
  committed(
    await one.write('make', async (tx) => {
      await tx.ensure({ name: 'counters', schema: { type: 'struct', fields }, key: ['id'] })
      await tx.upsert('counters', [{ id: 'x', n: 0n }])
    }),
  )
})
afterAll(() => two?.close())

const READS: [name: string, sql: string, parameters?: string[]][] = [
  ['by its name', "SELECT n FROM counters WHERE id = 'x'"],
  ['with a parameter', 'SELECT n FROM counters WHERE id = ?', ['x']],
  ['in other letters', 'SELECT n FROM COUNTERS'],
  ['quoted and qualified by an alias', 'SELECT c.n FROM "counters" AS c WHERE c.id = $1', ['x']],
  ['in a sub-query', 'SELECT (SELECT max(n) FROM counters) AS n'],
  ['in a common table expression', 'WITH c AS (FROM counters) SELECT n FROM c WHERE id = ?', ['x']],
]

describe('a table read', () => {
  test.each(READS)(
    '%s: the callback runs again when it changed meanwhile',
    async (_, sql, params) => {
      const [{ n: before }] = (await rowsOf(one!, 'SELECT n FROM counters')) as [{ n: bigint }]
      let calls = 0
      const outcome = await one!.write('add 1', async (tx) => {
        const [row] = await tx.query<{ n: bigint }>(sql, params)
        if (calls++ === 0) {
          const other = await two!.write('add 100', async (their) => {
            const [seen] = await their.query<{ n: bigint }>('SELECT n FROM counters')
            await their.upsert('counters', [{ id: 'x', n: seen!.n + 100n }])
          })
          committed(other)
        }
        await tx.upsert('counters', [{ id: 'x', n: row!.n + 1n }])
      })
      committed(outcome)
      expect(calls).toBe(2)
      expect(await rowsOf(one!, 'SELECT n FROM counters')).toEqual([{ n: before + 101n }])
    },
  )

  test('is read by a SELECT only', async () => {
    const run = (sql: string) => one!.write('no', async (tx) => void (await tx.query(sql)))
    await expect(run("COPY counters TO '/dev/null'")).rejects.toMatchObject({
      code: 'QUERY_NOT_READ_ONLY',
    })
    await expect(run('SELEC n FROM counters')).rejects.toMatchObject({ code: 'SQL_ERROR' })
  })
})
