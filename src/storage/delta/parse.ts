/** Reads commits: text to actions, liberal in form and strict in what it lets through. */
import type {
  Action,
  AddFile,
  Commit,
  CommitInfo,
  DeletionVector,
  DomainMetadata,
  Metadata,
  Protocol,
  RemoveFile,
  Transaction,
} from './actions.ts'
import { checkCommit, corrupt } from './actions.ts'

/** No text of JavaScript is longer. */
const COMMIT_BYTES_MAX = 2 ** 29

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Parses a commit file. An empty, torn or illegal one is `CORRUPT_LOG`; unknown actions are ignored. */
export function parseCommit(content: Uint8Array, where: string): Commit {
  if (content.length === 0) throw corrupt(where, 'the file is empty')
  if (content.length >= COMMIT_BYTES_MAX) throw corrupt(where, 'the file is larger than 512 MB')
  let text: string
  try {
    text = decoder.decode(content)
  } catch (cause) {
    throw corrupt(where, 'the file is not UTF-8', cause)
  }
  const lines = text.split('\n').map((line) => line.trim())
  return commitOf(
    lines
      .filter((line) => line !== '')
      .map((line, i) => parseLine(line, `${where}, line ${i + 1}`)),
    where,
  )
}

function parseLine(line: string, where: string): Action {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw corrupt(where, 'the line is not JSON; the file is torn', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw corrupt(where, 'the line is not an action')
  }
  return value as Action
}

/** Sorts the actions of a commit by kind and checks them. */
export function commitOf(actions: readonly Action[], where: string): Commit {
  const commit = sortActions(actions, where)
  checkCommit(commit, where)
  return commit
}

/** Sorts actions by kind. `prepare` may change an `add` before it is parsed. */
export function sortActions(
  actions: readonly Action[],
  where: string,
  prepare: (add: Record<string, unknown>) => unknown = (add) => add,
): Commit {
  const sorted = {
    commitInfo: undefined as CommitInfo | undefined,
    protocols: [] as Protocol[],
    metadatas: [] as Metadata[],
    txns: [] as Transaction[],
    domains: [] as DomainMetadata[],
    removes: [] as RemoveFile[],
    adds: [] as AddFile[],
  }
  for (const action of actions) {
    for (const name in action) {
      const value = action[name]
      if (value === null || value === undefined) continue
      if (name === 'commitInfo') sorted.commitInfo = value as CommitInfo
      else if (name === 'protocol') sorted.protocols.push(parseProtocol(value, where))
      else if (name === 'metaData') sorted.metadatas.push(parseMetadata(value, where))
      else if (name === 'txn') sorted.txns.push(parseTransaction(value, where))
      else if (name === 'domainMetadata') sorted.domains.push(parseDomain(value, where))
      else if (name === 'add')
        sorted.adds.push(parseAdd(prepare(nodeOf(value, where) as Record<string, unknown>), where))
      else if (name === 'remove') sorted.removes.push(parseRemove(value, where))
    }
  }
  return single(sorted, where)
}

function single(
  sorted: {
    commitInfo: CommitInfo | undefined
    protocols: Protocol[]
    metadatas: Metadata[]
  } & Pick<Commit, 'txns' | 'domains' | 'removes' | 'adds'>,
  where: string,
): Commit {
  const { commitInfo, protocols, metadatas, ...rest } = sorted
  if (protocols.length > 1) throw corrupt(where, 'two protocol actions in one commit')
  if (metadatas.length > 1) throw corrupt(where, 'two metaData actions in one commit')
  return {
    ...rest,
    ...(commitInfo && { commitInfo }),
    ...(protocols[0] && { protocol: protocols[0] }),
    ...(metadatas[0] && { metadata: metadatas[0] }),
  }
}

type Node = Readonly<Record<string, unknown>>

function text(node: Node, name: string, where: string): string {
  const value = node[name]
  if (typeof value !== 'string') throw corrupt(where, `${name} is missing or no text`)
  return value
}

/** Integers beyond 2^53 would have been rounded by the JSON parser: refused, never guessed. */
function integer(node: Node, name: string, where: string): number {
  const value = typeof node[name] === 'bigint' ? Number(node[name]) : node[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw corrupt(where, `${name} is missing or no exact integer`)
  }
  return value
}

function optionalInteger(node: Node, name: string, where: string): number | undefined {
  return node[name] === undefined || node[name] === null ? undefined : integer(node, name, where)
}

function flag(node: Node, name: string, where: string): boolean {
  if (typeof node[name] !== 'boolean') throw corrupt(where, `${name} is missing or no boolean`)
  return node[name]
}

function texts(value: unknown, name: string, where: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw corrupt(where, `${name} is no list of texts`)
  }
  return value
}

function nodeOf(value: unknown, where: string): Node {
  if (typeof value !== 'object' || value === null) throw corrupt(where, 'an action is no object')
  for (const name in value) if ((value as Node)[name] === null) return withoutNulls(value as Node)
  return value as Node
}

