/** A year of syncs against the exchange with all its quirks, with kills; and faults that the comparison must find. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

interface Simulation {
  different: number
  differences: string[]
  problems: unknown[]
  vintages: number
  totals: { kills: number; syncs: number }
}

/** `npm run simulate` with small numbers. */
function simulate(
  every: number,
  ...more: string[]
): Promise<{ code: number | null; result: Simulation }> {
  const args = ['--years', '1', '--symbols', '60', '--every', String(every)]
  const child = spawn(process.execPath, ['torture/simulate.mjs', '--json', ...args, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  return new Promise((done) =>
    child.on('close', (code) => done({ code, result: JSON.parse(text) as Simulation })),
  )
}

test('a year in nine syncs, killed six times: equal to the record, vintage by vintage', async () => {
  const { code, result } = await simulate(45, '--kills', '6')
  expect(result.differences).toEqual([])
  expect(code).toBe(0)
  expect(result.totals.kills).toBe(6)
  expect(result.vintages).toBeGreaterThan(2000)
  expect(result.problems).toEqual([])
})

test.each([
  ['vintage', /balance .*: 1 vintages, the exchange had 2/],
  ['report', /balance .* 600001\.SH: 0 vintages, the exchange had 1/],
])('a lost %s is found and named', async (fault, message) => {
  const { code, result } = await simulate(120, '--plant', fault)
  expect(code).toBe(7)
  expect(result.different).toBeGreaterThan(0)
  for (const difference of result.differences) expect(difference).toMatch(message)
})
