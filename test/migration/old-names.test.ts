/** The old names as views: what an engine shows when the state of a migration changes under it. */
import { expect, test } from 'vitest'
import { recordImport } from '../../src/lake/migration.ts'
import { barsAndLogs } from '../support/migration.ts'

test('an engine that follows shows the old names of the state that there is, also of one that comes back', async () => {
  const { lake, old } = await barsAndLogs()
  const follower = await lake.analysis({ follow: true })
  const both = { old: 'logs', table: 'logs', key: [], columns: ['n', 'words'] }
  const one = { ...both, columns: [{ old: 'number', new: 'n' }] }
  try {
    for (const noted of [both, one, both, one]) {
      await recordImport(lake, old, [noted])
      const { columns } = await follower.table('SELECT * FROM old.logs LIMIT 0')
      const names = noted.columns.map((c) => (typeof c === 'string' ? c : c.old))
      expect(columns.map(({ name }) => name)).toEqual(names)
    }
  } finally {
    await follower.close()
  }
})
