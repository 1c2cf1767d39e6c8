/** Answers that find no place: a full disk under stdout. */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { newLakeDirectory } from '../support/lake.ts'

const FULL = '/dev/full'

/** The command with stdout on a disk that takes nothing. */
function onFullDisk(...args: readonly string[]): { code: number | null; words: string } {
  const stdout = openSync(FULL, 'w')
  try {
    const main = resolve('dist/cli/main.js')
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
      stdio: ['ignore', stdout, 'pipe'],
      encoding: 'utf8',
    })
    return { code: status, words: stderr }
  } finally {
    closeSync(stdout)
  }
}

test.skipIf(!existsSync(FULL))('an answer that is lost is an error, told in words', async () => {
  const lake = await newLakeDirectory()
  const document = onFullDisk('--lake', lake, 'tables', '--json')
  expect(document.code).toBe(1)
  expect(document.words).toMatch(/^error: the answer could not be written: .*\n {2}next: .*\n$/)
  expect(onFullDisk('--help').code).toBe(1)
})
