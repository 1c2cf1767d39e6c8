/** The command as a user starts it, a process of the built package, or the same command inside the test. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { vi } from 'vitest'
import { runCommand } from '../../src/cli/command-line.ts'

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

/** What a command knows of its surroundings: nothing that the tests themselves were told. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], ...more }
}

/** Starts the command and waits for its end. */
export function marketlake(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: environment(options.env),
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', failed)
    child.on('close', (code) => done({ code, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

type Run = (...args: readonly string[]) => Promise<CommandResult>

/** A command line bound to a directory; `json` parses the document it prints. */
export interface CommandLine {
  readonly run: Run
  readonly json: (...args: readonly string[]) => Promise<{ code: number | null; document: any }> // eslint-disable-line
}

/** Commands as processes of their own. */
export function processIn(cwd: string): CommandLine {
  return commandLine((...args) => marketlake(args, { cwd }))
}

/** The same commands one after the other in this process: without its start, which takes longer than most of them. */
export function commandIn(cwd: string, env: CommandOptions['env'] = {}): CommandLine {
  return commandLine((...args) => runHere(args, cwd, env))
}

function commandLine(run: Run): CommandLine {
  return {
    run,
    json: async (...args) => {
      const { code, stdout, stderr } = await run('--json', ...args)
      if (stdout === '') throw new Error(`no document; stderr: ${stderr}`)
      return { code, document: JSON.parse(stdout) as unknown }
    },
  }
}

let last: Promise<unknown> = Promise.resolve()

/** Directory, environment and streams belong to the whole process, so one command waits for the other. */
function runHere(
  args: readonly string[],
  cwd: string,
  env: CommandOptions['env'],
): Promise<CommandResult> {
  const result = last.then(() => runAlone(args, cwd, env))
  last = result.catch(() => undefined)
  return result
}

async function runAlone(
  args: readonly string[],
  cwd: string,
  env: CommandOptions['env'],
): Promise<CommandResult> {
  const before = { cwd: process.cwd(), env: process.env }
  const [stdout, stderr] = [listened(process.stdout), listened(process.stderr)]
  process.chdir(cwd)
  process.env = environment(env)
  try {
    const code = await runCommand(args, new AbortController().signal)
    return { code, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    process.env = before.env
    process.chdir(before.cwd)
    stdout.end()
    stderr.end()
  }
}

/** Keeps what is written instead of showing it. */
function listened(stream: NodeJS.WriteStream): { text: () => string; end: () => unknown } {
  let text = ''
  const spy = vi.spyOn(stream, 'write').mockImplementation(((
    part: string | Uint8Array,
    ...rest: unknown[]
  ) => {
    text += typeof part === 'string' ? part : Buffer.from(part).toString()
    const done = rest.at(-1)
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }) as typeof stream.write)
  return { text: () => text, end: () => spy.mockRestore() }
}
