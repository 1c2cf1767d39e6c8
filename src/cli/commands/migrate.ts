/** The group `migrate`: from a `.duckdb` file to the lake, and back. One file a subcommand. */
import type { Command } from 'commander'
import type { Runner } from '../action.ts'
import { action } from '../action.ts'
import { Option } from 'commander'
import type { CutoverCommandOptions } from './migrate/cutover.ts'
import type { DualWriteCommandOptions } from './migrate/dual-write.ts'
import type { ExportCommandOptions } from './migrate/export.ts'
import type { ImportCommandOptions } from './migrate/import.ts'
import type { RollbackCommandOptions } from './migrate/rollback.ts'
import type { VerifyCommandOptions } from './migrate/verify.ts'

const WAIT = 'wait so long for whoever holds the old file, for example 1m'

/** Adds the group and its commands. */
export function addMigrateCommands(program: Command, runner: Runner): void {
  const group = program
    .command('migrate')
    .description('from a .duckdb file to the lake: import, write both, check, cut over, and back')
  addImportCommand(group, runner)
  addExportCommand(group, runner)
  addCheckCommands(group, runner)
  addSwitchCommands(group, runner)
}

function addImportCommand(group: Command, runner: Runner): void {
  const take = group
    .command('import')
    .description('copy the tables of an old .duckdb file into the lake, all in one commit')
    .argument('<file>', 'the file, or a folder that EXPORT DATABASE wrote')
    .option('--copy', 'read a copy of the old file, so that its writers need not wait')
    .option('--wait <duration>', WAIT)
  addChoices(take).action(
    action(runner, async (c, file: string, o: ImportCommandOptions) =>
      (await import('./migrate/import.ts')).importOld(c, file, o),
    ),
  )
  const adopt = group
    .command('adopt')
    .description('make tables of a folder of Parquet files, one a stock (symbol=000001.parquet)')
    .argument('<dir>')
  addChoices(adopt).action(
    action(runner, async (c, dir: string, o: ImportCommandOptions) =>
      (await import('./migrate/import.ts')).adopt(c, dir, o),
    ),
  )
}

function addChoices(command: Command): Command {
  const more = (text: string, before: readonly string[] = []): string[] => [...before, text]
  return command
    .option('--dry-run', 'show the tables, their keys and what stands in the way')
    .option('--tables <names>', 'only these, by their old names')
    .option('--map <old=new>', 'the name of a table in the lake; can be given again', more)
    .option(
      '--key <old=columns>',
      'the key of an old table, empty for none; can be given again',
      more,
    )
    .addOption(
      new Option('--on-duplicate <what>', 'rows of equal keys')
        .choices(['error', 'last'])
        .default('error'),
    )
}

function addExportCommand(group: Command, runner: Runner): void {
  group
    .command('export')
    .description('write the lake into a new .duckdb file: its tables, and all views over them')
    .argument('<file>')
    .option('--at <version>', 'a version, date, moment or tag')
    .option('--overwrite', 'in place of a file that is there')
    .action(
      action(runner, async (c, file: string, o: ExportCommandOptions) =>
        (await import('./migrate/export.ts')).exportLake(c, file, o),
      ),
    )
}

function addCheckCommands(group: Command, runner: Runner): void {
  group
    .command('status')
    .description('where the migration stands, what differs, and what is next')
    .action(action(runner, async (c) => (await import('./migrate/status.ts')).status(c)))
  group
    .command('verify')
    .description('compare the old file with the lake, row by row; exit 7 if they differ')
    .option('--tables <names>', 'only these, by their old names; then nothing is recorded')
    .option('--copy', 'compare a copy of the old file, so that its writers need not wait')
    .option('--wait <duration>', WAIT)
    .action(
      action(runner, async (c, o: VerifyCommandOptions) =>
        (await import('./migrate/verify.ts')).verify(c, o),
      ),
    )
}

function addSwitchCommands(group: Command, runner: Runner): void {
  group
    .command('dual-write')
    .description('begin to write both sides, and bring into the lake what it lacks')
    .option('--stop', 'stop it: what is written waits in the old file')
    .option('--wait <duration>', WAIT)
    .action(
      action(runner, async (c, o: DualWriteCommandOptions) =>
        (await import('./migrate/dual-write.ts')).dualWrite(c, o),
      ),
    )
  group
    .command('cutover')
    .description('read from the lake and stop writing the old file; needs a fresh verify')
    .option('--sqlite <file>', 'a SQLite file with metadata to attach beside the views')
    .option('--force', 'without a fresh verify')
    .option('--wait <duration>', WAIT)
    .action(
      action(runner, async (c, o: CutoverCommandOptions) =>
        (await import('./migrate/cutover.ts')).cutover(c, o),
      ),
    )
  group
    .command('rollback')
    .description('read from the old file again, with what the lake got since')
    .option('--leave', 'do not write into the old file what only the lake has')
    .option('--wait <duration>', WAIT)
    .action(
      action(runner, async (c, o: RollbackCommandOptions) =>
        (await import('./migrate/rollback.ts')).rollback(c, o),
      ),
    )
}
