/** `shell`: statements one after the other, typed or piped. */
import { openLake } from '../../lake/lake.ts'
import { LakeError } from '../../model/errors.ts'
import type { CliContext } from '../context.ts'
import { reportError, say, warn, writeData } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { fileHistory, historyPath } from '../shell/history.ts'
import type { ShellSession } from '../shell/session.ts'
import { openSession } from '../shell/session.ts'
import { splitStatements } from '../shell/statements.ts'
import { runTerminal } from '../shell/terminal.ts'
import { readStdin } from '../stdin.ts'

/** Options of `shell` as they are typed. */
export interface ShellOptions {
  readonly at?: string
  readonly asOf?: string
}

/** Runs the shell: on a terminal until it is left, else until the end of stdin or the first error. */
export async function shell(context: CliContext, options: ShellOptions): Promise<number> {
  if (context.json) {
    throw new LakeError('INVALID_ARGUMENT', 'the shell gives no single JSON document', {
      next: 'Use query --json, or .mode json in the shell.',
    })
  }
  const onWarning = (text: string): void => warn(context, text)
  const lake = await openLake(context.lake, { maintenance: false, onWarning })
  try {
    const words = (text: string): void => say(context, text)
    const session = await openSession({ lake, ...options, write: writeData, say: words })
    try {
      if (!process.stdin.isTTY) return await runPiped(session, await readStdin(), context.signal)
      const { version } = await lake.head()
      say(context, `${lake.root}, version ${version}. .help shows the commands.`)
      await runTerminal(session, {
        input: process.stdin,
        output: process.stdout,
        history: fileHistory(historyPath()),
        report: async (error) => void (await reportError(error, false)),
      })
      return EXIT.ok
    } finally {
      await session.close()
    }
  } finally {
    await lake.close()
  }
}

/** Runs a whole text: a line that begins with a dot is a command, and the last statement needs no semicolon. */
async function runPiped(session: ShellSession, text: string, signal: AbortSignal): Promise<number> {
  for (const input of inputsOf(text)) {
    if (!(await session.run(input, signal))) break
  }
  return EXIT.ok
}

function inputsOf(text: string): string[] {
  const inputs: string[] = []
  let waiting = ''
  for (const line of text.split('\n')) {
    if (waiting === '' && line.trimStart().startsWith('.')) inputs.push(line.trim())
    else {
      const { statements, rest } = splitStatements(`${waiting}${line}\n`)
      inputs.push(...statements)
      waiting = rest
    }
  }
  return waiting === '' ? inputs : [...inputs, waiting.trim()]
}
