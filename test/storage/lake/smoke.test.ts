import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realEffects } from '../../../src/model/effects.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { commitLake } from '../../../src/storage/lake/commit.ts'
import { duckdbData } from '../../../src/storage/lake/data.ts'
import { initLake } from '../../../src/storage/lake/init.ts'
import { openStore } from '../../../src/storage/lake/store.ts'
import { Database } from '../../../src/storage/parquet/database.ts'

test('smoke', async () => {
  const root = join(mkdtempSync(join(tmpdir(), 'ml-')), 'lake')
  const db = await Database.open({ threads: 2 })
  const database = () => Promise.resolve(db)
  await initLake({ files: localFiles, effects: realEffects, root })
  const store = await openStore({
    root, files: localFiles, effects: realEffects, data: duckdbData(database),
    retention: { versionsMs: 1e9, filesMs: 1e9, stagedMs: 1e8 },
  })
  const schema = schemaOf([field('symbol', 'string'), field('end_date', 'date'), field('eps', 'double')])
  const def = { name: 'ind', path: 'warehouse/ind', schema, key: ['symbol', 'end_date'], clustering: ['symbol', 'end_date'], layout: 'clustered' as const, vintage: false, period: { column: 'end_date', unit: 'quarter' as const } }
  const out = await commitLake(store, database, async (tx) => {
    await tx.ensure(def)
    await tx.upsert('ind', [{ symbol: '000001.SZ', end_date: '2024-12-31', eps: 1.5 }, { symbol: '600519.SH', end_date: '2024-12-31', eps: 2 }])
  })
  console.log(out)
  const up = async (rows: Record<string, unknown>[]) => commitLake(store, database, async (tx) => { await tx.upsert('ind', rows) })
  console.log(await up([{ symbol: '000001.SZ', end_date: '2024-12-31', eps: 1.5 }]))
  console.log(await up([{ symbol: '000001.SZ', end_date: '2024-12-31', eps: 1.7 }, { symbol: '000002.SZ', end_date: '2024-12-31', eps: 9 }]))
  for (let i = 0; i < 3; i++) { const t = performance.now(); await up([{ symbol: '000001.SZ', end_date: '2024-12-31', eps: i }]); console.log(performance.now() - t) }
  let rows: unknown
  await commitLake(store, database, async (tx) => { rows = await tx.query('select * from ind order by 1') })
  console.log(rows, readdirSync(join(root, 'warehouse/ind')), readdirSync(join(root, 'warehouse/ind/_delta_log')), readdirSync(join(root, '_lake')))
  await db.close()
})
