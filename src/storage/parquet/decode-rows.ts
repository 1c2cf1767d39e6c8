/** Parquet content to rows, column by column; what has an unusual shape goes through the general reader. */
import type { ColumnMetaData, Compressors, FileMetaData, RowGroup, SchemaTree } from 'hyparquet'
import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet'
import { getTreePath } from 'hyparquet/src/schema.js'
import { assemble, canAssemble } from './assemble.ts'
import { fieldsOf } from './column-part.ts'
import type { ColumnPart } from './column-part.ts'
import { presentOf, readLeaf } from './leaf.ts'
import type { Leaf } from './leaf.ts'

type Row = Record<string, unknown>

/** The rows of a file. Checkpoints have a hundred thousand of them: the general reader takes ten times as long. */
export async function decodeRows(content: Uint8Array): Promise<Row[]> {
  const opened = await openContent(content)
  const parts = partsOf(opened)
  if (!parts) return parquetReadObjects(opened)
  const count = Number(opened.metadata.num_rows)
  const rows = Array.from({ length: count }, (): Row => ({}))
  for (const { name, rows: own, values } of parts) {
    const made = values()
    own.forEach((row, i) => {
      if (made[i] !== undefined) rows[row]![name] = made[i]
    })
  }
  return rows
}

/** The columns of a file, one for each row group; undefined if one has a shape that only the general reader knows. */
export async function decodeParts(content: Uint8Array): Promise<ColumnPart[] | undefined> {
  return partsOf(await openContent(content))
}

interface Opened {
  readonly file: ArrayBuffer
  readonly metadata: FileMetaData
  readonly compressors: Compressors
}

async function openContent({ buffer, byteOffset, byteLength }: Uint8Array): Promise<Opened> {
  const whole = byteOffset === 0 && byteLength === buffer.byteLength
  const file = (whole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer
  const metadata = parquetMetadata(file)
  return { file, metadata, compressors: await compressorsFor(metadata, file.byteLength) }
}

/** Above this, faster decompression is worth the time it takes to load. */
const LARGE_BYTES = 1 << 20

async function compressorsFor(
  { row_groups: groups }: FileMetaData,
  sizeBytes: number,
): Promise<Compressors> {
  const codecs = groups.flatMap((group) => group.columns.map((column) => column.meta_data?.codec))
  const builtIn = codecs.every((codec) => codec === 'UNCOMPRESSED' || codec === 'SNAPPY')
  if (builtIn && sizeBytes < LARGE_BYTES) return {}
  return (await import('hyparquet-compressors')).compressors
}

function partsOf(opened: Opened): ColumnPart[] | undefined {
  const tree = parquetSchema(opened.metadata)
  if (!tree.children.every((node) => canAssemble(node))) return undefined
  const parts: ColumnPart[] = []
  let firstRow = 0
  for (const group of opened.metadata.row_groups) {
    parts.push(...groupParts(opened, tree, group, firstRow))
    firstRow += Number(group.num_rows)
  }
  return parts
}

function groupParts(
  { file, compressors }: Opened,
  tree: SchemaTree,
  group: RowGroup,
  firstRow: number,
): ColumnPart[] {
  const content = new Uint8Array(file)
  const count = Number(group.num_rows)
  const chunks = new Map(
    group.columns.map(({ meta_data: chunk }) => [pathKey(chunk!.path_in_schema), chunk!]),
  )
  return tree.children.flatMap((node) => {
    const paths = leavesOf(node)
    if (paths.every((path) => isNull(chunks.get(pathKey(path))))) return []
    const leaves = new Map(
      paths.map((path) => {
        const chunk = chunks.get(pathKey(path))
        if (!chunk) throw new Error(`a column is missing: ${pathKey(path)}`)
        const leaf = readLeaf(content, chunk, getTreePath(tree, [...path]), compressors)
        if (!leaf.repetitions && leaf.definitions.length !== count)
          throw new Error(`a column has ${leaf.definitions.length} rows, not ${count}`)
        return [pathKey(path), leaf]
      }),
    )
    return [columnPart(node, leaves, count, firstRow)]
  })
}

/** Most kinds of actions stand in a few rows of a checkpoint: the rows without one are put aside before anything is made. */
function columnPart(
  node: SchemaTree,
  leaves: ReadonlyMap<string, Leaf>,
  count: number,
  firstRow: number,
): ColumnPart {
  const level = node.element.repetition_type === 'REQUIRED' ? 0 : 1
  const rows = rowsOf([...leaves.values()][0]!, level, count, firstRow)
  const present = new Map(
    [...leaves].map(([key, leaf]) => [key, presentOf(leaf, level, rows.length)]),
  )
  const leafOf = (path: readonly string[]): Leaf => present.get(pathKey(path))!
  return {
    name: node.element.name,
    rows,
    fields: fieldsOf(node, leafOf),
    values: () => assemble(node, leafOf, rows.length).values,
  }
}

/** The rows in which a column is there, by its first leaf. */
function rowsOf(
  { definitions, repetitions }: Leaf,
  level: number,
  count: number,
  firstRow: number,
): Uint32Array {
  const rows = new Uint32Array(count)
  let [found, row] = [0, -1]
  for (let i = 0; i < definitions.length; i++) {
    if (repetitions && repetitions[i] !== 0) continue
    row++
    if (definitions[i]! >= level) rows[found++] = firstRow + row
  }
  if (row !== count - 1) throw new Error(`a column has ${row + 1} rows, not ${count}`)
  return rows.subarray(0, found)
}

function leavesOf(node: SchemaTree): readonly (readonly string[])[] {
  return node.children.length === 0 ? [node.path] : node.children.flatMap(leavesOf)
}

/** A group of nothing but NULLs counts as absent: in a checkpoint most kinds of actions are. */
function isNull(chunk: ColumnMetaData | undefined): boolean {
  const nulls = chunk?.statistics?.null_count
  return nulls !== undefined && nulls === chunk?.num_values
}

function pathKey(path: readonly string[]): string {
  return JSON.stringify(path)
}
