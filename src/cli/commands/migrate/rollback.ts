/** `migrate rollback`. */
import { rollBackToOldFile } from '../../../lake/migration.ts'
import type { CliContext } from '../../context.ts'
import { exitCodeOfOutcome, say, warn, writeDocument } from '../../context.ts'
import { reportWrite, withLake } from '../catalog.ts'
import { waitOption } from './wait.ts'

/** Options as they are typed. */
export interface RollbackCommandOptions {
  readonly leave?: boolean
  readonly wait?: string
}

/** Makes the old file the read source again. */
export async function rollback(
  context: CliContext,
  options: RollbackCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    const how = { leave: options.leave ?? false, ...waitOption(options.wait) }
    const { outcome, changed, tag, broughtBack, left } = await rollBackToOldFile(lake, how)
    if (outcome.kind !== 'committed') {
      await reportWrite(context, '', outcome)
      return exitCodeOfOutcome(outcome.kind)
    }
    const { version } = outcome
    if (context.json) {
      const kind = changed ? 'committed' : 'unchanged'
      const facts = { readSource: 'duckdb', version, tag: tag ?? null, broughtBack, left }
      await writeDocument({ outcome: kind, ...facts })
    }
    say(context, changed ? 'the old file is read again' : 'the old file is read already')
    for (const { table, written, deleted } of broughtBack)
      say(context, `${table}: ${written} rows brought back, ${deleted} taken out`)
    if (left.length > 0) warn(context, `only the lake has what was written to ${left.join(', ')}`)
    return exitCodeOfOutcome(outcome.kind)
  })
}