/** Absent and null mean the same in actions; checkpoints give nulls for every column that a row has not. */
function withoutNulls(node: Node): Node {
  const entries = Object.entries(node).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(entries)
}

function parseProtocol(value: unknown, where: string): Protocol {
  const node = nodeOf(value, where)
  const readers = node['readerFeatures']
  const writers = node['writerFeatures']
  return {
    minReaderVersion: integer(node, 'minReaderVersion', where),
    minWriterVersion: integer(node, 'minWriterVersion', where),
    ...(readers !== undefined && { readerFeatures: texts(readers, 'readerFeatures', where) }),
    ...(writers !== undefined && { writerFeatures: texts(writers, 'writerFeatures', where) }),
  }
}

function parseMetadata(value: unknown, where: string): Metadata {
  const node = nodeOf(value, where)
  const format = (node['format'] ?? { provider: 'parquet' }) as Metadata['format']
  const createdTime = optionalInteger(node, 'createdTime', where)
  const { createdTime: _created, ...rest } = node
  return {
    ...rest,
    id: text(node, 'id', where),
    format,
    schemaString: text(node, 'schemaString', where),
    partitionColumns: texts(node['partitionColumns'] ?? [], 'partitionColumns', where),
    configuration: textMap(node['configuration'] ?? {}, 'configuration', where) as Record<
      string,
      string
    >,
    ...(createdTime !== undefined && { createdTime }),
  }
}

function textMap(value: unknown, name: string, where: string): Record<string, string | null> {
  if (typeof value !== 'object' || value === null) throw corrupt(where, `${name} is no map`)
  for (const key in value) {
    const item = (value as Node)[key]
    if (item !== null && typeof item !== 'string')
      throw corrupt(where, `${name} is no map of texts`)
  }
  return value as Record<string, string | null>
}

function parseTransaction(value: unknown, where: string): Transaction {
  const node = nodeOf(value, where)
  const lastUpdated = optionalInteger(node, 'lastUpdated', where)
  return {
    appId: text(node, 'appId', where),
    version: integer(node, 'version', where),
    ...(lastUpdated !== undefined && { lastUpdated }),
  }
}

function parseDomain(value: unknown, where: string): DomainMetadata {
  const node = nodeOf(value, where)
  return {
    domain: text(node, 'domain', where),
    configuration: text(node, 'configuration', where),
    removed: node['removed'] === true,
  }
}

/** An action that is already what we want is taken as it is: a table has a hundred thousand of them. */
export function parseAdd(value: unknown, where: string): AddFile {
  const node = nodeOf(value, where)
  const { partitionValues, stats, deletionVector: dv } = node
  text(node, 'path', where)
  flag(node, 'dataChange', where)
  const size = integer(node, 'size', where)
  const modificationTime = integer(node, 'modificationTime', where)
  const values = textMap(partitionValues ?? {}, 'partitionValues', where)
  const isPlain =
    partitionValues !== undefined &&
    dv === undefined &&
    (stats === undefined || typeof stats === 'string') &&
    node['size'] === size &&
    node['modificationTime'] === modificationTime
  if (isPlain) return node as unknown as AddFile
  const { stats: _stats, ...rest } = node
  return {
    ...(rest as unknown as AddFile),
    partitionValues: values,
    size,
    modificationTime,
    ...(typeof stats === 'string' && { stats }),
    ...(dv !== undefined && { deletionVector: parseDeletionVector(dv, where) }),
  }
}

/** A `remove` action. */
export function parseRemove(value: unknown, where: string): RemoveFile {
  const node = nodeOf(value, where)
  const {
    size: _size,
    deletionTimestamp: _time,
    deletionVector: dv,
    partitionValues,
    ...rest
  } = node
  const size = optionalInteger(node, 'size', where)
  const deletionTimestamp = optionalInteger(node, 'deletionTimestamp', where)
  return {
    ...rest,
    path: text(node, 'path', where),
    dataChange: flag(node, 'dataChange', where),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(partitionValues !== undefined && {
      partitionValues: textMap(partitionValues, 'partitionValues', where),
    }),
    ...(size !== undefined && { size }),
    ...(dv !== undefined && { deletionVector: parseDeletionVector(dv, where) }),
  }
}

function parseDeletionVector(value: unknown, where: string): DeletionVector {
  const node = nodeOf(value, where)
  const storageType = text(node, 'storageType', where)
  if (storageType !== 'u' && storageType !== 'i' && storageType !== 'p') {
    throw corrupt(where, `deletion vector of unknown storage type ${storageType}`)
  }
  const offset = optionalInteger(node, 'offset', where)
  return {
    storageType,
    pathOrInlineDv: text(node, 'pathOrInlineDv', where),
    ...(offset !== undefined && { offset }),
    sizeInBytes: integer(node, 'sizeInBytes', where),
    cardinality: integer(node, 'cardinality', where),
  }
}
