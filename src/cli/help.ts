/** The help of the whole command, kept as text by the build, so that it is printed without the code of any command. */
import { writeToPipe } from '../storage/files/stdout.ts'

/** Put in by the build: the help with each item on a line of its own. The sources themselves have none. */
declare const HELP_TEXT: string | undefined

const ASKS_FOR_HELP: ReadonlySet<string | undefined> = new Set(['--help', '-h', 'help'])

/** Prints the help if that is all that is asked for. */
export function printHelp(args: readonly string[]): boolean {
  if (typeof HELP_TEXT !== 'string' || args.length !== 1 || !ASKS_FOR_HELP.has(args[0]))
    return false
  if (writeToPipe(wrapHelp(HELP_TEXT, PIPE_WIDTH))) return true
  if (!process.stdout.isTTY) return false
  process.stdout.write(wrapHelp(HELP_TEXT, process.stdout.columns))
  return true
}

const PIPE_WIDTH = 80
/** What is narrower than this is not wrapped. */
const NARROW_WIDTH = 40

/** Breaks the lines of a help text as commander does: descriptions go on below their beginning. */
export function wrapHelp(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => (line.startsWith('Usage:') ? line : wrapLine(line, width)))
    .join('\n')
}

function wrapLine(line: string, width: number): string {
  const head = /^ {2}\S.*? {2,}(?=\S)/.exec(line)?.[0] ?? ''
  const room = width - head.length
  if (room < NARROW_WIDTH) return line
  const lines = ['']
  for (const chunk of line.slice(head.length).match(/\s*\S+/g) ?? []) {
    const longer = lines.at(-1)! + chunk
    if (longer.length <= room || longer === chunk) lines[lines.length - 1] = longer
    else lines.push(chunk.trimStart())
  }
  return head + lines.join(`\n${' '.repeat(head.length)}`)
}
