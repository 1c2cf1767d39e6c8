/** Transactions that read what they write: every read is of their base and of what they staged themselves. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeltaTable } from '../../src/storage/delta/index.ts'
import { field, openLake, schemaOf } from '../../src/index.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'

const counters = {
  name: 'counters',
  schema: schemaOf([field('id', 'long'), field('n', 'long')]),
  key: ['id'],
}

describe('a query inside a transaction', () => {
  test('sees what was written between two queries', async () => {
    const lake = await newLake()
    const seen: unknown[] = []
    await lake.write('two reads', async (tx) => {
      await tx.ensure(counters)
      for (const n of [1, 2]) {
        await tx.upsert('counters', [{ id: 1, n }])
        seen.push(await tx.query('SELECT n FROM counters'))
      }
    })
    expect(seen).toEqual([[{ n: 1n }], [{ n: 2n }]])
  })

  test('sees the new state when the callback runs again, so no update is lost', async () => {
    const lake = await newLake()
    const other = await openLake(lake.root, { maintenance: false })
    const increment = async (
      by: typeof lake,
      meanwhile?: () => Promise<unknown>,
    ): Promise<number> => {
      let attempts = 0
      const outcome = await by.write('increment', async (tx) => {
        const [row] = await tx.query<{ n: bigint }>('SELECT n FROM counters WHERE id = 1')
        attempts++
        await tx.upsert('counters', [{ id: 1, n: row!.n + 1n }])
        if (attempts <= 2) await meanwhile?.()
      })
      committed(outcome)
      return attempts
    }
    committed(
      await lake.write('start', async (tx) => {
        await tx.ensure(counters)
        await tx.upsert('counters', [{ id: 1, n: 0 }])
      }),
    )
    expect(await increment(lake, () => increment(other))).toBe(3)
    await other.close()
    expect(await rowsOf(lake, 'SELECT n FROM counters')).toEqual([{ n: 3n }])
  })
})

describe('the first touch of a table', () => {
  const names = ['one', 'two', 'three', 'four']

  test('does not begin the transaction again where no other engine wrote', async () => {
    const lake = await newLake()
    committed(
      await lake.write('make', async (tx) => {
        for (const name of names) await tx.ensure({ ...counters, name })
      }),
    )
    let calls = 0
    committed(
      await lake.write('all of them', async (tx) => {
        calls++
        for (const name of names) await tx.upsert(name, [{ id: 1, n: 1 }])
      }),
    )
    expect(calls).toBe(1)
  })

  test('begins it again behind a commit of another engine, which it then builds on', async () => {
    const lake = await newLake()
    const made = await lake.write('make', async (tx) => {
      for (const name of names) await tx.ensure({ ...counters, name })
    })
    committed(made)
    const table = await DeltaTable.open(join(lake.root, 'warehouse', 'three'))
    expect(await table.append([{ id: 7, n: 7 }])).toMatchObject({ kind: 'committed' })
    await table.close()
    let calls = 0
    committed(
      await lake.write('all of them', async (tx) => {
        calls++
        for (const name of names) await tx.upsert(name, [{ id: 7, n: 8 }])
      }),
    )
    expect(calls).toBe(2)
    expect(await rowsOf(lake, 'SELECT n FROM three')).toEqual([{ n: 8n }])
    const [head, adopted] = await lake.history()
    expect(adopted).toMatchObject({ operation: 'ADOPT', version: head!.version - 1 })
  })
})
