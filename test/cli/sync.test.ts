/** `sync` as a process: interrupted once and twice, held by another, and on a schedule. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { marketlake } from '../support/command.ts'
import { holders, syncBench, until } from '../support/sync-process.ts'

const { lake, env, start, run, runHere, stick, unstick } = syncBench()
const ARGS = ['sync', '--since', '2023Q1', '--until', '2023Q4']

describe('Ctrl-C', () => {
  test('once: what is begun is stored, the rest is left, and the printed command goes on', async () => {
    const waiting = stick()
    const sync = start(...ARGS)
    await waiting
    sync.child.kill('SIGINT')
    await until(() => sync.text().stderr.includes('once more to abort'))
    // The broken request is tried again, and now it is answered.
    unstick()
    expect((await sync.ended).code).toBe(130)
    expect((await lake().history({ limit: 1 }))[0]!.operation).toBe('SYNC')
    const command = /go on with: marketlake (.*)/.exec(sync.text().stderr)?.[1]
    expect(command).toBe(`--lake ${lake().root} ${ARGS.join(' ')}`)
    const more = await marketlake(command!.split(' '), {
      env: env(),
    })
    expect(more.code, more.stderr).toBe(0)
    expect(more.stderr).toMatch(/[1-3] done before/)
    expect(await lake().verify({ deep: true })).toEqual([])
  })

  test('twice: it ends at once, nothing of the batch is stored, and nothing is held', async () => {
    const waiting = stick()
    const sync = start(...ARGS)
    await waiting
    sync.child.kill('SIGINT')
    await until(() => sync.text().stderr.includes('once more to abort'))
    sync.child.kill('SIGINT')
    expect(await sync.ended).toEqual({ code: null, signal: 'SIGINT' })
    unstick()
    const again = await runHere('--json', ...ARGS)
    expect(again.code, again.stderr).toBe(0)
    expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'committed', batches: 4, failed: [] })
  })
})

test('dates that are turned round are refused, and not a sync that finds nothing to do', async () => {
  const { code, stdout } = await runHere('--json', 'sync', '--since', '2025', '--until', '2024')
  expect([code, JSON.parse(stdout).error.code]).toEqual([2, 'INVALID_ARGUMENT'])
})

describe('a source has one holder in a lake', () => {
  test('the second is told who it is, with exit code 11; readers are not concerned', async () => {
    const waiting = stick()
    const sync = start(...ARGS)
    await waiting
    const other = await run('--json', ...ARGS)
    expect(other.code).toBe(11)
    expect(JSON.parse(other.stdout)).toMatchObject({
      error: {
        code: 'LAKE_HELD',
        details: { source: 'eastmoney', pid: sync.child.pid, host: hostname() },
      },
    })
    expect((await runHere('query', 'SELECT count(*) FROM fin_indicators')).code).toBe(0)
    sync.child.kill('SIGKILL')
    await sync.ended
    unstick()
    const after = await runHere('--json', ...ARGS)
    expect(after.code, after.stderr).toBe(0)
    expect(holders(lake())).toEqual([])
  })
})

describe('--every', () => {
  test('runs again and again, one document a run, and ends when it is told', async () => {
    const sync = start(
      'sync',
      '--since',
      '2023Q4',
      '--until',
      '2023Q4',
      '--every',
      '* * * * * *',
      '--jsonl',
    )
    const documents = () => sync.text().stdout.split('\n').slice(0, -1)
    await until(() => documents().length >= 3 || sync.child.exitCode !== null)
    sync.child.kill('SIGINT')
    expect((await sync.ended).code, sync.text().stderr).toBe(130)
    const outcomes = documents().map((line) => (JSON.parse(line) as { outcome: string }).outcome)
    expect(outcomes.slice(0, 3)).toEqual(['committed', 'unchanged', 'unchanged'])
    expect(holders(lake())).toEqual([])
  })

  test.each([
    [['--every', 'whenever'], 'is no schedule'],
    [['--every', '0 0 31 2 *'], 'names no moment'],
    [['--every', '30 17 * * 1-5', '--dry-run'], 'one run'],
    [['--jsonl'], 'goes with --every'],
    [['--every', '30 17 * * 1-5', '--json'], 'no document'],
  ])('%j is a usage error', async (options, reason) => {
    const { code, stdout, stderr } = await runHere('sync', ...options)
    expect(code).toBe(2)
    expect(stdout + stderr).toContain(reason)
  })

  test('without a lake it does not wait for its time', async () => {
    const { code } = await marketlake([
      '--lake',
      join(lake().root, 'none'),
      'sync',
      '--every',
      '0 0 1 1 *',
    ])
    expect(code).toBe(10)
  })
})
