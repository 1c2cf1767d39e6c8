/** A Delta table by itself, without a lake: Spark, Polars, delta-rs and DuckDB open the same directory. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeltaTable, field, schemaOf } from 'marketlake/delta'

const table = await DeltaTable.create(await mkdtemp(join(tmpdir(), 'delta-')), {
  schema: schemaOf([field('id', 'long'), field('name', 'string')]),
  key: ['id'],
})
await table.append([
  { id: 1n, name: '平安银行' },
  { id: 2n, name: '万科' },
])
await table.upsert([{ id: 2n, name: '万科A' }])
console.log(await table.query('SELECT * FROM delta_table ORDER BY id'))

const before = await DeltaTable.open(table.directory, { version: 1 })
console.log(await before.query('SELECT name FROM delta_table WHERE id = 2'))
console.log((await table.history()).map(({ version, operation }) => `${version} ${operation}`))

await before.close()
await table.close()

/* prints
[ { id: 1n, name: '平安银行' }, { id: 2n, name: '万科A' } ]
[ { name: '万科' } ]
[ '2 MERGE', '1 WRITE', '0 CREATE TABLE' ]
*/
