/** `sync` as a process, at length: shells, other hosts, failing runs, several batches at once, nothing new. */
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MAIN, syncBench, until, warehouse } from '../support/sync-process.ts'

const { lake, freshLake, env, start, run, stick } = syncBench()
const ARGS = ['sync', '--since', '2023Q1', '--until', '2023Q4']

/** A process of another machine syncs the source, as its note says; the path of the note. */
function holdElsewhere(): string {
  const path = join(lake().root, '_lake', 'sources', 'eastmoney.holder')
  const note = { holderId: 'x', pid: 1, host: 'elsewhere', since: '2024-01-01T00:00:00.000Z' }
  writeFileSync(path, JSON.stringify(note))
  return path
}

test.skipIf(process.platform === 'win32')('twice is exit code 130 for a shell', async () => {
  const waiting = stick()
  const words = [process.execPath, MAIN, '--lake', lake().root, ...ARGS].map((w) => `'${w}'`)
  const shell = spawn('bash', ['-c', `${words.join(' ')} & echo $!; wait $!; echo code $?`], {
    env: env(),
  })
  let [stdout, stderr] = ['', '']
  shell.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  shell.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  await waiting
  const pid = Number(stdout.split('\n')[0])
  process.kill(pid, 'SIGTERM')
  await until(() => stderr.includes('once more to abort'))
  process.kill(pid, 'SIGTERM')
  await new Promise((done) => shell.on('close', done))
  expect(stdout).toContain('code 143')
})

test('a note of another host counts until it is five minutes old; garbage counts for nothing', async () => {
  expect((await run(...ARGS, '--limit', '1')).code).toBe(0)
  const path = holdElsewhere()
  const held = await run(...ARGS)
  expect(held.code).toBe(11)
  expect(held.stderr).toContain('process 1 on elsewhere has been syncing eastmoney')
  writeFileSync(path, 'garbage')
  expect((await run(...ARGS)).code).toBe(0)
  expect(existsSync(path)).toBe(false)
})

test('a run that fails is a document too, and the next one comes', async () => {
  expect((await run(...ARGS, '--limit', '1')).code).toBe(0)
  holdElsewhere()
  const sync = start('sync', '--every', '* * * * * *', '--jsonl')
  const lines = (): string[] => sync.text().stdout.split('\n').slice(0, -1)
  await until(() => lines().length > 1)
  sync.child.kill('SIGTERM')
  expect((await sync.ended).code).toBe(143)
  for (const line of lines()) expect(JSON.parse(line)).toHaveProperty('error.code', 'LAKE_HELD')
})

test('a table that no source has is an error before anything is awaited', async () => {
  const sync = start('sync', '--every', '* * * * * *', '--jsonl', '--tables', 'nowhere')
  expect((await sync.ended).code).toBe(2)
  expect(sync.text().stderr).toContain('eastmoney has no table nowhere')
})

describe('a second sync right after', () => {
  test('commits nothing and writes no file, and freshness shows that it was checked', async () => {
    expect((await run(...ARGS)).code).toBe(0)
    const freshness = async (): Promise<
      { table: string; lastChecked: string; lastChanged: string }[]
    > => JSON.parse((await run('--json', 'freshness')).stdout)
    const [before, version] = [await freshness(), (await lake().head()).version]
    const names = warehouse(lake())
    const again = await run('--json', ...ARGS)
    expect(JSON.parse(again.stdout)).toMatchObject({
      outcome: 'unchanged',
      commits: 0,
      version: null,
    })
    expect((await lake().head()).version).toBe(version)
    expect(warehouse(lake())).toEqual(names)
    const after = await freshness()
    for (const { table, lastChecked, lastChanged } of after) {
      const old = before.find((row) => row.table === table)!
      expect(lastChanged).toBe(old.lastChanged)
      if (['indicators', 'balance', 'income', 'cashflow'].includes(table))
        expect(lastChecked > old.lastChecked).toBe(true)
    }
  })
})

test('several batches fetched at once give the lake that one after the other gives, in the order of the plan', async () => {
  const content = async (concurrency: number): Promise<unknown> => {
    await freshLake(`concurrency = ${String(concurrency)}\n`)
    expect((await run(...ARGS)).code).toBe(0)
    const notes = (await lake().history()).filter((r) => r.operation === 'SYNC').map((r) => r.note)
    const sql = `SELECT count(*) AS n, CAST(bit_xor(hash(r)) AS VARCHAR) AS content
      FROM (SELECT * EXCLUDE (known_at) FROM fin_balance_sheet_all) r`
    const { stdout } = await run('query', '-f', 'json', sql)
    return [notes, JSON.parse(stdout).rows ?? JSON.parse(stdout)]
  }
  expect(await content(4)).toEqual(await content(1))
})
