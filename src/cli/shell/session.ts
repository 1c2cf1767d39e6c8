/** A session of the shell: the engine it asks, the form of its answers, and what each command does. */
import type { AnalysisEngine } from '../../analysis/engine.ts'
import type { Suggestion } from '../../analysis/completion.ts'
import type { Lake } from '../../lake/lake.ts'
import { LakeError } from '../../model/errors.ts'
import { literal } from '../../storage/parquet/sql.ts'
import { countText } from '../format.ts'
import type { TextFormat } from '../rows.ts'
import { TABLE_ROWS_MAX, rowsPlot, rowsText } from '../rows.ts'

/** Where a session stands and what it tells. */
export interface SessionOptions {
  readonly lake: Lake
  readonly at?: string
  readonly asOf?: string
  /** Takes data. */
  readonly write: (text: string) => Promise<void>
  /** Takes words for people. */
  readonly say: (text: string) => void
}

/** A session. It must be closed. */
export interface ShellSession {
  /** Runs one statement, or one command that begins with a dot. False: the session is over. */
  run(input: string, signal: AbortSignal): Promise<boolean>
  complete(text: string): Promise<Suggestion[]>
  /** The prompt: where the session stands. */
  prompt(): string
  close(): Promise<void>
}

const MODES: readonly (TextFormat | 'plot')[] = [
  'table',
  'csv',
  'json',
  'jsonl',
  'markdown',
  'plot',
]

/** Commands and what they do, as `.help` shows them. */
export const DOT_COMMANDS: Readonly<Record<string, string>> = {
  '.tables [PART]': 'tables and views, of whose names PART is a part',
  '.schema NAME': 'the columns of a table or view, with units',
  '.at [VERSION]': 'show a version, date or tag of the lake; without one, follow the newest',
  '.asof [DATE]': 'show only what was known on a date; without one, everything',
  '.mode FORMAT': `how rows are printed: ${MODES.join(', ')}`,
  '.timer on|off': 'tell how long each statement took',
  '.help': 'this list',
  '.exit': 'leave; so does Ctrl-D',
}

/** Opens a session. */
export async function openSession(options: SessionOptions): Promise<ShellSession> {
  const { lake, write, say } = options
  let place = { at: options.at, asOf: options.asOf }
  let engines = await openEngines(lake, place)
  let mode: TextFormat | 'plot' = 'table'
  let timer = false

  const move = async (next: typeof place): Promise<void> => {
    const opened = await openEngines(lake, next)
    await engines.close()
    ;[place, engines] = [next, opened]
    say(`version ${engines.shown.version}${next.asOf === undefined ? '' : `, as of ${next.asOf}`}`)
  }
  const answer = async (sql: string, signal: AbortSignal): Promise<void> => {
    const startMs = performance.now()
    if (mode === 'plot') await write(await rowsPlot(engines.shown, sql, { signal }))
    else {
      const onCut = (): void =>
        say(`only the first ${countText(TABLE_ROWS_MAX)} rows; all of them with .mode csv`)
      for await (const part of rowsText(engines.shown, sql, mode, { signal, onCut }))
        await write(part)
    }
    if (timer) say(`${((performance.now() - startMs) / 1000).toFixed(3)} s`)
  }
  const commands: Readonly<
    Record<string, (argument: string, signal: AbortSignal) => Promise<void>>
  > = {
    '.tables': (part, signal) => answer(tablesSql(part), signal),
    '.schema': (name, signal) => schema(engines.shown, name, (sql) => answer(sql, signal)),
    '.at': (at) => move({ ...place, at: at === '' ? undefined : at }),
    '.asof': (asOf) => move({ ...place, asOf: asOf === '' ? undefined : asOf }),
    '.mode': async (name) => void (mode = chosen(MODES, name, '.mode')),
    '.timer': async (word) => void (timer = chosen(['on', 'off'], word, '.timer') === 'on'),
    '.help': () => write(helpText()),
  }

  return {
    run: async (input, signal) => {
      if (!input.startsWith('.')) {
        await answer(input, signal)
        return true
      }
      const [name = '', ...words] = input.replace(/;\s*$/, '').trim().split(/\s+/)
      if (name === '.exit' || name === '.quit') return false
      const command = commands[name]
      if (!command) throw unknownCommand(name)
      await command(words.join(' '), signal)
      return true
    },
    complete: (text) => engines.shown.complete(text),
    prompt: () => promptOf(place),
    close: () => engines.close(),
  }
}

interface Engines {
  readonly shown: AnalysisEngine
  close(): Promise<void>
}

async function openEngines(
  lake: Lake,
  place: { readonly at: string | undefined; readonly asOf: string | undefined },
): Promise<Engines> {
  const engine = await lake.analysis(place.at === undefined ? { follow: true } : { at: place.at })
  try {
    const shown = place.asOf === undefined ? engine : await engine.asOf(place.asOf)
    // An engine closes the engines of dates that were made from it.
    return { shown, close: () => engine.close() }
  } catch (error) {
    await engine.close()
    throw error
  }
}

function promptOf({
  at,
  asOf,
}: {
  readonly at: string | undefined
  readonly asOf: string | undefined
}): string {
  const words = [at === undefined ? '' : `@${at}`, asOf === undefined ? '' : `as of ${asOf}`]
  const text = words.filter((word) => word !== '').join(' ')
  return text === '' ? 'lake> ' : `lake ${text}> `
}

function tablesSql(part: string): string {
  const where = part === '' ? '' : ` WHERE contains(lower(name), ${literal(part.toLowerCase())})`
  return `SELECT name, kind, label AS "说明" FROM meta.relations${where} ORDER BY name`
}

/** Tables that keep what their columns mean tell it; derived views have names and types only. */
async function schema(
  engine: AnalysisEngine,
  name: string,
  answer: (sql: string) => Promise<void>,
): Promise<void> {
  if (!/^[\w.]+$/.test(name)) {
    throw new LakeError('INVALID_ARGUMENT', 'whose schema?', {
      next: 'Write .schema NAME; see .tables.',
    })
  }
  const known = await engine.query(
    'SELECT 1 FROM meta.columns WHERE "view" = $1 OR "table" = $1 LIMIT 1',
    [name],
  )
  if (known.length === 0) {
    return answer(`SELECT column_name AS "column", column_type AS type FROM (DESCRIBE ${name})`)
  }
  return answer(
    `SELECT "column", type, label AS "说明", unit AS "单位", source AS "来源列" FROM meta.columns
     WHERE "view" = ${literal(name)} OR "table" = ${literal(name)}`,
  )
}

function helpText(): string {
  const width = Math.max(...Object.keys(DOT_COMMANDS).map((name) => name.length))
  const lines = Object.entries(DOT_COMMANDS).map(([name, what]) => `${name.padEnd(width)}  ${what}`)
  return `A statement ends with a semicolon. Ctrl-C ends the statement that runs.\n${lines.join('\n')}\n`
}

function chosen<T extends string>(words: readonly T[], word: string, command: string): T {
  const found = words.find((other) => other === word)
  if (found !== undefined) return found
  throw new LakeError('INVALID_ARGUMENT', `${command} ${word}: no such choice`, {
    next: `There are: ${words.join(', ')}.`,
  })
}

function unknownCommand(name: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `no such command: ${name}`, {
    next: 'See .help. A statement of SQL does not begin with a dot.',
  })
}
