/** `migrate export`. */
import { exportDatabase } from '../../../lake/export-database.ts'
import type { CliContext } from '../../context.ts'
import { say, writeDocument } from '../../context.ts'
import { EXIT } from '../../exit-code.ts'
import { countText } from '../../format.ts'
import { withLake } from '../catalog.ts'

/** Options as they are typed. */
export interface ExportCommandOptions {
  readonly at?: string
  readonly overwrite?: boolean
}

/** Writes the lake into a new `.duckdb` file. */
export async function exportLake(
  context: CliContext,
  path: string,
  { at, overwrite }: ExportCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    const result = await exportDatabase(lake, path, {
      ...(at !== undefined && { at }),
      ...(overwrite && { overwrite: true }),
    })
    if (context.json) await writeDocument(result)
    for (const { name, rows } of result.tables) say(context, `${name}: ${countText(rows)} rows`)
    say(context, `version ${result.version} is in ${result.path}`)
    return EXIT.ok
  })
}
