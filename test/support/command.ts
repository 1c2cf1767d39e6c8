/** The command as a user starts it: a process of the built package. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

/** How a command ended and what it printed. */
export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Surroundings of a command. */
export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

const MAIN = resolve('dist/cli/main.js')

/** Starts the command and waits for its end. */
export function marketlake(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', failed)
    child.on('close', (code) => done({ code, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

/** A command line bound to a directory; `json` parses the document it prints. */
export function commandIn(cwd: string): {
  readonly run: (...args: readonly string[]) => Promise<CommandResult>
  readonly json: (...args: readonly string[]) => Promise<{ code: number | null; document: any }> // eslint-disable-line
} {
  const run = (...args: readonly string[]): Promise<CommandResult> => marketlake(args, { cwd })
  return {
    run,
    json: async (...args) => {
      const { code, stdout, stderr } = await run('--json', ...args)
      if (stdout === '') throw new Error(`no document; stderr: ${stderr}`)
      return { code, document: JSON.parse(stdout) as unknown }
    },
  }
}
