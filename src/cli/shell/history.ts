/** What was typed into the shell, kept from one session to the next. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { appendText, readText } from '../../lake/text-file.ts'

/** Statements of earlier sessions. */
export interface History {
  /** So many are kept in mind. */
  readonly most: number
  /** The newest first. */
  load(): Promise<readonly string[]>
  add(statement: string): Promise<void>
}

const MOST = 1000

/** The history in a file; one that cannot be read or written is done without. */
export function fileHistory(path: string): History {
  return {
    most: MOST,
    load: async () => {
      const text = await readText(path).catch(() => undefined)
      const lines = (text ?? '').split('\n').filter((line) => line !== '')
      return lines.slice(-MOST).toReversed()
    },
    add: (statement) => appendText(path, `${statement}\n`).catch(() => undefined),
  }
}

/** Where the history is: `MARKETLAKE_HISTORY`, else below the user's state directory. */
export function historyPath(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const state = environment['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state')
  return environment['MARKETLAKE_HISTORY'] ?? join(state, 'marketlake', 'history')
}
