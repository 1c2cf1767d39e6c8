/** What every command has: its global options, and where its data and words go. */
import { isatty } from 'node:tty'
import { LakeError, messageOf } from '../model/errors.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { visible } from './visible.ts'
import { textWidth } from './width.ts'

/** Options that stand before or after any command. */
export interface GlobalOptions {
  readonly lake?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly progress?: 'tty' | 'lines' | 'json' | 'none'
  readonly yes?: boolean
}

/** A command's surroundings. stdout is data, stderr is progress and words. */
export interface CliContext {
  readonly lake: string
  readonly json: boolean
  readonly quiet: boolean
  readonly progress: 'tty' | 'lines' | 'json' | 'none'
  /** Nothing asks a question without a terminal or under `--yes`. */
  readonly interactive: boolean
  /** Aborted by the first Ctrl-C; a second one ends the process. */
  readonly signal: AbortSignal
}

const STDIN = 0

/** The context of a run, from its options and environment. */
export function contextOf(
  options: GlobalOptions,
  signal: AbortSignal,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): CliContext {
  const terminal = process.stderr.isTTY && environment['CI'] === undefined
  return {
    lake: options.lake ?? environment['MARKETLAKE_DIR'] ?? 'data',
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    progress: options.progress ?? (options.quiet ? 'none' : terminal ? 'tty' : 'lines'),
    // `process.stdin` would be opened by being asked.
    interactive: isatty(STDIN) && options.yes !== true,
    signal,
  }
}

/** Writes data; waits while a slow reader catches up, and ends quietly when it went away. Terminals get no orders. */
export async function writeData(data: string): Promise<void> {
  if (data === '') return
  const text = process.stdout.isTTY ? visible(data) : data
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') reject(notWritten(error))
      else resolve()
    })
  })
}

/** The disk under stdout is full, for example. */
function notWritten(cause: Error): LakeError {
  const { code } = cause as NodeJS.ErrnoException
  return new LakeError('IO_ERROR', `the answer could not be written: ${messageOf(cause)}`, {
    details: { stream: 'stdout', ...(code !== undefined && { errno: code }) },
    cause,
    next: 'Make space where stdout leads to. What the command did to the lake is done; `marketlake history` shows it.',
  })
}

/** Writes a JSON document. */
export function writeDocument(document: unknown): Promise<void> {
  return writeData(`${JSON.stringify(document, plainNumbers)}\n`)
}

/** Large integers are text in JSON. */
function plainNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** Says something to people; not under `--quiet` and not in the way of JSON. */
export function say(context: CliContext, text: string): void {
  if (!context.quiet && !context.json) writeWords(`${text}\n`)
}

/** Warns people, also under `--json`, because stderr is never data. */
export function warn(context: CliContext, text: string): void {
  if (!context.quiet) writeWords(`warning: ${text}\n`)
}

/** Words for people; names and texts from files are among them. */
export function writeWords(text: string): void {
  process.stderr.write(visible(text))
}

/** An error as it stands in a document. */
export function errorDocument(error: unknown): Readonly<Record<string, unknown>> {
  const { code, details, next } =
    error instanceof LakeError
      ? error
      : { code: 'INTERNAL', details: {}, next: 'Please report this.' }
  return { code, message: messageOf(error), details, next: next ?? null }
}

/** Reports an error and returns its exit code. Where stdout takes no document, it is told in words. */
export async function reportError(error: unknown, json: boolean): Promise<number> {
  if (!json) reportInWords(error)
  else await writeDocument({ error: errorDocument(error) }).catch(() => reportInWords(error))
  return exitCodeOf(error)
}

function reportInWords(error: unknown): void {
  const known = error instanceof LakeError
  writeWords(`error: ${messageOf(error)}\n`)
  if (known) writeWords(placeText(error))
  if (known && error.next !== undefined) writeWords(`  next: ${error.next}\n`)
  if (!known && error instanceof Error) writeWords(`${error.stack ?? ''}\n`)
}

/** The line of a statement in which an error stands, with a mark below the place. */
function placeText({ code, details: { sql, position } }: LakeError): string {
  if (code !== 'SQL_ERROR' || typeof sql !== 'string' || typeof position !== 'number') return ''
  const before = sql.slice(0, position)
  const line = before.split('\n').length
  const start = before.lastIndexOf('\n') + 1
  const text = sql.slice(start).split('\n', 1)[0]!
  const head = `  line ${line}: `
  const gap = ' '.repeat(textWidth(head + sql.slice(start, position)))
  return `${head}${text}\n${gap}^\n`
}

/** The exit code of a write that ended without an error. */
export function exitCodeOfOutcome(kind: 'committed' | 'conflict' | 'unknown'): number {
  switch (kind) {
    case 'committed':
      return EXIT.ok
    case 'conflict':
      return EXIT.conflict
    case 'unknown':
      return EXIT.unknown
  }
}
