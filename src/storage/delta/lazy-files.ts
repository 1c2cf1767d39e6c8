/** The files of a checkpoint, known by their keys: an action is made when it is first asked for. */
import type { ColumnPart } from '../parquet/rows-file.ts'
import type { AddFile } from './actions.ts'
import { parseAdd } from './parse.ts'
import { canonicalPath } from './paths.ts'

/** Files by their key (`fileKey`). */
export interface LazyFiles {
  /** The place of each file, for `at`. */
  readonly index: ReadonlyMap<string, number>
  /** The same object each time. */
  readonly at: (place: number) => AddFile
}

/**
 * The files in columns of `add` actions; undefined where one of them is not plain, so that it is read with all checks.
 * What `parseAdd` would refuse is not plain: nothing is left to be found wrong later.
 */
export function lazyFiles(parts: readonly ColumnPart[]): LazyFiles | undefined {
  if (parts.length === 0 || !parts.every(isPlain)) return undefined
  const index = new Map<string, number>()
  const blocks: Block[] = []
  for (const part of parts) {
    const paths = part.fields.get('path')!.values() as ArrayLike<string>
    const from = blocks.at(-1)?.end ?? 0
    for (let i = 0; i < paths.length; i++) index.set(canonicalPath(paths[i]!), from + i)
    blocks.push(blockOf(part, from))
  }
  return { index, at: (place) => blocks.find(({ end }) => place < end)!.at(place) }
}

/** The files of one part, from a place on. */
interface Block {
  readonly end: number
  readonly at: (place: number) => AddFile
}

function blockOf({ rows, values }: ColumnPart, from: number): Block {
  let adds: AddFile[] | undefined
  // The columns are given up for what is made of them.
  let make: (() => AddFile[]) | undefined = () => Array.from(values(), addOf)
  const made = (): AddFile[] => {
    adds ??= make!()
    make = undefined
    return adds
  }
  return { end: from + rows.length, at: (place) => made()[place - from]! }
}

function addOf(value: unknown): AddFile {
  const add = value as Record<string, unknown>
  withNumbers(add)
  return parseAdd(add, 'a checkpoint')
}

/** The row is ours, just decoded. A number that is not exact stays as it is, and is refused when it is parsed. */
export function withNumbers(add: Record<string, unknown>): void {
  for (const name of ['size', 'modificationTime']) {
    const value = add[name]
    if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) add[name] = Number(value)
  }
}

/** What every file has, and of what type. */
const REQUIRED = {
  path: 'text',
  partitionValues: 'map of texts',
  size: 'integer',
  modificationTime: 'integer',
  dataChange: 'boolean',
} as const
/** What asks for more than a look at its column. */
const SPECIAL = ['deletionVector', 'stats_parsed', 'partitionValues_parsed']

function isPlain({ rows, fields }: ColumnPart): boolean {
  const has = (name: string, kind: string): boolean => {
    const field = fields.get(name)
    return field?.kind === kind && field.count === rows.length
  }
  const stats = fields.get('stats')
  return (
    Object.entries(REQUIRED).every(([name, kind]) => has(name, kind)) &&
    SPECIAL.every((name) => (fields.get(name)?.count ?? 0) === 0) &&
    (stats === undefined || stats.kind === 'text') &&
    areAll(fields.get('path')!.values(), rows.length, (path) => typeof path === 'string') &&
    ['size', 'modificationTime'].every((name) =>
      areAll(fields.get(name)!.values(), rows.length, isExact),
    )
  )
}

function isExact(value: unknown): boolean {
  return Number.isSafeInteger(Number(value))
}

function areAll(
  values: ArrayLike<unknown>,
  count: number,
  test: (value: unknown) => boolean,
): boolean {
  if (values.length !== count) return false
  for (let i = 0; i < count; i++) if (!test(values[i])) return false
  return true
}
