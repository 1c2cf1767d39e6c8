/** The commands and their options. Nothing here loads the engine: `--help` answers at once. */
import { Command, Option } from 'commander'
import { VERSION } from '../model/version.ts'
import type { CliContext, GlobalOptions } from './context.ts'
import type { HistoryOptions, LoadCommandOptions } from './commands/catalog.ts'

/** Runs a command in its context and keeps its exit code. */
export type Runner = (
  options: GlobalOptions,
  run: (context: CliContext) => Promise<number>,
) => Promise<void>

/** Builds the program. Usage errors are thrown, so that `main` decides the exit code. */
export function buildProgram(runner: Runner): Command {
  const program = new Command('marketlake')
    .description(
      'A local data lake for China A-share data: one process syncs while any number of strategies and notebooks read.',
    )
    .version(VERSION)
    .option('--lake <dir>', 'the lake (default: MARKETLAKE_DIR, else "data")')
    .option('--json', 'one JSON document on stdout, also for errors')
    .option('--quiet', 'no words on stderr')
    .addOption(
      new Option('--progress <form>', 'how progress is shown').choices([
        'tty',
        'lines',
        'json',
        'none',
      ]),
    )
    .option('--yes', 'never ask')
    .showHelpAfterError()
    .exitOverride()
  addCatalogCommands(program, runner)
  return program
}

/** A command that runs inside its context. */
function action<A extends unknown[]>(
  runner: Runner,
  run: (context: CliContext, ...args: A) => Promise<number>,
): (...args: [...A, Command]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command
    const own = args.slice(0, -1) as unknown as A
    await runner(command.optsWithGlobals<GlobalOptions>(), (context) => run(context, ...own))
  }
}

function addCatalogCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/catalog.ts')
  program
    .command('init')
    .description('make a lake with the standard tables')
    .action(action(runner, async (c) => (await commands()).init(c)))
  program
    .command('load')
    .description('bring Parquet, CSV or JSON lines into a table')
    .argument('<table>', 'made from the files when absent')
    .argument('<files...>')
    .addOption(
      new Option('--mode <mode>').choices(['upsert', 'append', 'replace']).default('upsert'),
    )
    .option('--key <columns>', 'columns that identify a row, for example symbol,end_date')
    .addOption(
      new Option('--on-duplicate <what>', 'two rows of one key')
        .choices(['error', 'last'])
        .default('error'),
    )
    .option('--timezone <zone>', 'zone of timestamps that have none, or ntz')
    .action(
      action(runner, async (c, table: string, files: string[], options: LoadCommandOptions) =>
        (await commands()).load(c, table, files, options),
      ),
    )
  program
    .command('tables')
    .description('the tables and their sizes')
    .option('--at <version>', 'a version, date, moment or tag')
    .action(action(runner, async (c, o: { at?: string }) => (await commands()).tables(c, o)))
  program
    .command('show')
    .description('one table: its columns, key and files')
    .argument('<table>')
    .option('--at <version>', 'a version, date, moment or tag')
    .action(
      action(runner, async (c, table: string, o: { at?: string }) =>
        (await commands()).show(c, table, o),
      ),
    )
  program
    .command('history')
    .description('versions of the lake, newest first')
    .argument('[table]', 'only versions that changed it')
    .option('--txn <id>', 'the commit of a transaction')
    .option('--limit <n>', 'at most so many', Number)
    .action(
      action(runner, async (c, table: string | undefined, o: HistoryOptions) =>
        (await commands()).showHistory(c, table, o),
      ),
    )
}
