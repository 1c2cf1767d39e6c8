/** Data that lives beside the repository: tests that need it say loudly that they were skipped without it. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe } from 'vitest'

const root = resolve(process.env['MARKETLAKE_SHARED'] ?? '../shared')

/** A path below the shared folder, for example `sharedPath('data', 'ashare')`. */
export function sharedPath(...parts: readonly string[]): string {
  return join(root, ...parts)
}

/** `describe`, or a loud skip when the shared folder is not there. */
export function describeShared(name: string, parts: readonly string[], body: () => void): void {
  const path = sharedPath(...parts)
  if (existsSync(path)) {
    describe(name, body)
    return
  }
  process.stderr.write(`SKIPPED: ${name}: ${path} is not there\n`)
  describe.skip(`${name} (SKIPPED: no shared data)`, body)
}
