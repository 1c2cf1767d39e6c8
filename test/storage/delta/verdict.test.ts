/** Few incoming rows are judged by number and many in the engine: both ways find the same. */
import { beforeAll, describe, expect, test } from 'vitest'
import { field, schemaOf } from '../../../src/index.ts'
import type { Lake } from '../../../src/lake/lake.ts'
import type { RowCounts } from '../../../src/storage/delta/stage.ts'
import { addCounts, noRows } from '../../../src/storage/delta/stage.ts'
import { committed, newLake, rowsOf } from '../../support/lake.ts'

const SCHEMA = schemaOf([field('id', 'long'), field('n', 'long'), field('word', 'string')])
const STORED = 4000
/** From a stored row on to beyond the last: 3,000 are stored, every second of them with another value, 1,000 are new. */
const FROM = 1000
const TO = 5000

interface Stored {
  readonly id: bigint
  readonly n: bigint | null
  readonly word: string | null
}

let lake: Lake
let made = 0
beforeAll(async () => {
  lake = await newLake()
})

async function upsert(table: string, sql: string): Promise<RowCounts> {
  let counts = noRows
  const write = lake.write('rows', async (tx) => void (counts = await tx.upsert(table, { sql })))
  committed(await write)
  return counts
}

/** A table whose rows stand in several files. */
async function stored(): Promise<string> {
  const name = `table_${++made}`
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name, schema: SCHEMA, key: ['id'] })
      for (let from = 0; from < STORED; from += 800) {
        const sql = `SELECT i AS id, i AS n, 'w' || i AS word FROM range(${from}, ${from + 800}) t(i)`
        await tx.append(name, { sql })
      }
    }),
  )
  return name
}

const changed = (from: number, to: number, columns: string): string =>
  `SELECT ${columns} FROM (SELECT i AS id, CASE WHEN i % 2 = 0 THEN NULL ELSE i END AS n, 'w' || i AS word
   FROM range(${from}, ${to}) t(i))`

function expected(columns: string): Stored[] {
  return Array.from({ length: TO }, (_, i) => {
    const n = i >= FROM && i % 2 === 0 ? null : BigInt(i)
    const word = i >= STORED && !columns.includes('word') ? null : `w${i}`
    return { id: BigInt(i), n, word }
  })
}

const contentOf = async (table: string): Promise<unknown[]> =>
  rowsOf(lake, `SELECT id, n, word FROM ${table} ORDER BY id`)

describe.each(['id, n, word', 'id, n'])('an upsert of the columns %s', (columns) => {
  test.each([TO - FROM, 1000, 313])('in batches of %i rows', async (batch) => {
    const table = await stored()
    let counts = noRows
    for (let from = FROM; from < TO; from += batch) {
      const sql = changed(from, Math.min(TO, from + batch), columns)
      counts = addCounts(counts, await upsert(table, sql))
    }
    expect(counts).toEqual({ inserted: 1000, updated: 1500, deleted: 0, unchanged: 1500 })
    expect(await contentOf(table)).toEqual(expected(columns))
  })

  test.each([TO - FROM, 1000])(
    'the same %i rows again change nothing and write nothing',
    async (batch) => {
      const table = await stored()
      const sql = changed(FROM, FROM + batch, columns)
      await upsert(table, sql)
      const { version } = await lake.head()
      expect(await upsert(table, sql)).toEqual({ ...noRows, unchanged: batch })
      expect((await lake.head()).version).toBe(version)
    },
  )
})
