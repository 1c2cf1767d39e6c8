/** A torture run that is interrupted: its processes and its disk go with it. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/temporary.ts'

const pause = (timeMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, timeMs))

async function untilItWrites(directory: string): Promise<void> {
  const writes = (): boolean =>
    readdirSync(directory).some((name) => {
      const history = join(directory, name, 'history')
      return existsSync(history) && readdirSync(history).some((file) => file.startsWith('writer'))
    })
  while (!writes()) await pause(50)
}

test('Ctrl-C leaves no disk, no file and no process', async () => {
  const directory = temporaryDirectory()
  const args = ['torture/torture.mjs', '--seconds', '60', '--no-foreign']
  const child = spawn(process.execPath, args, { env: { ...process.env, TMPDIR: directory } })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  await untilItWrites(directory)
  child.kill('SIGINT')
  expect(await ended).toBe(130)
  expect(readdirSync(directory)).toEqual([])
  if (process.platform === 'linux')
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(directory)
})
