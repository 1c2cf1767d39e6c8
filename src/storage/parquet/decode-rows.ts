/** Parquet content to rows, column by column; what has an unusual shape goes through the general reader. */
import type { ColumnMetaData, Compressors, FileMetaData, RowGroup, SchemaTree } from 'hyparquet'
import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet'
import { getTreePath } from 'hyparquet/src/schema.js'
import { assemble, canAssemble } from './assemble.ts'
import { readLeaf } from './leaf.ts'

type Row = Record<string, unknown>

/** The rows of a file. Checkpoints have a hundred thousand of them: the general reader takes ten times as long. */
export async function decodeRows(content: Uint8Array): Promise<Row[]> {
  const { buffer, byteOffset, byteLength } = content
  const whole = byteOffset === 0 && byteLength === buffer.byteLength
  const file = (whole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer
  const metadata = parquetMetadata(file)
  const tree = parquetSchema(metadata)
  const compressors = await compressorsFor(metadata, file.byteLength)
  if (!tree.children.every((node) => canAssemble(node)))
    return parquetReadObjects({ file, metadata, compressors })
  const bytes = new Uint8Array(file)
  return metadata.row_groups.flatMap((group) => groupRows(bytes, tree, group, compressors))
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

function groupRows(
  content: Uint8Array,
  tree: SchemaTree,
  group: RowGroup,
  compressors: Compressors,
): Row[] {
  const count = Number(group.num_rows)
  const chunks = new Map(
    group.columns.map(({ meta_data: chunk }) => [pathKey(chunk!.path_in_schema), chunk!]),
  )
  const rows = Array.from({ length: count }, (): Row => ({}))
  for (const node of tree.children) {
    if (leavesOf(node).every((path) => isNull(chunks.get(pathKey(path))))) continue
    const { values } = assemble(
      node,
      (path) => {
        const chunk = chunks.get(pathKey(path))!
        return readLeaf(content, chunk, getTreePath(tree, [...path]), compressors)
      },
      count,
    )
    const { name } = node.element
    for (let row = 0; row < count; row++) {
      const value = values[row]
      if (value !== undefined) rows[row]![name] = value
    }
  }
  return rows
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
