/** CSV files as SQL. Nothing about them is guessed but the character between cells, and that from the header alone. */
import { LakeError } from '../model/errors.ts'
import type { ErrorFacts } from '../model/errors.ts'
import { readTail } from '../storage/files/read-tail.ts'
import type { Session } from '../storage/parquet/database.ts'
import { literal, pathLiteral } from '../storage/parquet/sql.ts'

/** Lines that a header with line breaks in its names may take. */
const HEADER_LINES_MAX = 50
/** Bytes of a line; DuckDB refuses longer ones. */
const LINE_BYTES_MAX = 2_000_000
const DELIMITERS = [',', '\t', ';', '|']

/**
 * The rows of a file, every cell a text. DuckDB's own detection would skip rows of another width together with the
 * header before them, take rows that begin with # for comments, and drop the quotes where one is not closed.
 */
export async function csvRelation(session: Session, path: string): Promise<string> {
  const names = await headerOf(session, path)
  // Side by side, DuckDB's readers lose a last line that is larger than their buffers without a word.
  const compressed = /\.(gz|zst)$/i.test(path)
  if (!compressed) await checkLastLine(path)
  const columns = names.cells.map((name) => `${literal(name)}: 'VARCHAR'`)
  return `read_csv(${pathLiteral(path)}, auto_detect=false, columns={${columns.join(', ')}}, header=true, skip=0,
    delim=${literal(names.delimiter)}, quote='"', escape='"', comment='', strict_mode=true, hive_partitioning=false,
    max_line_size=${LINE_BYTES_MAX}, parallel=${!compressed})`
}

async function checkLastLine(path: string): Promise<void> {
  const tail = await readTail(path, LINE_BYTES_MAX + 1)
  const line = tail.subarray(0, -1)
  if (tail.length <= LINE_BYTES_MAX || line.includes(10) || line.includes(13)) return
  throw formError(path, `the last line is longer than ${LINE_BYTES_MAX} bytes`)
}

function formError(where: string, reason: string, facts: ErrorFacts = {}): LakeError {
  return new LakeError('CORRUPT_FILE', `${where}: ${reason}`, {
    next: 'The first line must be the header, and every line must have its cells, quoted with " where they need it.',
    ...facts,
  })
}

async function headerOf(
  session: Session,
  path: string,
): Promise<{ readonly cells: readonly string[]; readonly delimiter: string }> {
  const lines = await session.rows<{ line: string | null }>(
    `SELECT line FROM read_csv(${pathLiteral(path)}, auto_detect=false, columns={line: 'VARCHAR'}, header=false,
       delim='', quote='', escape='', strict_mode=false, hive_partitioning=false) LIMIT ${HEADER_LINES_MAX}`,
  )
  const record = firstRecord(lines.map(({ line }) => line ?? ''))
  const delimiter = /\.tsv(\.|$)/i.test(path) ? '\t' : mostFrequent(record)
  const cells = cellsOf(record, delimiter).map((name, i) => (name === '' ? `column${i}` : name))
  const twice = cells.find((name, i) => cells.slice(0, i).some((other) => isSame(other, name)))
  if (twice === undefined) return { cells, delimiter }
  throw new LakeError('INVALID_NAME', `${path}: two columns are called ${twice}`, {
    details: { path, column: twice },
    next: 'Give each column a name of its own.',
  })
}

const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** A record goes on while a quote is open. */
function firstRecord(lines: readonly string[]): string {
  let record = lines[0] ?? ''
  for (let i = 1; i < lines.length && isOpen(record); i++) record += `\n${lines[i]!}`
  return record
}

const isOpen = (text: string): boolean => text.split('"').length % 2 === 0

function mostFrequent(record: string): string {
  const outside = record.replaceAll(/"[^"]*"/g, '')
  const count = (delimiter: string): number => outside.split(delimiter).length
  return DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best))
}

function cellsOf(record: string, delimiter: string): string[] {
  const cells: string[] = []
  for (const part of record.split(delimiter)) {
    if (cells.length > 0 && isOpen(cells.at(-1)!)) cells.push(`${cells.pop()!}${delimiter}${part}`)
    else cells.push(part)
  }
  return cells.map((cell) =>
    /^".*"$/s.test(cell) ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  )
}

const REASONS: readonly (readonly [RegExp, (found: RegExpExecArray) => string])[] = [
  [
    /Expected Number of Columns: (\d+) Found: (\d+)/,
    ([, want, have]) => `cells: ${have}, and the header has ${want}`,
  ],
  [/unterminated quote/i, () => 'a quote that is never closed'],
  [/Maximum line size of (\d+)/i, ([, size]) => `a line longer than ${size} bytes`],
  [/does not support a full read/, () => `a line longer than ${LINE_BYTES_MAX} bytes`],
  [/state machine reached an invalid state/i, () => 'quotes or line ends that do not belong there'],
]

/** An error about the form of a CSV file, in few words: DuckDB repeats the whole line and advises options that we have not. */
export function csvError(error: unknown, paths: readonly string[]): unknown {
  if (!(error instanceof LakeError) || !/CSV/.test(error.message)) return error
  const { message } = error
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1]
  const file = /^\s*file\s*=\s*(.+)$/m.exec(message)?.[1]
  const known = REASONS.map(([pattern, text]) => {
    const found = pattern.exec(message)
    return found ? text(found) : undefined
  })
  const reason = known.find((text) => text !== undefined)
  if (reason === undefined) return error
  const where = [file ?? paths.join(', '), line === undefined ? undefined : `line ${line}`].filter(
    (part) => part,
  )
  return formError(where.join(', '), reason, {
    cause: error,
    details: { path: file ?? paths[0], ...(line !== undefined && { line: Number(line) }) },
  })
}
