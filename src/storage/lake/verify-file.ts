/** Verify, one data file: its size, and on demand its hash and its rows, against what a log says of it. */
import { messageOf } from '../../model/errors.ts'
import type { AddFile } from '../delta/actions.ts'
import { filePath } from '../delta/paths.ts'
import { HASH_TAG } from '../delta/relation.ts'
import { rowsOf } from '../delta/stats.ts'
import type { Session } from '../parquet/database.ts'
import { pathLiteral } from '../parquet/sql.ts'
import type { Store } from './store.ts'

/** Something that is not as it should be. */
export interface Problem {
  readonly table: string | null
  readonly file: string | null
  readonly problem: string
}

/** How thoroughly to look. */
export interface VerifyOptions {
  /** Read every byte: hashes and rows. */
  readonly deep: boolean
  /** A connection to read files with; needed for `deep`. */
  readonly session?: Session
  readonly signal?: AbortSignal
}

/** What is wrong with one data file of a log; undefined if it is as the log says. */
export async function fileProblem(
  store: Store,
  directory: string,
  file: AddFile,
  options: VerifyOptions,
): Promise<string | undefined> {
  try {
    const path = filePath(directory, file.path)
    const stat = await store.files.stat(path)
    if (!stat) return 'the file is missing'
    if (stat.kind !== 'file') return 'it is no regular file'
    if (stat.sizeBytes !== file.size)
      return `it has ${stat.sizeBytes} bytes, the log says ${file.size}`
    return options.deep ? await deepProblem(store, path, file, options.session) : undefined
  } catch (error) {
    return messageOf(error)
  }
}

async function deepProblem(
  store: Store,
  path: string,
  file: AddFile,
  session: Session | undefined,
): Promise<string | undefined> {
  const expected = file.tags?.[HASH_TAG]
  if (expected !== undefined && (await store.files.hash(path)) !== expected) {
    return 'its content is not what was written (the hash differs)'
  }
  const rows = rowsOf(file)
  if (!session || rows === undefined || file.deletionVector) return undefined
  const sql = `SELECT count(*) AS n FROM read_parquet(${pathLiteral(path)}, hive_partitioning=false)`
  const { n } = await session.row<{ n: bigint }>(sql)
  return Number(n) === rows ? undefined : `it has ${n} rows, the log says ${rows}`
}
