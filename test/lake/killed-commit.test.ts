/** A process killed between its record and its Delta commits: readers see all of it, the next writer finishes it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, rowsOf } from '../support/lake.ts'
import { killedLake } from '../support/killed-lake.ts'

const TOTAL = 'SELECT a.amount AS a, b.amount AS b FROM a JOIN b USING (id)'

const logOf = (lake: Lake, table: string): string[] =>
  readdirSync(join(lake.root, 'warehouse', table, '_delta_log')).filter((n) => n.endsWith('.json'))

describe('killed after the record', () => {
  test('readers see the whole commit, then and after the next writer finished it', async () => {
    const lake = await killedLake()
    const { version } = await lake.head()
    expect([logOf(lake, 'a').length, logOf(lake, 'b').length]).toEqual([1, 1])
    expect(await rowsOf(lake, TOTAL)).toEqual([{ a: 90n, b: 10n }])

    committed(
      await lake.write('other', (tx) =>
        tx.upsert('a', [{ id: 2n, amount: 5n }]).then(() => undefined),
      ),
    )
    expect([logOf(lake, 'a').length, logOf(lake, 'b').length]).toEqual([3, 2])
    expect(await rowsOf(lake, TOTAL)).toEqual([{ a: 90n, b: 10n }])
    expect(await rowsOf(lake, TOTAL, version)).toEqual([{ a: 90n, b: 10n }])
    expect(await rowsOf(lake, TOTAL, version - 1)).toEqual([{ a: 100n, b: 0n }])
    expect(await lake.verify({ deep: true })).toEqual([])
  })

  test('doctor --fix finishes it too', async () => {
    const lake = await killedLake()
    await lake.doctor({ fix: true })
    expect([logOf(lake, 'a').length, logOf(lake, 'b').length]).toEqual([2, 2])
    expect(existsSync(join(lake.root, 'warehouse/a/_delta_log/00000000000000000001.json'))).toBe(
      true,
    )
    expect(await rowsOf(lake, TOTAL)).toEqual([{ a: 90n, b: 10n }])
  })
})
