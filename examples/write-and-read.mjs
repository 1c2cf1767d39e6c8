/** Two tables change in one commit; a pinned reader stays where it is, a following one moves. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLake } from 'marketlake'

const lake = await createLake(await mkdtemp(join(tmpdir(), 'lake-')))

const report = {
  symbol: '600519.SH',
  end_date: '2024-12-31',
  source: 'file',
  notice_date: '2025-04-03',
}
const first = await lake.write('2024Q4', async (tx) => {
  await tx.upsert('indicators', [{ ...report, basic_eps: 68.64 }])
  await tx.upsert('balance', [{ ...report, total_assets: 298_944_579_918.9 }])
})
if (first.kind !== 'committed') throw new Error(first.reason)

const pinned = await lake.analysis({ at: first.version })
const following = await lake.analysis({ follow: true })
const sql = 'SELECT count(*) AS reports, max(basic_eps) AS eps FROM fin_indicators'
console.log('before', await following.query(sql))

await lake.write('one more', (tx) =>
  tx.upsert('indicators', [
    { ...report, symbol: '000858.SZ', notice_date: '2025-04-26', basic_eps: 8.21 },
  ]),
)
console.log('pinned', await pinned.query(sql))
console.log('follow', await following.query(sql))

const [balance] = await pinned.query(
  'SELECT symbol, total_assets FROM fin_balance_sheet WHERE end_date = ?',
  ['2024-12-31'],
)
console.log(balance)

await pinned.close()
await following.close()
await lake.close()

/* prints
before [ { reports: 1n, eps: 68.64 } ]
pinned [ { reports: 1n, eps: 68.64 } ]
follow [ { reports: 2n, eps: 68.64 } ]
{ symbol: '600519.SH', total_assets: 298944579918.9 }
*/
