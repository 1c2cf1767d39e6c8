/** The shell on a terminal: lines with history and completion; Ctrl-C ends what runs, not the shell. */
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import type { History } from './history.ts'
import type { ShellSession } from './session.ts'
import { DOT_COMMANDS } from './session.ts'
import { visible } from '../visible.ts'
import { splitStatements } from './statements.ts'

/** What the terminal is: the process's own, or a pair of streams in a test. */
export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly history: History
  /** Shows an error; the shell goes on. */
  readonly report: (error: unknown) => Promise<void>
}

const CONTINUED = '  ... '

/** Runs the session until `.exit` or Ctrl-D. */
export async function runTerminal(session: ShellSession, options: TerminalOptions): Promise<void> {
  const { output, history, report } = options
  const queue: string[] = []
  let waiting = ''
  let running: AbortController | undefined
  const lines = await openLines(session, options, () => waiting)
  const prompt = (): void => {
    lines.setPrompt(waiting === '' ? session.prompt() : CONTINUED)
    lines.prompt()
  }
  const take = async (line: string, signal: AbortSignal): Promise<boolean> => {
    const text = `${waiting}${line}\n`
    const { statements, rest } = isCommand(waiting, line)
      ? { statements: [line.trim()], rest: '' }
      : splitStatements(text)
    waiting = rest
    if (rest === '' && text.trim() !== '') await history.add(text.trim().replaceAll('\n', ' '))
    for (const statement of statements) if (!(await session.run(statement, signal))) return false
    return true
  }
  /** Lines that come while another runs wait their turn; Ctrl-C takes them back too. */
  const drain = async (): Promise<void> => {
    if (running) return
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
      running = new AbortController()
      try {
        if (!(await take(line, running.signal))) return lines.close()
      } catch (error) {
        await report(error)
      } finally {
        running = undefined
      }
      prompt()
    }
  }
  let drained = Promise.resolve()
  lines.on('line', (line) => {
    queue.push(line)
    drained = drained.then(drain)
  })
  lines.on('SIGINT', () => {
    if (running ?? queue.length > 0) {
      queue.length = 0
      running?.abort()
      return
    }
    output.write(waiting === '' && lines.line === '' ? '\n(.exit or Ctrl-D leaves)\n' : '^C\n')
    waiting = ''
    clearLine(lines)
    prompt()
  })
  const closed = new Promise<void>((done) => void lines.once('close', done))
  prompt()
  await closed
  await drained
}

async function openLines(
  session: ShellSession,
  { input, output, history }: TerminalOptions,
  waiting: () => string,
): Promise<Interface> {
  return createInterface({
    input,
    output,
    terminal: true,
    history: [...(await history.load())],
    historySize: history.most,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      completions(session, waiting(), line).then(
        (found) => done(null, found),
        () => done(null, [[], line]),
      )
    },
  })
}

function isCommand(waiting: string, line: string): boolean {
  return waiting === '' && line.trimStart().startsWith('.')
}

function clearLine(lines: Interface): void {
  lines.write(null, { ctrl: true, name: 'e' })
  lines.write(null, { ctrl: true, name: 'u' })
}

/** Ways to go on, and the part of the line that they replace. */
async function completions(
  session: ShellSession,
  waiting: string,
  line: string,
): Promise<[string[], string]> {
  if (isCommand(waiting, line) && !line.includes(' ')) {
    const names = Object.keys(DOT_COMMANDS).map((command) => command.split(' ')[0]!)
    return [names.filter((name) => name.startsWith(line)), line]
  }
  const suggested = await session.complete(waiting + line)
  const found = suggested.filter(({ word }) => visible(word) === word)
  const start = (found[0]?.start ?? waiting.length + line.length) - waiting.length
  return [found.map(({ word }) => word), line.slice(Math.max(0, start))]
}
