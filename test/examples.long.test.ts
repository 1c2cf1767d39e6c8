/** The examples run, and print what they say they print. */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const names = readdirSync('examples').filter((name) => name.endsWith('.mjs'))

test('there are examples', () => {
  expect(names.length).toBeGreaterThan(2)
})

test.each(names)('%s', (name) => {
  const path = join('examples', name)
  const expected = /\/\* prints\n([\s\S]*)\*\/\s*$/.exec(readFileSync(path, 'utf8'))?.[1]
  expect(expected, 'an example ends with a comment of what it prints').toBeDefined()
  const { stdout, stderr, status } = spawnSync(process.execPath, [path], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toBe(expected)
})
