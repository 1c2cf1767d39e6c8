/** Before all tests: builds the package, so that the command they start is the source they stand beside, and gives them a directory for what they share. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    readonly templates: string
  }
}

export function setup(project: TestProject): () => void {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-changed'], { stdio: 'inherit' })
  const templates = mkdtempSync(join(tmpdir(), 'marketlake-test-templates-'))
  project.provide('templates', templates)
  return () => rmSync(templates, { recursive: true, force: true })
}
