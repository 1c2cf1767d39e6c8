/** Python packages for tests that let other programs read a lake; a loud skip where they cannot be had. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe } from 'vitest'

const CACHE = resolve('node_modules/.cache/python')
const run = promisify(execFile)

/** A directory with a package and what it needs, installed at the first call; undefined where that fails. */
export function pythonPackage(requirement: string): string | undefined {
  const directory = join(CACHE, requirement.replaceAll(/[^\w.=-]/g, '_'))
  if (existsSync(directory)) return directory
  const fresh = `${directory}.${String(process.pid)}`
  try {
    mkdirSync(CACHE, { recursive: true })
    const options = ['--quiet', '--disable-pip-version-check', '--target', fresh]
    execFileSync('python3', ['-m', 'pip', 'install', ...options, requirement], {
      stdio: 'ignore',
      timeout: 100_000,
    })
    renameSync(fresh, directory)
  } catch {
    rmSync(fresh, { recursive: true, force: true })
    // Another test file may have been faster.
    return existsSync(directory) ? directory : undefined
  }
  return directory
}

/** Runs a Python program with packages of `pythonPackage`; what it prints. */
export async function python(
  packages: string,
  program: string,
  ...args: string[]
): Promise<string> {
  const { stdout } = await run('python3', ['-c', program, ...args], {
    env: { PATH: process.env['PATH'], PYTHONPATH: packages, PYTHONIOENCODING: 'utf-8' },
    maxBuffer: 1 << 26,
  })
  return stdout
}

/** `describe` with the directory of a package, or a loud skip. */
export function describePython(requirement: string, body: (packages: string) => void): void {
  const packages = pythonPackage(requirement)
  if (packages !== undefined) {
    describe(`Python, ${requirement}`, () => body(packages))
    return
  }
  process.stderr.write(`SKIPPED: Python, ${requirement}: it cannot be installed here\n`)
  describe.skip(`Python, ${requirement} (SKIPPED: cannot be installed)`, () => body(''))
}
