/** `migrate import` and `migrate adopt`. */
import { adoptFolder } from '../../../lake/adopt-folder.ts'
import type { ImportOptions, ImportResult } from '../../../lake/import-attached.ts'
import { importDatabase } from '../../../lake/import-database.ts'
import type { ImportPlan, PlannedTable } from '../../../migration/import-plan.ts'
import { LakeError } from '../../../model/errors.ts'
import type { CliContext } from '../../context.ts'
import { exitCodeOfOutcome, say, writeDocument } from '../../context.ts'
import { EXIT } from '../../exit-code.ts'
import { countText } from '../../format.ts'
import { withLake } from '../catalog.ts'
import { waitOption } from './wait.ts'

/** Options as they are typed. */
export interface ImportCommandOptions {
  readonly tables?: string
  readonly map?: readonly string[]
  readonly key?: readonly string[]
  readonly onDuplicate?: 'error' | 'last'
  readonly dryRun?: boolean
  readonly copy?: boolean
  readonly wait?: string
}

/** Imports an old file, or shows what an import would do. */
export async function importOld(
  context: CliContext,
  path: string,
  options: ImportCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) =>
    report(context, await importDatabase(lake, path, choicesOf(context, options))),
  )
}

/** `migrate adopt`: the same for a folder of Parquet files. */
export async function adopt(
  context: CliContext,
  path: string,
  options: ImportCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    const result = await adoptFolder(lake, path, choicesOf(context, options))
    if (result.files.length > 0)
      say(
        context,
        `${countText(result.files.length)} files left out, for example ${result.files[0]!}`,
      )
    return report(context, result, result.files)
  })
}

async function report(
  context: CliContext,
  { plan, outcome }: ImportResult,
  files?: readonly string[],
): Promise<number> {
  const tables = plan.tables.map(documentOf)
  if (context.json) {
    const done = outcome?.kind === 'committed'
    const result = outcome === undefined ? 'planned' : outcome.kind
    const version = done ? outcome.version : null
    await writeDocument({
      outcome: result,
      version,
      txnId: done ? outcome.txnId : null,
      tables,
      left: plan.left,
      ...(files && { files }),
    })
  }
  tell(context, plan)
  if (outcome === undefined) return problemsOf(plan) > 0 ? EXIT.check : EXIT.ok
  say(
    context,
    outcome.kind === 'committed' ? `imported, version ${outcome.version}` : outcome.reason,
  )
  return exitCodeOfOutcome(outcome.kind)
}

function choicesOf(context: CliContext, options: ImportCommandOptions): ImportOptions {
  const { tables, map, key, onDuplicate, dryRun, copy, wait } = options
  return {
    ...(tables !== undefined && { tables: list(tables) }),
    ...(map && { map: Object.fromEntries(map.map((text) => pair(text, '--map'))) }),
    ...(key && {
      keys: Object.fromEntries(
        key.map((text) => pair(text, '--key')).map(([table, names]) => [table, list(names)]),
      ),
    }),
    ...(onDuplicate && { onDuplicate }),
    ...(dryRun && { dryRun: true }),
    ...(copy && { copy: true }),
    ...waitOption(wait),
    onTable: ({ old, rows }) => say(context, `${old}: ${countText(rows)} rows staged`),
  }
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function pair(text: string, option: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw new LakeError('INVALID_ARGUMENT', `${option} wants OLD=NEW, not ${text}`, {
    next: `For example ${option} ${option === '--map' ? 'prices=bars' : 'prices=symbol,trade_date'}.`,
  })
}

function documentOf({ fields, columns, ...table }: PlannedTable): unknown {
  return {
    ...table,
    columns: columns.length,
    types: Object.fromEntries(fields.map((f) => [f.name, f.type])),
  }
}

function problemsOf({ tables }: ImportPlan): number {
  return tables.reduce((sum, table) => sum + table.problems.length, 0)
}

function tell(context: CliContext, { tables, left }: ImportPlan): void {
  for (const { old, table, key, rows, renamed, onDuplicate, problems } of tables) {
    const name = old === table ? old : `${old} -> ${table}`
    const identity = key.length > 0 ? `key ${key.join(', ')}` : 'no key'
    const last = onDuplicate ? ', the last of equal keys' : ''
    say(context, `${name}: ${countText(rows)} rows, ${identity}${last}`)
    for (const text of renamed) say(context, `  renamed ${text}`)
    for (const problem of problems)
      say(
        context,
        `  ${problem.message} in ${countText(problem.rows)} rows: ${problem.examples.join('; ')}`,
      )
  }
  if (left.length > 0) say(context, `left out: ${left.join(', ')}`)
}
