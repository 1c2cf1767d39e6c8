/** `--attach name=DIR[@version]`: any Delta table, in a lake or not, named for one command. */
import { InvalidArgumentError } from 'commander'

/** A table to attach, as it was typed. */
export interface Attach {
  readonly name: string
  readonly directory: string
  readonly version?: number
}

/** One `--attach`; the version stands behind the last `@` that is followed by digits only. */
export function attachOption(text: string, before: readonly Attach[] = []): Attach[] {
  const match = /^([^=]+)=(.+?)(?:@(\d+))?$/s.exec(text)
  if (!match) throw new InvalidArgumentError('It must be name=DIR or name=DIR@version.')
  const [, name, directory, version] = match
  return [
    ...before,
    { name: name!, directory: directory!, ...(version && { version: Number(version) }) },
  ]
}
