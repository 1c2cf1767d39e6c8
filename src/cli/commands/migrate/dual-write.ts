/** `migrate dual-write`. */
import { beginDualWrite, endDualWrite } from '../../../lake/migration.ts'
import { requireMigration } from '../../../migration/verify.ts'
import type { CliContext } from '../../context.ts'
import { exitCodeOfOutcome, say, writeDocument } from '../../context.ts'
import { EXIT } from '../../exit-code.ts'
import { reportWrite, withLake } from '../catalog.ts'
import { waitOption } from './wait.ts'

/** Options as they are typed. */
export interface DualWriteCommandOptions {
  readonly stop?: boolean
  readonly wait?: string
}

/** Begins, goes on with, or stops the writing of both sides. */
export async function dualWrite(
  context: CliContext,
  options: DualWriteCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    if (options.stop) {
      const outcome = await endDualWrite(lake)
      if (outcome.kind !== 'committed') {
        await reportWrite(context, '', outcome)
        return exitCodeOfOutcome(outcome.kind)
      }
      if (context.json) await writeDocument({ phase: 'imported', version: outcome.version })
      say(context, 'stopped: what is written from now on waits in the old file')
      return EXIT.ok
    }
    const { started, batches, behind, outcome } = await beginDualWrite(
      lake,
      waitOption(options.wait),
    )
    const head = await lake.head()
    if (context.json) {
      const { phase } = requireMigration(head)
      await writeDocument({ phase, started, batches, behind, version: head.version })
    }
    if (started) say(context, 'dual writing has begun: let the sync call DualWriter')
    say(context, `${batches} batches brought into the lake, ${behind} still wait`)
    return exitCodeOfOutcome(outcome?.kind ?? 'committed')
  })
}
