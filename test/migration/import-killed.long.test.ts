/** An import that is killed leaves nothing behind, `status` says so, and the same command finishes it. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { marketlake } from '../support/command.ts'
import { newLake } from '../support/lake.ts'
import { oldFile } from '../support/migration.ts'

const MAIN = resolve('dist/cli/main.js')
const KILLS = 12

test('killed at moments spread over its whole time', async () => {
  const columns = Array.from(
    { length: 20 },
    (_, i) => `hash(s, ${String(i)}) / 7.0 AS m${String(i)}`,
  )
  const old = await oldFile(
    `CREATE TABLE bars AS SELECT printf('6%05d', s % 500) AS code, DATE '2015-01-01' + (s // 500)::INTEGER AS trade_date,
       ${columns.join(', ')} FROM range(200000) t(s)`,
    'CREATE TABLE notes AS SELECT range AS n FROM range(1000)',
  )
  const lake = await newLake()
  const { version } = await lake.head()
  const args = ['--lake', lake.root, '--json']
  const json = async (...more: string[]): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await marketlake([...args, ...more])
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const started = Date.now()
  const other = await newLake()
  expect((await marketlake(['--lake', other.root, 'migrate', 'import', old])).code).toBe(0)
  const wholeMs = Date.now() - started
  let killed = 0
  for (let i = 1; i <= KILLS; i++) {
    const child = spawn(process.execPath, [MAIN, ...args, 'migrate', 'import', old], {
      stdio: 'ignore',
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), (wholeMs * i) / (KILLS + 1))
    const signal = await new Promise((done) => child.on('close', (_, name) => done(name)))
    clearTimeout(timer)
    if (signal === 'SIGKILL') killed++
    const status = await json('migrate', 'status')
    const head = await lake.head()
    // All of it or nothing.
    const imported = head.operation === 'MIGRATE IMPORT' || head.version > version
    expect(status['phase']).toBe(imported ? 'imported' : 'none')
    expect('bars' in head.tables).toBe(imported)
    expect('notes' in head.tables).toBe(imported)
  }
  expect(killed).toBeGreaterThan(3)
  expect(await json('migrate', 'import', old)).toMatchObject({ outcome: 'committed' })
  expect(await json('migrate', 'verify')).toMatchObject({ equal: true })
  expect(await lake.verify({ deep: true })).toEqual([])
})
