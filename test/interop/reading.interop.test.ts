/** Every engine reads every table that we write: rows and types as they were written. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeltaTable } from '../../src/storage/delta/table.ts'
import { canonicalRows, sorted } from './support/canonical.ts'
import { startEngines } from './support/engines.ts'
import type { EngineName, Engines } from './support/engines.ts'
import { READING_LIMITS } from './support/limits.ts'
import { describeResults, expectDocumented } from './support/results.ts'
import { TABLES } from './support/tables.ts'
import type { WrittenTable } from './support/tables.ts'

const SPARK = process.env['MARKETLAKE_SPARK'] === '1'
const NAMES: readonly EngineName[] = SPARK
  ? ['Spark']
  : ['delta-rs', 'Polars', 'DuckDB', 'ClickHouse']
const results = describeResults('reading')

let engines: Engines
beforeAll(() => {
  engines = startEngines(SPARK ? 'spark' : 'python')
})
afterAll(() => engines.close())

describe.each(TABLES)('$name', ({ name, write }) => {
  let written: WrittenTable
  beforeAll(async () => {
    written = await write()
  })

  test('we read what we wrote', async () => {
    const table = await DeltaTable.open(written.path)
    const read = canonicalRows(written.schema, await table.rows())
    await table.close()
    expect(sorted(read)).toEqual(sorted(canonicalRows(written.schema, written.rows)))
  })

  test.each(NAMES)('%s', async (engine) => {
    const limit = READING_LIMITS.find((l) => l.engine === engine && l.table === name)
    const expected = sorted(canonicalRows(written.schema, written.rows))
    if (limit) {
      results.add(engine, name, limit.outcome)
      expectDocumented('reading', engine, name, limit.outcome)
      const read = engines.read(engine, written.path).then((answer) => sorted(answer))
      await expect(read.then((answer) => expect(answer).toEqual(expected))).rejects.toThrow(
        limit.error,
      )
      return
    }
    expect(sorted(await engines.read(engine, written.path))).toEqual(expected)
    results.add(engine, name, 'equal')
    expectDocumented('reading', engine, name, 'equal')
  })
})
