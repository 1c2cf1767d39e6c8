/** One operation on a lake, for `faults.mjs`. Arguments: directory, operation, tag of the batch. Prints the outcome. */
import { join } from 'node:path'
import { loadPackage } from './package.mjs'

const [root, operation, batch] = process.argv.slice(2)
const api = await loadPackage()

const rows = (n) => Array.from({ length: n }, (_, k) => ({ k, v: batch }))
const OPERATIONS = {
  append: (lake) => lake.write(batch, (tx) => tx.append('events', [{ b: batch }])),
  upsert: (lake) => lake.write(batch, (tx) => tx.upsert('facts', rows(50))),
  multi: (lake) =>
    lake.write(batch, async (tx) => {
      await tx.append('events', [{ b: batch }])
      await tx.upsert('facts', rows(20))
    }),
  create: (lake) =>
    lake.write(batch, async (tx) => {
      await tx.ensure({ name: `t_${batch}`, schema: api.schemaOf([api.field('b', 'string')]) })
      await tx.append(`t_${batch}`, [{ b: batch }])
    }),
  delete: (lake) => lake.delete('facts', 'k < 10'),
  optimize: async (lake) => ({ kind: 'committed', tables: await lake.optimize() }),
  vacuum: async (lake) => ({ kind: 'committed', result: await lake.vacuum({ apply: true }) }),
  restore: (lake) => lake.restore(2, ['facts']),
  tag: (lake) => lake.tag(`T${batch}`),
  views: async (lake) => ({ kind: 'committed', views: await lake.publishViews() }),
  backup: async (lake) => ({
    kind: 'committed',
    result: await lake.backup(join(root, '..', `backup-${batch}`)),
  }),
  query: async (lake) => {
    const engine = await lake.analysis()
    try {
      return {
        kind: 'committed',
        rows: await engine.query('SELECT count(*)::INTEGER AS n FROM facts'),
      }
    } finally {
      await engine.close()
    }
  },
}

try {
  const lake = await api.openLake(root, { maintenance: false, onWarning: () => undefined })
  try {
    const { kind, version, txnId } = await OPERATIONS[operation](lake)
    process.stdout.write(JSON.stringify({ kind, version, txnId }))
  } finally {
    await lake.close()
  }
} catch (error) {
  process.stdout.write(JSON.stringify({ kind: 'failed', code: error.code, message: error.message }))
}
