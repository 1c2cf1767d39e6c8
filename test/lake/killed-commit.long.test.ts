/** A process killed between its record and its Delta commits, seen by another engine. */
import { expect, test } from 'vitest'
import { killedLake } from '../support/killed-lake.ts'
import { committed } from '../support/lake.ts'
import { describePython, python } from '../support/python.ts'

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
