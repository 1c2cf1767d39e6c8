/** `optimize`, `vacuum`, `restore`, `tag`, `drop`, `delete`, `verify`, `doctor`, `backup`, `diff`, `du`. */
import type { Lake } from '../../lake/lake.ts'
import type { LakeOutcome } from '../../storage/lake/outcome.ts'
import { lakeUsage } from '../../storage/lake/usage.ts'
import type { Problem } from '../../storage/lake/verify-file.ts'
import type { CliContext } from '../context.ts'
import { exitCodeOfOutcome, say, warn, writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { bytesText, countText, tableText } from '../format.ts'
import { reportWrite, withLake } from './catalog.ts'

/** Folds small files. */
export async function optimize(context: CliContext, table: string | undefined): Promise<number> {
  return withLake(context, async (lake) => {
    const done = await lake.optimize(table)
    if (context.json) await writeDocument(done)
    for (const one of done) {
      const change =
        one.filesBefore === one.filesAfter
          ? 'nothing to fold'
          : `${one.filesBefore} files became ${one.filesAfter}`
      say(context, `${one.table}: ${change}`)
    }
    const kinds = done.map((one) => one.outcome)
    const worst = kinds.find((kind) => kind !== 'committed') ?? 'committed'
    return exitCodeOfOutcome(worst)
  })
}

/** Deletes, or only counts, what no kept version needs. */
export async function vacuum(
  context: CliContext,
  options: { apply?: boolean; lite?: boolean },
): Promise<number> {
  return withLake(context, async (lake) => {
    const result = await lake.vacuum(options)
    if (context.json) await writeDocument(result)
    const what = `${countText(result.files)} files, ${bytesText(result.bytes)}`
    say(
      context,
      result.dryRun
        ? `would delete ${what} (horizon ${result.horizon}); next: marketlake vacuum --apply`
        : `deleted ${what} (horizon ${result.horizon})`,
    )
    return EXIT.ok
  })
}

/** Reports a change of the lake itself. */
async function reportChange(
  context: CliContext,
  outcome: LakeOutcome,
  done: string,
): Promise<number> {
  if (outcome.kind === 'committed') {
    if (context.json) {
      const { version, txnId, changed, warnings } = outcome
      await writeDocument({
        outcome: changed ? 'committed' : 'unchanged',
        version,
        txnId,
        warnings,
      })
    }
    say(context, outcome.changed ? `${done} (version ${outcome.version})` : 'nothing changed')
    for (const warning of outcome.warnings) warn(context, warning)
    return EXIT.ok
  }
  await reportWrite(context, '', outcome)
  return exitCodeOfOutcome(outcome.kind)
}

/** Makes a new version that holds what an older one held. */
export async function restore(
  context: CliContext,
  options: { to: string; tables?: string },
): Promise<number> {
  return withLake(context, async (lake) => {
    const tables = options.tables?.split(',').map((name) => name.trim())
    return reportChange(context, await lake.restore(options.to, tables), `restored ${options.to}`)
  })
}

/** Names a version, deletes a name, or lists names. */
export async function tag(
  context: CliContext,
  name: string | undefined,
  options: { at?: string; delete?: string },
): Promise<number> {
  return withLake(context, async (lake) => {
    if (options.delete !== undefined) {
      return reportChange(
        context,
        await lake.deleteTag(options.delete),
        `deleted tag ${options.delete}`,
      )
    }
    if (name === undefined) return listTags(context, lake)
    return reportChange(context, await lake.tag(name, options.at), `tagged ${name}`)
  })
}

async function listTags(context: CliContext, lake: Lake): Promise<number> {
  const { tags } = await lake.head()
  if (context.json) {
    await writeDocument(tags)
    return EXIT.ok
  }
  const columns = [
    { name: 'tag', type: 'VARCHAR' },
    { name: 'version', type: 'BIGINT' },
  ]
  const rows = Object.entries(tags).map(([name, entry]) => [name, entry.version])
  await writeData(tableText({ columns, rows }))
  return EXIT.ok
}

/** Takes a table out of the lake. */
export async function drop(context: CliContext, table: string): Promise<number> {
  return withLake(context, async (lake) =>
    reportChange(context, await lake.drop(table), `dropped ${table}; restore brings it back`),
  )
}

/** Deletes rows. */
export async function deleteRows(
  context: CliContext,
  table: string,
  options: { where: string },
): Promise<number> {
  return withLake(context, async (lake) => {
    const outcome = await lake.delete(table, options.where)
    await reportWrite(context, table, outcome)
    return exitCodeOfOutcome(outcome.kind)
  })
}

/** Holds the logs against the files. */
export async function verify(context: CliContext, options: { deep?: boolean }): Promise<number> {
  return withLake(context, async (lake) => {
    const problems = await lake.verify(options)
    if (context.json) await writeDocument({ ok: problems.length === 0, problems })
    return reportProblems(context, problems)
  })
}

/** Finds and, on demand, mends what is wrong. */
export async function doctor(context: CliContext, options: { fix?: boolean }): Promise<number> {
  return withLake(context, async (lake) => {
    const report = await lake.doctor(options)
    if (context.json) await writeDocument(report)
    for (const line of report.fixed) say(context, `fixed: ${line}`)
    for (const { table, files, bytes } of report.orphans) {
      const what = `${countText(files)} files (${bytesText(bytes)}) that no version names`
      say(context, `${table}: ${what}; a vacuum takes them when they are old enough`)
    }
    return reportProblems(context, report.problems)
  })
}

function reportProblems(context: CliContext, problems: readonly Problem[]): number {
  for (const { table, file, problem } of problems) {
    say(context, [table, file].filter((part) => part !== null).join(' ') + `: ${problem}`)
  }
  say(context, problems.length === 0 ? 'no problems' : `${problems.length} problems`)
  return problems.length === 0 ? EXIT.ok : EXIT.check
}

/** Copies the lake while others write. */
export async function backup(context: CliContext, directory: string): Promise<number> {
  return withLake(context, async (lake) => {
    const result = await lake.backup(directory)
    if (context.json) await writeDocument(result)
    say(
      context,
      `copied version ${result.version} to ${result.directory}: ${countText(result.files)} files, ${bytesText(result.bytes)}`,
    )
    return EXIT.ok
  })
}

/** Compares two versions. */
export async function diff(
  context: CliContext,
  before: string,
  after: string,
  table: string | undefined,
): Promise<number> {
  return withLake(context, async (lake) => {
    const differences = await lake.diff(before, after, table)
    if (context.json) {
      await writeDocument(differences)
      return EXIT.ok
    }
    const columns = ['table', 'inserted', 'updated', 'deleted', 'new columns'].map((name, i) => ({
      name,
      type: i > 0 && i < 4 ? 'BIGINT' : 'VARCHAR',
    }))
    const rows = differences.map((d) => [
      d.table,
      d.inserted,
      d.updated,
      d.deleted,
      d.addedColumns.join(', '),
    ])
    await writeData(tableText({ columns, rows }))
    return EXIT.ok
  })
}

/** Shows what takes the space. */
export async function du(context: CliContext): Promise<number> {
  return withLake(context, async (lake) => {
    const usage = await lakeUsage(lake.store, await lake.head())
    if (context.json) {
      await writeDocument(usage)
      return EXIT.ok
    }
    const columns = ['table', 'live', 'history', 'unused', 'log'].map((name, i) => ({
      name,
      type: i === 0 ? 'VARCHAR' : 'DOUBLE',
    }))
    const rows = usage.tables.map((t) => [
      t.table,
      ...[t.liveBytes, t.historyBytes, t.unusedBytes, t.logBytes].map(bytesText),
    ])
    rows.push(['(lake log)', '', '', '', bytesText(usage.lakeLogBytes)])
    await writeData(tableText({ columns, rows }))
    return EXIT.ok
  })
}
