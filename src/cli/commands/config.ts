/** `config show`: the settings that hold here, and where each comes from. */
import { shownConfig } from '../../lake/config.ts'
import { localFiles } from '../../storage/files/local.ts'
import type { CliContext } from '../context.ts'
import { writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { tableText } from '../format.ts'

/** Shows every setting; a lake that is not there yet has the defaults and the environment. */
export async function showConfig(
  context: CliContext,
  options: { readonly origin?: boolean },
): Promise<number> {
  const entries = await shownConfig(localFiles, context.lake)
  if (context.json) {
    await writeDocument(entries)
    return EXIT.ok
  }
  const names = options.origin === true ? ['key', 'value', 'origin'] : ['key', 'value']
  const columns = names.map((name) => ({ name, type: 'VARCHAR' }))
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : JSON.stringify(value)
  const rows = entries.map((e) => [e.key, text(e.value), e.origin].slice(0, names.length))
  await writeData(tableText({ columns, rows }))
  return EXIT.ok
}
