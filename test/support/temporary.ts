/** Directories that are gone after the test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterFile } from './after-file.ts'

/** A fresh empty directory. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'marketlake-test-'))
  afterFile(() => rmSync(path, { recursive: true, force: true }))
  return path
}
