/** One command line from its words to its exit code. Its process, signals and end are those of `run`. */
import { CommanderError } from 'commander'
import { LakeError } from '../model/errors.ts'
import { contextOf, reportError } from './context.ts'
import type { GlobalOptions } from './context.ts'
import { EXIT } from './exit-code.ts'
import { buildProgram } from './program.ts'

/** Runs a command and reports its error; `signal` ends it early. */
export async function runCommand(words: readonly string[], signal: AbortSignal): Promise<number> {
  let code: number = EXIT.ok
  const program = buildProgram(async (options: GlobalOptions, run) => {
    code = await run(contextOf(options, signal))
  })
  try {
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    const json = words.includes('--json')
    if (!(error instanceof CommanderError)) return reportError(error, json)
    if (error.exitCode === 0) return EXIT.ok
    if (json) await reportError(usageError(error), json)
    return EXIT.usage
  }
}

function usageError(cause: CommanderError): LakeError {
  const message = cause.message.replace(/^error: /, '')
  return new LakeError('INVALID_ARGUMENT', message, { cause, next: 'See marketlake --help.' })
}
