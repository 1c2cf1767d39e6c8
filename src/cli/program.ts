/** The commands and their options. Nothing here loads the engine: `--help` answers at once. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { LAYOUTS } from '../model/table.ts'
import type { Layout } from '../model/table.ts'
import { VERSION } from '../model/version.ts'
import type { Attach } from './attach.ts'
import { attachOption } from './attach.ts'
import type { Runner } from './action.ts'
import { action } from './action.ts'
import { writeWords } from './context.ts'
import type { HistoryOptions, LoadCommandOptions, ShowOptions } from './commands/catalog.ts'
import type { DemoCommandOptions } from './commands/demo.ts'
import { addMigrateCommands } from './commands/migrate.ts'
import type { QueryOptions } from './commands/read.ts'
import type { ShellOptions } from './commands/shell.ts'
import type { SyncCommandOptions } from './commands/sync.ts'

/** Builds the program. Usage errors are thrown, so that `main` decides the exit code. */
export function buildProgram(runner: Runner): Command {
  const program = buildCommands(runner)
  addCompletionCommands(program, runner)
  return program
}

function buildCommands(runner: Runner): Command {
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
    .showHelpAfterError('  next: See marketlake --help, or marketlake COMMAND --help.')
    .exitOverride()
    .configureOutput({ writeErr: writeWords })
  addCatalogCommands(program, runner)
  addDemoCommand(program, runner)
  addSyncCommands(program, runner)
  addReadCommands(program, runner)
  addShellCommand(program, runner)
  addMaintenanceCommands(program, runner)
  addConfigCommand(program, runner)
  addMigrateCommands(program, runner)
  return program
}

/** A whole number above zero. */
function countOption(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a whole number above zero.')
}

function addCatalogCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/catalog.ts')
  program
    .command('init')
    .description('make a lake with the standard tables')
    .addOption(layoutOption('of the standard tables'))
    .action(
      action(runner, async (c, o: { layout?: Layout }) => {
        const { init } = await commands()
        return init(c, o.layout ? { layout: o.layout } : {})
      }),
    )
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
    .addOption(layoutOption('of a new table'))
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
    .argument('[table]', 'can be left out with one --attach')
    .option('--at <version>', 'a version, date, moment or tag')
    .addOption(attach())
    .action(
      action(runner, async (c, table: string | undefined, o: ShowOptions) =>
        (await commands()).show(c, table, o),
      ),
    )
  program
    .command('history')
    .description('versions of the lake, newest first')
    .argument('[table]', 'only versions that changed it')
    .option('--txn <id>', 'the commit of a transaction')
    .option('--limit <n>', 'at most so many', countOption)
    .addOption(attach())
    .action(
      action(runner, async (c, table: string | undefined, o: HistoryOptions) =>
        (await commands()).showHistory(c, table, o),
      ),
    )
}

/** Any Delta table by its directory, inside a lake or not. */
function attach(): Option {
  return new Option(
    '--attach <name=DIR[@version]>',
    'a Delta table by its directory (can be given again)',
  ).argParser<Attach[]>(attachOption)
}

/** The request's own layout keeps one directory a symbol. */
function layoutOption(what: string): Option {
  return new Option('--layout <layout>', `how files are laid out, ${what}`).choices(LAYOUTS)
}

function addSyncCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/sync.ts')
  program
    .command('sync')
    .description('fetch from the sources and commit, period by period; goes on where it stopped')
    .option(
      '--source <names>',
      'eastmoney (default), eastmoney_f10, tushare, sina, tencent, files; see docs/sources.md',
    )
    .option('--tables <names>', 'only these, for example indicators,income')
    .option(
      '--since <date>',
      'report periods, or trade dates of bars, from here on, for example 2015 or 2024Q3 (default: two years)',
    )
    .option('--until <date>', 'report periods or trade dates up to here')
    .option('--symbols <list>', 'only these, for example 600519,000001')
    .option('--limit <n>', 'at most so many periods', countOption)
    .option('--dry-run', 'show the plan with requests and minutes, fetch nothing')
    .option('--restart', 'fetch everything again, also what an unfinished run has done')
    .option('--every <cron>', 'stay up and sync on this schedule, Asia/Shanghai: "30 17 * * 1-5"')
    .option('--jsonl', 'with --every: one JSON document a run on stdout')
    .action(
      action(runner, async (c, o: SyncCommandOptions) => (await commands()).syncCommand(c, o)),
    )
}

function addDemoCommand(program: Command, runner: Runner): void {
  program
    .command('demo')
    .description('see it work: a sync from a simulated exchange while readers query')
    .option('--seconds <n>', 'seconds of syncing (default: 60)', countOption)
    .option('--compare', 'also show one locked .duckdb file and files replaced in place')
    .option('--symbols <n>', 'listed companies (default: 5400)', countOption)
    .option('--data <dir>', 'real reports in Parquet files to serve in place of simulated ones')
    .action(
      action(runner, async (c, o: DemoCommandOptions) =>
        (await import('./commands/demo.ts')).demo(c, o),
      ),
    )
}

function addReadCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/read.ts')
  program
    .command('query')
    .description('run one SELECT over the views')
    .argument('<sql>', 'the statement, or - to read it from stdin')
    .addOption(
      new Option('-f, --format <format>', 'how rows are printed').choices([
        'table',
        'csv',
        'json',
        'jsonl',
        'markdown',
        'parquet',
      ]),
    )
    .option('-o, --output <file>', 'write into a file')
    .option('--at <version>', 'a version, date, moment or tag of the lake')
    .option('--as-of <date>', 'only what was known on that day, for example 2016-05-03')
    .addOption(attach())
    .option('--plot', 'draw the numeric columns instead of printing rows')
    .option('--timeout <duration>', 'end the statement after it, for example 30s or 5m')
    .option('--no-lease', 'do not protect the version while it is read')
    .action(
      action(runner, async (c, sql: string, o: QueryOptions) =>
        (await commands()).query(c, sql, o),
      ),
    )
  program
    .command('vintages')
    .description('every version of one report, and what each changed')
    .argument('<symbol>', 'in any form, for example 600519 or sh600519')
    .argument('<period>', 'for example 2024-12-31 or 2024Q4')
    .option('--at <version>', 'a version, date, moment or tag of the lake')
    .action(
      action(runner, async (c, symbol: string, period: string, o: { at?: string }) =>
        (await import('./commands/vintages.ts')).vintages(c, symbol, period, o),
      ),
    )
  program
    .command('views')
    .description('publish analysis.duckdb: the views for Python, notebooks and other tools')
    .option('--root <dir>', 'the lake as the readers see it, for example inside a container')
    .action(action(runner, async (c, o: { root?: string }) => (await commands()).views(c, o)))
  program
    .command('freshness')
    .description('when each table was last checked against its source')
    .option(
      '--max-age <duration>',
      'exit 12 if a synced table was checked longer ago, for example 1d',
    )
    .action(action(runner, async (c, o: { maxAge?: string }) => (await commands()).freshness(c, o)))
}

function addShellCommand(program: Command, runner: Runner): void {
  program
    .command('shell')
    .description('statements one after the other, typed or piped; .help inside')
    .option('--at <version>', 'a version, date, moment or tag of the lake')
    .option('--as-of <date>', 'only what was known on that day')
    .action(
      action(runner, async (c, o: ShellOptions) =>
        (await import('./commands/shell.ts')).shell(c, o),
      ),
    )
}

/** The completing library adds commands of its own, so it gets a program without ours. */
function addCompletionCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/completion.ts')
  program
    .command('completion')
    .description('a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>').choices(['zsh', 'bash', 'fish', 'powershell']))
    .action(
      action(runner, async (_c, name: string) =>
        (await commands()).completionScript(buildCommands(runner), name),
      ),
    )
  program
    .command('complete', { hidden: true })
    .description('answers the script of `completion`')
    .argument('[words...]')
    .action(
      action(runner, async (_c, words: string[]) =>
        (await commands()).completeWords(buildCommands(runner), words),
      ),
    )
}

function addMaintenanceCommands(program: Command, runner: Runner): void {
  const commands = () => import('./commands/maintenance.ts')
  const command = (name: string, description: string): Command =>
    program.command(name).description(description)
  command('optimize', 'fold small files')
    .argument('[table]')
    .action(action(runner, async (c, table?: string) => (await commands()).optimize(c, table)))
  command('vacuum', 'delete what no kept version needs (without --apply: only count)')
    .option('--apply', 'really delete')
    .option('--lite', 'only what the logs say was removed, without listing')
    .action(
      action(runner, async (c, o: { apply?: boolean; lite?: boolean }) =>
        (await commands()).vacuum(c, o),
      ),
    )
  command('restore', 'a new version that holds what an older one held')
    .requiredOption('--to <version>', 'a version, date, moment or tag')
    .option('--tables <names>', 'only these')
    .action(
      action(runner, async (c, o: { to: string; tables?: string }) =>
        (await commands()).restore(c, o),
      ),
    )
  command('tag', 'name a version so that it is kept (without a name: list tags)')
    .argument('[name]')
    .option('--at <version>', 'a version, date, moment or tag')
    .option('--delete <name>', 'delete a tag')
    .action(
      action(runner, async (c, name: string | undefined, o: { at?: string; delete?: string }) =>
        (await commands()).tag(c, name, o),
      ),
    )
  command('drop', 'take a table out of the lake')
    .argument('<table>')
    .action(action(runner, async (c, table: string) => (await commands()).drop(c, table)))
  command('delete', 'delete rows of a table')
    .argument('<table>')
    .requiredOption('--where <sql>', 'a condition over its columns')
    .action(
      action(runner, async (c, table: string, o: { where: string }) =>
        (await commands()).deleteRows(c, table, o),
      ),
    )
  addCheckCommands(command, runner)
}

function addCheckCommands(
  command: (name: string, description: string) => Command,
  runner: Runner,
): void {
  const commands = () => import('./commands/maintenance.ts')
  command('verify', 'hold the logs against the files')
    .option('--deep', 'read every byte and compare hashes')
    .action(action(runner, async (c, o: { deep?: boolean }) => (await commands()).verify(c, o)))
  command('doctor', 'find what is wrong')
    .option('--fix', 'mend what can be mended')
    .action(action(runner, async (c, o: { fix?: boolean }) => (await commands()).doctor(c, o)))
  command('backup', 'a consistent copy, made while others write')
    .argument('<dir>')
    .action(action(runner, async (c, dir: string) => (await commands()).backup(c, dir)))
  command('diff', 'how two versions differ')
    .argument('<before>')
    .argument('<after>')
    .argument('[table]')
    .action(
      action(runner, async (c, before: string, after: string, table?: string) =>
        (await commands()).diff(c, before, after, table),
      ),
    )
  command('du', 'what takes the space').action(
    action(runner, async (c) => (await commands()).du(c)),
  )
}

function addConfigCommand(program: Command, runner: Runner): void {
  program
    .command('config')
    .description('the settings of the lake')
    .command('show')
    .description('every setting with its value; secrets are hidden')
    .option('--origin', 'also where the value comes from')
    .action(
      action(runner, async (c, o: { origin?: boolean }) =>
        (await import('./commands/config.ts')).showConfig(c, o),
      ),
    )
}
