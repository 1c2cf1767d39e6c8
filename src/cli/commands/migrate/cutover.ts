/** `migrate cutover`. */
import { resolve } from 'node:path'
import { cutOverToLake } from '../../../lake/migration.ts'
import type { CliContext } from '../../context.ts'
import { exitCodeOfOutcome, say, warn, writeDocument } from '../../context.ts'
import { reportWrite, withLake } from '../catalog.ts'
import { waitOption } from './wait.ts'

/** Options as they are typed. */
export interface CutoverCommandOptions {
  readonly sqlite?: string
  readonly force?: boolean
  readonly wait?: string
}

/** Makes the lake the read source. */
export async function cutover(
  context: CliContext,
  options: CutoverCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    const { outcome, changed, tag, mount } = await cutOverToLake(lake, {
      force: options.force ?? false,
      ...(options.sqlite !== undefined && { sqlite: resolve(options.sqlite) }),
      ...waitOption(options.wait),
    })
    if (outcome.kind !== 'committed') {
      await reportWrite(context, '', outcome)
      return exitCodeOfOutcome(outcome.kind)
    }
    const { version } = outcome
    if (context.json) {
      const kind = changed ? 'committed' : 'unchanged'
      await writeDocument({ outcome: kind, readSource: 'lake', version, tag: tag ?? null, mount })
    }
    say(
      context,
      changed ? `the lake is read from version ${version} on` : 'the lake is read already',
    )
    say(context, `before that: tag ${tag ?? 'none'}; views, old names and meta: ${mount.views}`)
    const { sqlite } = mount
    if (sqlite?.attached) say(context, `attached: ${sqlite.path} as sqlite_meta`)
    else if (sqlite) warn(context, `${sqlite.path} is not attached: ${sqlite.reason ?? ''}`)
    return exitCodeOfOutcome(outcome.kind)
  })
}
