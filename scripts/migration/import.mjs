/** Copies the tables of the demo's old file into a lake, all in one commit, and notes where they came from. */
import { openLake, recordImport } from '../../dist/index.js'
import { KEYS } from './monolith.mjs'

const DELTA = {
  VARCHAR: 'string',
  DATE: 'date',
  DOUBLE: 'double',
  BIGINT: 'long',
  INTEGER: 'integer',
  HUGEINT: 'decimal(38,0)',
}
const field = (name, type) => ({ name, type, nullable: true, metadata: {} })

const deltaType = (type) => {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type)
  if (decimal) return `decimal(${decimal[1]},${decimal[2]})`
  return type.startsWith('ENUM') ? 'string' : DELTA[type]
}

/** Of rows with equal keys the last one is taken, and the mapping says so. */
export async function importOldFile(lakeDirectory, old) {
  const lake = await openLake(lakeDirectory)
  const database = await lake.database()
  const session = await database.connect()
  await session.run(`ATTACH '${old}' AS source (READ_ONLY)`)
  const tables = []
  const outcome = await lake.write('the old file', async (tx) => {
    tables.length = 0
    for (const [table, key] of Object.entries(KEYS)) {
      const { columns } = await session.table(`SELECT * FROM source.${table} LIMIT 0`)
      const fields = columns.map(({ name, type }) => field(name, deltaType(type)))
      await tx.ensure({ name: table, schema: { type: 'struct', fields }, key })
      const select = columns.map(({ name, type }) =>
        type.startsWith('ENUM') ? `CAST(${name} AS VARCHAR) AS ${name}` : name,
      )
      const from = `SELECT ${select.join(', ')} FROM source.${table}`
      await tx.append(table, { sql: from }, { onDuplicate: 'last' })
      tables.push({
        old: table,
        table,
        key,
        columns: columns.map(({ name, type }) =>
          /^(HUGEINT|ENUM)/.test(type) ? { old: name, new: name, type } : name,
        ),
        onDuplicate: 'last',
      })
    }
  })
  await session.run('DETACH source')
  await session.close()
  if (outcome.kind !== 'committed') throw new Error(`import: ${outcome.kind}`)
  await recordImport(lake, old, tables)
  const { tables: entries } = await lake.head()
  await lake.close()
  return Object.keys(KEYS).filter((name) => name in entries)
}
