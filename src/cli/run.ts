/** One run of the command: what its process was told, its signals, and its end with an exit code that scripts can trust. */
import { runCommand } from './command-line.ts'
import { EXIT } from './exit-code.ts'

// DuckDB's calls occupy Node's thread pool; with its four threads a few queries would stop all file work.
process.env['UV_THREADPOOL_SIZE'] ??= '16'

const interruption = new AbortController()
let signals = 0
/** Something of the answer could not be written. */
let lost = false

function onSignal(name: 'SIGINT' | 'SIGTERM'): void {
  const code = name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  process.exitCode = code
  // Without our handlers the signal ends the process at once, and a shell reads 130 or 143 of it. `process.exit`
  // would wait for the queries that run.
  if (++signals > 1) {
    process.removeAllListeners(name)
    process.kill(process.pid, name)
    return
  }
  interruption.abort(code)
  process.stderr.write('\nfinishing what is begun; once more to abort\n')
}

function listen(): void {
  process.on('SIGINT', () => onSignal('SIGINT'))
  process.on('SIGTERM', () => onSignal('SIGTERM'))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    // Help, for example, is written by others, who do not wait for it.
    lost = true
    process.exitCode ||= EXIT.error
  })
  // Whoever no longer listens to words does not stop the work.
  process.stderr.on('error', () => undefined)
}

/** Runs what the arguments of this process say. */
export async function run(): Promise<void> {
  listen()
  const code = await runCommand(process.argv.slice(2), interruption.signal)
  if (signals > 0) process.exitCode ??= code
  else process.exitCode = code || (lost ? EXIT.error : EXIT.ok)
}
