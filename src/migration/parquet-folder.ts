/** A folder of Parquet files, one a stock, as the request's recipe writes it: which tables it holds, and their rows. */
import { basename, join, relative, sep } from 'node:path'
import { LakeError, hasCode, messageOf } from '../model/errors.ts'
import { findField } from '../model/schema.ts'
import type { Schema } from '../model/schema.ts'
import type { Files } from '../storage/files/files.ts'
import type { Session } from '../storage/parquet/database.ts'
import { checkWidth, findBadFile, relationSchema } from '../storage/parquet/inspect.ts'
import { identifier, literal, pathList } from '../storage/parquet/sql.ts'

/** Files that hold the rows of one table. */
export interface Dataset {
  readonly name: string
  readonly paths: readonly string[]
  /** Columns that stand in names of files or directories and not in the files. */
  readonly columns: readonly string[]
}

/** What a folder holds. */
export interface Folder {
  readonly datasets: readonly Dataset[]
  /** Files that are left out: unfinished ones, and everything that is no Parquet. */
  readonly left: readonly string[]
}

const DEPTH_MAX = 8
const PART = /^([A-Za-z_]\w*)=(.*)$/

/** Looks through a folder. A table is a directory of files, without its `name=value` parts. */
export async function lookThrough(files: Files, directory: string): Promise<Folder> {
  const found = new Map<string, { paths: string[]; columns: Set<string> }>()
  const left: string[] = []
  for (const path of await filesBelow(files, directory, 0, left)) {
    const parts = relative(directory, path).split(sep)
    const file = parts.pop()!
    if (file.startsWith('.') || file.startsWith('_') || !file.endsWith('.parquet')) {
      left.push(path)
      continue
    }
    const stem = file.slice(0, -'.parquet'.length)
    const keys = [...parts, stem].flatMap((part) => PART.exec(part)?.[1] ?? [])
    const plain = parts.flatMap((part) => {
      const match = PART.exec(part)
      return match === null || isTable(match[1]!) ? [part] : []
    })
    const name = plain.join('/') || basename(directory)
    const one = found.get(name) ?? { paths: [], columns: new Set() }
    one.paths.push(path)
    for (const key of keys) if (!isTable(key)) one.columns.add(key)
    found.set(name, one)
  }
  const names = [...found.keys()]
  const datasets = [...found].map(([name, { paths, columns }]) => ({
    name: shortName(name, names),
    paths: paths.toSorted(),
    columns: [...columns],
  }))
  return { datasets, left }
}

/** The last directory, with the one before for a kind of statement; the whole path where two would be alike. */
function shortName(name: string, all: readonly string[]): string {
  const last = (path: string): string => {
    const parts = path.split('/')
    const kind = parts.at(-1)!.includes('=') ? 2 : 1
    return parts.slice(-kind).join('_').replace('type=', '')
  }
  const alike = all.filter((other) => last(other) === last(name)).length > 1
  return alike ? name.replaceAll('type=', '').replaceAll('/', '_') : last(name)
}

/** `type=balance` names a kind of statement, so each is a table. */
function isTable(key: string): boolean {
  return key === 'type'
}

/** Links are not followed, nor directories without end; they are left out by name. */
async function filesBelow(
  files: Files,
  directory: string,
  depth: number,
  left: string[],
): Promise<string[]> {
  const found: string[] = []
  for (const name of await files.list(directory)) {
    const path = join(directory, name)
    const kind = (await files.stat(path))?.kind
    if (kind === 'file') found.push(path)
    else if (kind === 'directory' && depth < DEPTH_MAX)
      found.push(...(await filesBelow(files, path, depth + 1, left)))
    else left.push(path)
  }
  return found
}

/** The rows of a table, with the columns that its names hold. What cannot be read is refused with the file's name. */
export async function datasetSql(session: Session, dataset: Dataset): Promise<string> {
  const { paths, columns } = dataset
  const from = `read_parquet(${pathList(paths)}, union_by_name = true, hive_partitioning = false, filename = '__path')`
  await checkWidth(session, paths).catch(cannotRead(dataset))
  const schema = await schemaOfFiles(session, from, dataset)
  await refuseDrift(session, dataset, schema)
  const missing = columns.filter((name) => !findField(schema, name))
  for (const name of columns) {
    if (missing.includes(name)) continue
    const other = await session.rows<{ path: string }>(
      `SELECT DISTINCT __path AS path FROM ${from}
       WHERE CAST(${identifier(name)} AS VARCHAR) IS DISTINCT FROM ${partOf(name)} LIMIT 3`,
    )
    if (other.length > 0)
      throw disagrees(
        name,
        other.map((row) => row.path),
      )
  }
  const added = missing.map((name) => `${partOf(name)} AS ${identifier(name)}`)
  return `SELECT ${[...added, '* EXCLUDE (__path)'].join(', ')} FROM ${from}`
}

function partOf(name: string): string {
  return `nullif(regexp_extract(__path, ${literal(`(?:^|[/\\\\])${name}=([^/\\\\]*?)(?:\\.parquet)?(?:[/\\\\]|$)`)}, 1), '')`
}

async function schemaOfFiles(session: Session, from: string, dataset: Dataset): Promise<Schema> {
  const found = relationSchema(session, `SELECT * EXCLUDE (__path) FROM ${from}`)
  return (await found.catch(cannotRead(dataset))).schema
}

function cannotRead({ name }: Dataset): (cause: unknown) => never {
  return (cause) => {
    if (hasCode(cause, 'UNSUPPORTED_TYPE') || hasCode(cause, 'UNSUPPORTED_FEATURE')) throw cause
    const message = messageOf(cause)
    throw new LakeError('CORRUPT_FILE', `${name} cannot be read: ${message}`, {
      cause,
      details: { table: name },
      next: 'Move the file away or write it again; nothing was adopted.',
    })
  }
}

/** Where types differ from file to file, their common type may round numbers or make texts of them. */
async function refuseDrift(
  session: Session,
  { name, paths }: Dataset,
  schema: Schema,
): Promise<void> {
  const bad = await findBadFile(session, paths, { schema })
  if (!bad) return
  throw new LakeError(
    'TYPE_MISMATCH',
    `${bad.path} does not fit the other files of ${name}: ${bad.reason}`,
    {
      details: { table: name, path: bad.path },
      next: 'Write the file again with the types of the others; nothing was adopted.',
    },
  )
}

function disagrees(column: string, paths: readonly string[]): LakeError {
  return new LakeError(
    'TYPE_MISMATCH',
    `the column ${column} in the file is not what its name says: ${paths.join(', ')}`,
    {
      details: { column, paths },
      next: 'Rename the file or mend its column; nothing was adopted.',
    },
  )
}
