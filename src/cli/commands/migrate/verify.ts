/** `migrate verify`. */
import { verifyOldFile } from '../../../lake/migration.ts'
import type { TableComparison } from '../../../migration/compare.ts'
import { isEqual } from '../../../migration/compare.ts'
import type { VerifyReport } from '../../../migration/verify.ts'
import type { CliContext } from '../../context.ts'
import { say, writeDocument } from '../../context.ts'
import { EXIT } from '../../exit-code.ts'
import { countText } from '../../format.ts'
import { withLake } from '../catalog.ts'
import { waitOption } from './wait.ts'

/** Options as they are typed. */
export interface VerifyCommandOptions {
  readonly tables?: string
  readonly copy?: boolean
  readonly wait?: string
}

/** Compares both sides; exit 7 if they differ. */
export async function verify(context: CliContext, options: VerifyCommandOptions): Promise<number> {
  return withLake(context, async (lake) => {
    const report = await verifyOldFile(lake, {
      ...(options.tables !== undefined && {
        tables: options.tables.split(',').map((name) => name.trim()),
      }),
      copy: options.copy ?? false,
      ...waitOption(options.wait),
      onTable: (table) => tell(context, table),
    })
    if (context.json) await writeDocument(report)
    conclude(context, report)
    return report.equal ? EXIT.ok : EXIT.check
  })
}

function tell(context: CliContext, table: TableComparison): void {
  const older = table.duplicates > 0 ? `, without ${table.duplicates} older of equal keys` : ''
  const rows = `${countText(table.rowsOld)} rows${older}, in the lake ${countText(table.rowsNew)}`
  if (isEqual(table)) {
    say(
      context,
      `${table.name}: equal (${rows}; ${table.groups.count} hashes by ${table.groups.by})`,
    )
    return
  }
  const counts = `${table.missing} missing in the lake, ${table.extra} only there, ${table.differing} differ`
  say(context, `${table.name}: ${counts} (${rows})`)
  for (const { column, old, lake } of table.drift)
    say(
      context,
      `  column ${column}: ${old ?? 'not in the old file'}, in the lake ${lake ?? 'none'}`,
    )
  const { missing, extra, cells } = table.examples
  for (const key of missing) say(context, `  missing ${JSON.stringify(key)}`)
  for (const key of extra) say(context, `  only in the lake ${JSON.stringify(key)}`)
  for (const { key, column, old, lake } of cells) {
    const values = `${JSON.stringify(old)}, in the lake ${JSON.stringify(lake)}`
    say(context, `  ${JSON.stringify(key)} ${column}: ${values}`)
  }
}

function conclude(context: CliContext, report: VerifyReport): void {
  const { behind, moved } = report
  if (behind > 0) say(context, `${behind} batches wait for the lake: marketlake migrate dual-write`)
  if (moved.old) say(context, 'the old file was written meanwhile')
  if (moved.tables.length > 0)
    say(context, `the lake was written meanwhile: ${moved.tables.join(', ')}`)
  const what = report.equal ? 'equal' : 'not equal'
  say(context, `the old file and version ${report.lakeVersion} of the lake are ${what}`)
}
