/** The files of a checkpoint, known by their keys: an action is made when it is first asked for. */
import type { ColumnPart, PartField } from '../parquet/rows-file.ts'
import type { AddFile, RemoveFile } from './actions.ts'
import { parseAdd, parseRemove } from './parse.ts'
import { canonicalPath } from './paths.ts'

/** Files by their key (`fileKey`). */
export interface LazyFiles<T> {
  /** The place of each file, for `at`. */
  readonly index: ReadonlyMap<string, number>
  /** The same object each time. */
  readonly at: (place: number) => T
}

/**
 * The files in columns of `add` actions; undefined where one of them is not plain, so that it is read with all checks.
 * What `parseAdd` would refuse is not plain: nothing is left to be found wrong later.
 */
export function lazyFiles(parts: readonly ColumnPart[]): LazyFiles<AddFile> | undefined {
  return lazily(parts, ADD, addOf)
}

/** The same of `remove` actions: a table that is written often has thousands, for vacuum alone. */
export function lazyRemoves(parts: readonly ColumnPart[]): LazyFiles<RemoveFile> | undefined {
  return lazily(parts, REMOVE, (value) => parseRemove(value, 'a checkpoint'))
}

function lazily<T>(
  parts: readonly ColumnPart[],
  shape: Shape,
  make: (value: unknown) => T,
): LazyFiles<T> | undefined {
  if (parts.length === 0 || !parts.every((part) => isPlain(part, shape))) return undefined
  const index = new Map<string, number>()
  const blocks: Block<T>[] = []
  for (const part of parts) {
    const paths = part.fields.get('path')!.values() as ArrayLike<string>
    const from = blocks.at(-1)?.end ?? 0
    for (let i = 0; i < paths.length; i++) index.set(canonicalPath(paths[i]!), from + i)
    blocks.push(blockOf(part, from, make))
  }
  return { index, at: (place) => blocks.find(({ end }) => place < end)!.at(place) }
}

/** The files of one part, from a place on. */
interface Block<T> {
  readonly end: number
  readonly at: (place: number) => T
}

function blockOf<T>(
  { rows, values }: ColumnPart,
  from: number,
  makeOne: (value: unknown) => T,
): Block<T> {
  let all: T[] | undefined
  // The columns are given up for what is made of them.
  let make: (() => T[]) | undefined = () => Array.from(values(), makeOne)
  const made = (): T[] => {
    all ??= make!()
    make = undefined
    return all
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

/** What a kind of action has. */
interface Shape {
  /** What every one has, and of what type. */
  readonly required: Readonly<Record<string, PartField['kind']>>
  /** What one may have, and of what type. */
  readonly optional: Readonly<Record<string, PartField['kind']>>
  /** What asks for more than a look at its column. */
  readonly special: readonly string[]
}

const ADD: Shape = {
  required: {
    path: 'text',
    partitionValues: 'map of texts',
    size: 'integer',
    modificationTime: 'integer',
    dataChange: 'boolean',
  },
  optional: { stats: 'text' },
  special: ['deletionVector', 'stats_parsed', 'partitionValues_parsed'],
}

const REMOVE: Shape = {
  required: { path: 'text', dataChange: 'boolean' },
  optional: { partitionValues: 'map of texts', size: 'integer', deletionTimestamp: 'integer' },
  special: ['deletionVector'],
}

function isPlain({ rows, fields }: ColumnPart, { required, optional, special }: Shape): boolean {
  const integers = Object.entries({ ...required, ...optional }).filter(
    ([, kind]) => kind === 'integer',
  )
  return (
    Object.entries(required).every(([name, kind]) => {
      const field = fields.get(name)
      return field?.kind === kind && field.count === rows.length
    }) &&
    Object.entries(optional).every(([name, kind]) => {
      const field = fields.get(name)
      return field === undefined || field.kind === kind
    }) &&
    special.every((name) => (fields.get(name)?.count ?? 0) === 0) &&
    areAll(fields.get('path'), (path) => typeof path === 'string') &&
    integers.every(([name]) => areAll(fields.get(name), isExact))
  )
}

function isExact(value: unknown): boolean {
  return Number.isSafeInteger(Number(value))
}

/** One value for each row that has the field, and every one as it shall be. */
function areAll(field: PartField | undefined, test: (value: unknown) => boolean): boolean {
  if (!field || field.count === 0) return true
  const values = field.values()
  if (values.length !== field.count) return false
  for (let i = 0; i < values.length; i++) if (!test(values[i])) return false
  return true
}
