/** A process killed between its record and its Delta commits: readers see all of it, the next writer finishes it. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Lake } from '../../src/lake/lake.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { describePython, python } from '../support/python.ts'

const TOTAL = 'SELECT a.amount AS a, b.amount AS b FROM a JOIN b USING (id)'

async function killedLake(): Promise<Lake> {
  const lake = await newLake()
  const fields = ['id', 'amount'].map((name) => ({
    name,
    type: 'long' as const,
    nullable: true,
    metadata: {},
  }))
  const outcome = await lake.write('make', async (tx) => {
    for (const name of ['a', 'b']) {
      await tx.ensure({ name, schema: { type: 'struct', fields }, key: ['id'] })
      await tx.upsert(name, [{ id: 1n, amount: name === 'a' ? 100n : 0n }])
    }
  })
  committed(outcome)
  const { signal } = spawnSync(process.execPath, ['test/workers/killed-commit.mjs', lake.root])
  expect(signal).toBe('SIGKILL')
  return lake
}

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

describePython('deltalake==1.6.6', (packages) => {
  test('delta-rs reads each table with equal rows once the next writer came', async () => {
    const lake = await killedLake()
    committed(
      await lake.write('other', (tx) =>
        tx.upsert('a', [{ id: 2n, amount: 5n }]).then(() => undefined),
      ),
    )
    const program = `
import sys, json, deltalake
out = {}
for name in ("a", "b"):
    table = deltalake.DeltaTable(sys.argv[1] + "/warehouse/" + name)
    rows = deltalake.QueryBuilder().register(name, table).execute(f"select id, amount from {name} order by id").read_all()
    out[name] = list(zip(rows.column("id").to_pylist(), rows.column("amount").to_pylist()))
print(json.dumps(out))`
    const read = JSON.parse(await python(packages, program, lake.root)) as unknown
    expect(read).toEqual({
      a: [
        [1, 90],
        [2, 5],
      ],
      b: [[1, 10]],
    })
  })
})
