/** `migrate status`. */
import { statusOfMigration } from '../../../lake/migration.ts'
import type { MigrationStatus } from '../../../migration/status.ts'
import type { CliContext } from '../../context.ts'
import { writeData, writeDocument } from '../../context.ts'
import { EXIT } from '../../exit-code.ts'
import { withLake } from '../catalog.ts'

/** Shows where the migration stands. */
export async function status(context: CliContext): Promise<number> {
  return withLake(context, async (lake) => {
    const found = await statusOfMigration(lake)
    if (context.json) await writeDocument(found)
    else await writeData(`${lines(found).join('\n')}\n`)
    return EXIT.ok
  })
}

function lines(found: MigrationStatus): string[] {
  const { here, old, behind, verified, cutover, rollback, blocked } = found
  const shown = [
    `phase        ${found.phase}`,
    `read source  ${found.readSource} (lake version ${found.lakeVersion})`,
  ]
  if (here.overridden)
    shown.push(`             here: ${here.readSource}, by [read] source in lake.toml`)
  if (old) shown.push(`old file     ${old.path}${old.exists ? '' : ' (not there)'}`)
  if (old?.heldBy) shown.push(`             held by ${old.heldBy}`)
  if (found.tables.length > 0) {
    const names = found.tables.map((t) => (t.old === t.table ? t.old : `${t.old} -> ${t.table}`))
    shown.push(`tables       ${names.join(', ')}`)
  }
  if (behind !== null) shown.push(`behind       ${behind} batches wait for the lake`)
  if (verified) shown.push(`verified     ${verifiedText(verified)}`)
  if (cutover) shown.push(`cut over     ${moment(cutover.timestamp)}, tag ${cutover.tag}`)
  if (rollback) shown.push(`rolled back  ${moment(rollback.timestamp)}, tag ${rollback.tag}`)
  if (blocked !== null) shown.push(`no cut-over  ${blocked}`)
  return [...shown, `next         ${found.next}`]
}

function verifiedText(verified: NonNullable<MigrationStatus['verified']>): string {
  const differing = Object.entries(verified.differing).map(([name, rows]) => `${name} ${rows} rows`)
  const result = verified.equal ? 'equal' : `differs: ${differing.join(', ')}`
  const stale = verified.fresh ? '' : '; written to since'
  return `version ${verified.lakeVersion}, ${moment(verified.timestamp)}: ${result}${stale}`
}

function moment(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+/, '')
}
