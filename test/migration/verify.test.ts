/** What `migrate verify` finds: planted differences, each with its name. */
import { beforeEach, describe, expect, test } from 'vitest'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import type { Lake } from '../../src/lake/lake.ts'
import {
  beginDualWrite,
  cutOverToLake,
  recordImport,
  verifyOldFile,
} from '../../src/lake/migration.ts'
import { hasCode } from '../../src/model/errors.ts'
import { verifyMigration } from '../../src/migration/verify.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { newLake } from '../support/lake.ts'
import { barsAndLogs, inOldFile, oldFile } from '../support/migration.ts'

let lake: Lake
let old: string

beforeEach(async () => {
  ;({ lake, old } = await barsAndLogs())
})

describe('verify names what differs', () => {
  const planted: readonly [string, string, object][] = [
    [
      'a changed cell',
      "UPDATE bars SET close = 1.25 WHERE symbol = '000001' AND trade_date = '2024-01-03'",
      { differing: 1, columns: { close: 1 } },
    ],
    [
      'a row that the lake lacks',
      "INSERT INTO bars VALUES ('000077', '2024-01-01', 1, 1, 'a')",
      { missing: 1, extra: 0 },
    ],
    [
      'a row that only the lake has',
      "DELETE FROM bars WHERE symbol = '000002' AND trade_date = '2024-01-03'",
      { missing: 0, extra: 1 },
    ],
    [
      'NaN against a number',
      "UPDATE bars SET close = 'nan' WHERE symbol = '000001' AND trade_date = '2024-01-03'",
      { differing: 1, columns: { close: 1 } },
    ],
    [
      'a large integer',
      'UPDATE bars SET volume = volume + 1 WHERE volume = 3003',
      { differing: 1, columns: { volume: 1 } },
    ],
    [
      'a changed type',
      'ALTER TABLE bars ALTER close TYPE DECIMAL(18,4)',
      { drift: [{ column: 'close', old: 'DECIMAL(18,4)', lake: 'double' }] },
    ],
    [
      'a new column',
      'ALTER TABLE bars ADD COLUMN extra INTEGER',
      { drift: [{ column: 'extra', old: 'INTEGER', lake: null }] },
    ],
    ['one of two equal rows gone', 'DELETE FROM logs WHERE rowid = 0', { extra: 1 }],
  ]
  test.each(planted)('%s', async (_name, statement, expected) => {
    await inOldFile(old, statement)
    const report = await verifyOldFile(lake)
    expect(report.equal).toBe(false)
    const table = report.tables.find(
      (t) => t.name === (statement.includes('logs') ? 'logs' : 'bars'),
    )
    expect(table).toMatchObject(expected)
    await expect(cutOverToLake(lake)).rejects.toSatisfy((e) => hasCode(e, 'CHECK_FAILED'))
  })

  test('NaN against NULL, and -0 against 0, with the cell', async () => {
    await inOldFile(
      old,
      "UPDATE bars SET close = 'nan' WHERE symbol = '000000' AND trade_date = '2024-01-01'",
    )
    await inOldFile(
      old,
      "UPDATE bars SET close = CAST('-0.0' AS DOUBLE) WHERE symbol = '000000' AND trade_date = '2024-01-02'",
    )
    await lake.write('null', async (tx) => {
      await tx.upsert('bars', [
        { symbol: '000000', trade_date: '2024-01-01', close: null },
        { symbol: '000000', trade_date: '2024-01-02', close: 0 },
      ])
    })
    const { tables } = await verifyOldFile(lake)
    const cells = tables[0]!.examples.cells.map(({ old: a, lake: b }) => [a, b])
    expect(cells.toSorted()).toEqual([
      ['-0', 0],
      ['NaN', null],
    ])
  })

  test('rows of equal keys, of which the last was taken, are told', async () => {
    const dirty = await oldFile(
      'CREATE TABLE t (k INTEGER, v INTEGER)',
      'INSERT INTO t VALUES (1, 1), (2, 2), (1, 3)',
    )
    const into = await newLake()
    await into.write('import', async (tx) => {
      const fields = [field('k', 'integer'), field('v', 'integer')]
      await tx.ensure({ name: 't', schema: schemaOf(fields), key: ['k'] })
      await tx.append('t', [
        { k: 1, v: 3 },
        { k: 2, v: 2 },
      ])
    })
    const table = { old: 't', table: 't', key: ['k'], columns: ['k', 'v'] }
    await recordImport(into, dirty, [{ ...table, onDuplicate: 'last' }])
    expect((await verifyOldFile(into)).tables[0]).toMatchObject({ rowsOld: 2, duplicates: 1 })
    await inOldFile(dirty, 'UPDATE t SET v = 4 WHERE v = 3')
    expect((await verifyOldFile(into)).tables[0]).toMatchObject({ differing: 1, missing: 0 })
    await inOldFile(dirty, 'UPDATE t SET v = 3 WHERE v = 4')
    await recordImport(into, dirty, [table])
    expect((await verifyOldFile(into)).tables[0]).toMatchObject({ rowsOld: 3, missing: 1 })
  })

  test('a copy is compared while the file may be written', async () => {
    const report = await verifyOldFile(lake, { copy: true })
    expect(report).toMatchObject({ equal: true, moved: { old: false, tables: [] } })
  })

  test('a batch that comes right after the copying is on neither side of the comparison', async () => {
    await beginDualWrite(lake)
    const writer = await DualWriter.open({ lake: lake.root, threads: 1, waitMs: 0 })
    const state = { copied: false, written: false }
    const write = async () => {
      try {
        await writer.write({ logs: [{ n: 100, words: 'batch' }] })
        state.written = true
      } catch (error) {
        if (!hasCode(error, 'LAKE_HELD')) throw error
      }
    }
    // The writer tries at every call from the end of the copying on, and comes in as soon as the file is let go.
    const files = new Proxy(lake.store.files, {
      get: (target, name: keyof Files) => {
        const call = target[name] as (...args: unknown[]) => Promise<unknown>
        return async (...args: unknown[]) => {
          if (state.copied && !state.written) await write()
          if (args[0] === `${old}.wal`) state.copied = true
          return call.apply(target, args)
        }
      },
    })
    const report = await verifyMigration({ ...lake.store, files }, await lake.database(), {
      copy: true,
    })
    await writer.close()
    expect(state).toEqual({ copied: true, written: true })
    expect(report).toMatchObject({ equal: true, behind: 0, moved: { old: true, tables: ['logs'] } })
  })
})
