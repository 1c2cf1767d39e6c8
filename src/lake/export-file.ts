/** Results as files: written beside their place, complete and synced, then renamed. */
import { randomUUID } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import type { AnalysisEngine } from '../analysis/engine.ts'
import { LakeError } from '../model/errors.ts'
import { localFiles } from '../storage/files/local.ts'
import { replace } from '../storage/files/publish.ts'

/** Writes a text into a file, replacing it whole or not at all. */
export async function writeOutputFile(path: string, text: string): Promise<void> {
  const target = resolve(path)
  await replace(localFiles, dirname(target), basename(target), text)
}

/** Writes the result of a SELECT into a Parquet file; returns the number of rows. */
export async function exportParquet(
  engine: Pick<AnalysisEngine, 'copyTo'>,
  sql: string,
  path: string,
): Promise<number> {
  const target = resolve(path)
  const directory = dirname(target)
  if ((await localFiles.stat(directory))?.kind !== 'directory') {
    throw new LakeError('IO_ERROR', `no such directory: ${directory}`, {
      details: { path: directory, errno: 'ENOENT' },
    })
  }
  const temporary = join(directory, `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const rows = await engine.copyTo(sql, temporary)
    await localFiles.seal(temporary)
    await localFiles.rename(temporary, target)
    await localFiles.sync(directory)
    return rows
  } finally {
    await localFiles.remove(temporary).catch(() => false)
  }
}
