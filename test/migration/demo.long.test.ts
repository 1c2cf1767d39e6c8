/** The whole road as `npm run demo:migration` goes it, at a small size. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

interface Report {
  readonly steps: readonly { readonly name: string; readonly result?: Record<string, unknown> }[]
}

test('import, dual write under readers, verify, cut over, back, again, and out', () => {
  const args = ['scripts/migration/demo.mjs', '--scale', '4000', '--seconds', '3', '--json']
  const { steps } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Report
  const result = (name: string) => steps.findLast((step) => step.name === name)?.result
  expect(steps.map((step) => step.name)).toContain('migrate cutover, again')
  expect(result('migrate verify')).toMatchObject({ tables: 8 })
  expect(result('migrate rollback')).toMatchObject({ outcome: 'committed', readSource: 'duckdb' })
  expect(result('out into a new .duckdb')).toMatchObject({ differing: 0 })
})
