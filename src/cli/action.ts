/** How a command of the program is run: inside its context, with an exit code. */
import type { Command } from 'commander'
import type { CliContext, GlobalOptions } from './context.ts'

/** Runs a command in its context and keeps its exit code. */
export type Runner = (
  options: GlobalOptions,
  run: (context: CliContext) => Promise<number>,
) => Promise<void>

/** A command that runs inside its context. */
export function action<A extends unknown[]>(
  runner: Runner,
  run: (context: CliContext, ...args: A) => Promise<number>,
): (...args: [...A, Command]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command
    const own = args.slice(0, -1) as unknown as A
    await runner(command.optsWithGlobals<GlobalOptions>(), (context) => run(context, ...own))
  }
}
