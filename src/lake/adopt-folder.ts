/** `migrate adopt`: a folder of Parquet files, one a stock, becomes tables of the lake. */
import { isAbsolute, relative, resolve } from 'node:path'
import { oldTable } from '../migration/old-file.ts'
import { datasetSql, lookThrough } from '../migration/parquet-folder.ts'
import { LakeError } from '../model/errors.ts'
import { realPath } from '../storage/files/real-path.ts'
import { isOfLake } from './export-file.ts'
import type { ImportOptions, ImportResult } from './import-attached.ts'
import { importAttached } from './import-attached.ts'
import type { Lake } from './lake.ts'
import { withStaging } from './staging.ts'

/** What an adoption did. */
export interface AdoptResult extends ImportResult {
  /** Files that were left out. */
  readonly files: readonly string[]
}

/**
 * Makes tables of a folder of Parquet files, one a stock, as the request's recipe writes it; all in one commit. The
 * files are read and stay as they are.
 */
export async function adoptFolder(
  lake: Lake,
  directory: string,
  options: ImportOptions = {},
): Promise<AdoptResult> {
  const path = resolve(directory)
  await refuseOwn(lake, path)
  const { datasets, left } = await lookThrough(lake.store.files, path)
  if (datasets.length === 0) {
    throw new LakeError('INVALID_ARGUMENT', `there are no Parquet files below ${path}`, {
      details: { path },
      next: 'Name the folder that holds the tables.',
    })
  }
  return withStaging(lake, async (session) => {
    for (const dataset of datasets)
      await session.run(
        `CREATE TABLE ${oldTable(dataset.name)} AS ${await datasetSql(session, dataset)}`,
      )
    return { ...(await importAttached(lake, session, options)), files: left }
  })
}

/** The files of the lake itself hold rows of many versions. */
async function refuseOwn(lake: Lake, path: string): Promise<void> {
  const within = relative(await realPath(path), await realPath(lake.root))
  const holdsLake = !within.startsWith('..') && !isAbsolute(within)
  if (!holdsLake && !(await isOfLake(lake.root, path))) return
  throw new LakeError('INVALID_ARGUMENT', `${path} holds files of the lake itself`, {
    details: { path, lake: lake.root },
    next: 'Name the folder of your own files, beside the lake.',
  })
}
