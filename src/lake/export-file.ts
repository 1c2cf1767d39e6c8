/** Results as files: written beside their place, complete and synced, then renamed. */
import { randomUUID } from 'node:crypto'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { AnalysisEngine } from '../analysis/engine.ts'
import type { StatementOptions } from '../analysis/limits.ts'
import { LakeError } from '../model/errors.ts'
import { localFiles } from '../storage/files/local.ts'
import { realPath } from '../storage/files/real-path.ts'

/** Writes texts one after the other into a file, replacing it whole or not at all. */
export async function writeOutputFile(
  path: string,
  parts: AsyncIterable<string> | readonly string[],
): Promise<void> {
  const encoder = new TextEncoder()
  await replaceFile(path, async (temporary) => {
    // Not `create`, whose files are read-only: a result belongs to whoever asked for it.
    let waiting = ''
    for await (const part of parts) {
      waiting += part
      if (waiting.length < BUFFER) continue
      await localFiles.append(temporary, encoder.encode(waiting))
      waiting = ''
    }
    await localFiles.append(temporary, encoder.encode(waiting))
    await localFiles.sync(temporary)
  })
}

/** Characters that are gathered before they are written. */
const BUFFER = 1 << 20

/** Writes the result of a SELECT into a Parquet file; returns the number of rows. */
export async function exportParquet(
  engine: Pick<AnalysisEngine, 'copyTo'>,
  sql: string,
  path: string,
  options: StatementOptions = {},
): Promise<number> {
  return replaceFile(path, async (temporary) => {
    const rows = await engine.copyTo(sql, temporary, options)
    await localFiles.sync(temporary)
    return rows
  })
}

/** What stands in a lake's directory for itself; other files may stand beside it. */
const OF_LAKE = new Set(['_lake', 'warehouse', 'lake.toml', 'analysis.duckdb'])

/** True for a path of a part of the lake, or in one. */
export async function isOfLake(root: string, path: string): Promise<boolean> {
  const [first] = relative(await realPath(root), await realPath(path)).split(sep)
  // Some file systems do not tell letters apart.
  return OF_LAKE.has(first!.toLowerCase())
}

/** Refuses to write a result over a part of the lake. */
export async function checkNotOfLake(root: string, path: string): Promise<void> {
  if (!(await isOfLake(root, path))) return
  throw new LakeError('INVALID_ARGUMENT', `${path} belongs to the lake itself`, {
    details: { path, lake: root },
    next: 'Write the result elsewhere.',
  })
}

/** Writes a file beside its place and moves it there when it is whole. A device is not replaced by a file: root could. */
export async function replaceFile<T>(
  path: string,
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  const target = resolve(path)
  const directory = dirname(target)
  if ((await localFiles.stat(directory))?.kind !== 'directory') {
    throw new LakeError('IO_ERROR', `no such directory: ${directory}`, {
      details: { path: directory, errno: 'ENOENT' },
    })
  }
  if ((await localFiles.stat(await realPath(target)))?.kind === 'other') {
    throw new LakeError('INVALID_ARGUMENT', `${target} is no regular file`, {
      details: { path: target },
      next: 'Name a file, or leave it out: a result goes to standard output by itself.',
    })
  }
  const temporary = join(directory, `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const result = await fill(temporary)
    await localFiles.rename(temporary, target)
    await localFiles.sync(directory)
    return result
  } finally {
    await localFiles.remove(temporary).catch(() => false)
  }
}
