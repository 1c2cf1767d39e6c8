/** What an engine costs beside its questions: typed columns, rows from JavaScript, following, refreshing memory. */
import { interleaved, summary, timed } from '../lib/measure.mjs'
import { QUARTERS, reportsSql } from '../lib/data.mjs'

export async function benchEngine({ lake, rounds, say }) {
  say('typed columns, following, memory')
  const follow = await lake.lake.analysis({ follow: true, threads: 2 })
  const resident = await lake.lake.analysis({
    follow: true,
    threads: 2,
    memoryLimit: '4GB',
    resident: ['reports'],
  })
  await resident.query('SELECT 1')
  try {
    const sql = 'SELECT symbol, trade_date, close, volume FROM bars LIMIT 1000000'
    const out = await interleaved(
      { 'typed columns': () => follow.columns(sql), 'row objects': () => follow.query(sql) },
      Math.min(rounds, 5),
      1,
    )
    const check = await interleaved({ 'follow check': () => follow.refresh() }, 50, 5)
    return {
      '1 million rows × 4 out': out,
      ...check,
      'memory after 500 symbols': await refreshes(lake, resident, rounds),
    }
  } finally {
    await follow.close()
    await resident.close()
  }
}

async function refreshes(lake, resident, rounds) {
  const times = []
  for (let i = 0; i < rounds; i++) {
    const sql = reportsSql({
      from: 0,
      to: 500,
      fromQuarter: QUARTERS - 1,
      toQuarter: QUARTERS,
      shift: 1000 + i,
    })
    await lake.lake.write('bench', async (tx) => void (await tx.upsert('reports', { sql })))
    times.push(await timed(() => resident.refresh()))
  }
  return summary(times)
}

/** Rows and typed columns from JavaScript into a table, in values a second of processor time. */
export async function benchRowsIn({ lake, say }) {
  say('rows from JavaScript')
  const count = 100_000
  const rows = Array.from({ length: count }, (_, i) => ({
    id: BigInt(i),
    a: i / 3,
    b: i / 7,
    c: `x${i % 100}`,
  }))
  const fields = ['id', 'a', 'b', 'c'].map((name, i) => ({
    name,
    type: ['long', 'double', 'double', 'string'][i],
    nullable: true,
    metadata: {},
  }))
  const cpu = process.cpuUsage()
  await lake.lake.write('rows', async (tx) => {
    await tx.ensure({ name: 'from_js', schema: { type: 'struct', fields }, key: ['id'] })
    await tx.upsert('from_js', rows)
  })
  const used = process.cpuUsage(cpu)
  return { values: count * 4, valuesPerCoreSecond: (count * 4) / ((used.user + used.system) / 1e6) }
}
